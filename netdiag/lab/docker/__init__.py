"""The Docker lab: containers of a compose file as hosts, and the cable spliced in between.

engine     the Docker SDK's one door: containers, networks and volumes as values, verbs as methods
compose    the command: `docker compose` (v2) or `docker-compose` (v1)
isolate    a team's compose file -> the same stack, labelled, with no way out (pure)
journal    what a run has changed on things that are not its own, and the lock that says it lives
wiring     a container's interface, its host-side veth, its bridge; the splice and its undoing
container  a process in a container's namespaces
lab        the Lab itself
reaping    the end of whatever a run has left

Objects are found by label and interfaces by asking (the container's pid, its link, the peer's
index). The rule it guards: what a run made carries its label, what it changed stands in its
journal, and nothing else is touched.
"""

RUN_LABEL = "netdiag.run"
