"""The servers: how each is found, configured, started and watched.

redis    Redis or Valkey: the binary, its configuration file, when it is ready
admin    questions to it over its unix socket, never blocking: CLIENT LIST, pushes, leftovers
queues   how each pattern's messages live on it: made ready, pushed, found again by place

Servers are watched over a unix socket, so that watching costs no packet and no connection that
counts.
"""
