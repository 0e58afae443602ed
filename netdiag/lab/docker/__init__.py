"""The Docker lab: containers of a compose file as hosts, and the cable spliced in between.

The engine
engine      the Docker SDK's one door: containers, networks and volumes by label, verbs as methods
described   what it says of a container, as a value (pure)
compose     the command: `docker compose` (v2) or `docker-compose` (v1)
images      the images of the compose files that ship

A stack
stack       from a compose file to containers, the client's last; naming: what Compose calls its
            images; order: who runs, and who is started first (pure)
isolate     a team's compose file -> the same stack, labelled, with no way out (pure)
health      waiting until its services run and are healthy

A cell
lab         the Lab itself
wiring      a container's interface, its host-side veth, its bridge; the splice
container   a process in a container's namespaces
letting_in  the port and the password of a server that somebody else configured
verbs       what the engine can do to a container in mid-run, and how that is seen

The end
journal     what a run has changed on things that are not its own, and the lock that says it lives
undoing     how each change is undone
reaping     the end of whatever a run has left

Objects are found by label and interfaces by asking (the container's pid, its link, the peer's
index). The rule it guards: what a run made carries its label, what it changed stands in its
journal, and nothing else is touched.
"""

RUN_LABEL = "netdiag.run"
