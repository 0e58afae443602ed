"""The clients under test, and the contract that any program in any language can keep
(netdiag/clients/own-client.md tells it to its users, with a whole client).

A client is started on its host with one line of JSON in the environment variable NETDIAG_CLIENT:

    {"host": "10.0.0.2", "port": 6379, "seed": 1234, "settings": {...},
     "workload": {"pattern": "brpop", "key": "jobs", "consumer": "client", "block": 0.0,
                  "work": 0.0, "after_error": {"pause": 0.5}}}

A pattern's own settings are there, too: `processing` (blmove), `group` (xreadgroup), `reaper`
(both: null or {"idle": seconds}), `pool` and `every` (request, raw), `names` (both). `consumer` is
the client's name in the cell; a kind that has modes (sync or asyncio, bare or loop) is told its
`mode`.

Whoever draws pauses, as libraries do between their retries, begins at `seed`, a whole number from 0
to 2**63 - 1: the scenario's `seed` then draws the same ones in every run of a cell.

`settings` holds only what the scenario sets: what is missing there is the library's own default,
null means "none" or "never". The client says what it does on the file descriptor whose number is in
NETDIAG_EVENTS, one JSON object a line, written by a single write:

    {"t": 123456789, "what": "call", "outcome": "start", "data": {"command": "BRPOP"}}

`t` is CLOCK_MONOTONIC in nanoseconds (Python `monotonic_ns`, PHP `hrtime(true)`, Node
`hrtime.bigint()`), or left out: when the line was read; `outcome` is start, ok, fail or info;
`data` is an object. The words of `what`:

    connect    the library opens a connection (start), has one (ok), or could not (fail, data.error)
    disconnect the library closes one of its own accord
    call       the application enters a blocking call (data.command); a request has data.id
    return     the call came back without a message (a timeout that is no error)
    got        a message was received, or a request answered (data.id is its name)
    processed  the application has done its work on it (data.id); workload.work says how long
    acknowledged  the server has been told that it is done (data.id), where the pattern has that
    error      the application sees an exception (data.type, data.errno or null, data.message); of
               a request that has failed also data.id
    reconnect  the application dials again after an error

Patterns that acknowledge take a message away with LREM (blmove) or XACK (xreadgroup). With
`request` the client makes the messages: it names them (data.id of call and got), and each appends
its name to the list, so that the server can tell how often each was executed. A name is
`workload.names` and a number, so that no other client, and no earlier life of this one, has it.

What it prints goes to logs/client.log. A line that is not such an object is recorded as `garbage`;
a client that ends is recorded with its exit code. A new kind of client is one row in
`netdiag.catalogue.clients.CLIENTS` and one file here of its name (see `start.Kind`).
"""
