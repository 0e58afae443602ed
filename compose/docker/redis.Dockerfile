# Debian's Redis on any Debian base.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN command -v redis-server >/dev/null || { apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/*; }
CMD ["redis-server", "--bind", "*", "-::*", "--protected-mode", "no", "--save", ""]
