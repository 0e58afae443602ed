"""The clients under test, and the contract that any program in any language can keep.

A client is started on its host with one line of JSON in the environment variable NETDIAG_CLIENT:

    {"host": "10.0.0.2", "port": 6379, "settings": {...},
     "workload": {"pattern": "brpop", "key": "jobs", "block": 0.0, "after_error": {"pause": 0.5}}}

`settings` holds only what the scenario sets: what is missing there is the library's own default,
null means "none" or "never". The client says what it does on the file descriptor whose number is in
NETDIAG_EVENTS, one JSON object a line, written by a single write:

    {"t": 123456789, "what": "call", "outcome": "start", "data": {"command": "BRPOP"}}

`t` is CLOCK_MONOTONIC in nanoseconds (Python `monotonic_ns`, PHP `hrtime(true)`, Node
`hrtime.bigint()`); `outcome` is start, ok, fail or info; `data` is an object. The words of `what`:

    connect    the library opens a connection (start), has one (ok), or could not (fail, data.error)
    disconnect the library closes one of its own accord
    call       the application enters a blocking call (data.command)
    return     the call came back without a message (a timeout that is no error)
    got        a message was received (data.id is the message)
    error      the application sees an exception (data.type, data.errno or null, data.message)
    reconnect  the application dials again after an error

What it prints goes to logs/client.log. A line that is not such an object is recorded as `garbage`;
a client that ends is recorded with its exit code. New kinds: one file here, one row in
`start.KINDS`.
"""
