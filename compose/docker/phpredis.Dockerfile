# Debian's PHP and phpredis on any Debian base.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN php -m 2>/dev/null | grep -qx redis || { apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        php-cli php-redis \
    && rm -rf /var/lib/apt/lists/*; }
CMD ["sleep", "infinity"]
