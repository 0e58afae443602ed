# Debian's Python and redis-py on any Debian base. What lies in `site/` comes before Debian's own:
# `netdiag image build` puts the redis-py there that netdiag itself is installed with.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN python3 -c 'import redis' 2>/dev/null || { apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        python3-minimal python3-redis \
    && rm -rf /var/lib/apt/lists/*; }
COPY site/ /opt/netdiag/
ENV PYTHONPATH=/opt/netdiag
CMD ["sleep", "infinity"]
