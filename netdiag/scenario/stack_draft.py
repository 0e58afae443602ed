"""A team's compose file -> the text of a commented scenario on it, to begin with.

The rule this file guards: which service consumes and which is the server is proposed by what the
file says of them, written down, and asked for where it says nothing; the stack itself is not
changed, nor is anything of it run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from netdiag.errors import ScenarioError
from netdiag.units import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST: Final = 1 << 20
_CONSUMES: Final = re.compile(r"\b(celery|worker|consumer|sidekiq|rq|horizon|queue)\b")
_WATCHES: Final = re.compile(r"\b(beat|flower|dashboard|monitor|exporter|insight|commander)\b")
_SERVES: Final = re.compile(r"\b(redis|valkey|keydb)\b")
_KEYS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\bcelery\b.*\s(?:-Q|--queues)[= ]([\w.-]+)"), r"\1"),
    (re.compile(r"\bcelery\b"), "celery"),
    (re.compile(r"\bsidekiq\b"), "queue:default"),
    (re.compile(r"\brq\b"), "rq:queue:default"),
)
_OTHER_KEY: Final = "jobs"
_PRODUCES: Final = """\
  {mark}produce:
  {mark}  - at: 1s
  {mark}    by:
  {mark}      service: {maker}"""
_CELERY: Final = """
        run:
          - python3
          - -c
          - |
            import time, celery
            app = celery.Celery(broker="redis://{server}:6379/0")
            for n in range(80):
                app.send_task("celery.accumulate", [n])     # every worker knows this task
                time.sleep(0.5)"""
_OTHER: Final = """
  #       run: "what makes a message, again and again\""""


@dataclass(frozen=True)
class Stack:
    """What a draft says of a stack: its file, its services in their order, and who is who."""

    file: str
    services: tuple[str, ...]
    client: str
    server: str
    maker: str | None
    key: str
    celery: bool


def stack_in(file: Path, *, client: str | None, server: str | None) -> Stack:
    """Read a compose file; `client` and `server` are proposed where they are None.

    Raises ScenarioError.
    """
    services = _services(file)
    words = {name: _words(name, one) for name, one in services.items()}
    for name in filter(None, (client, server)):
        if name not in words:
            raise ScenarioError(
                f"{file}: no service is called {name!a}; {did_you_mean(name, tuple(words))}"
            )
    serves = server or _first(words, lambda said: _SERVES.search(said) and not _consumes(said))
    consumes = client or _first(words, _consumes)
    for role, found in (("consumes", consumes), ("is the Redis server", serves)):
        if found is None:
            raise ScenarioError(
                f"{file}: nothing says which service {role}; name it with --client or --server: "
                f"{', '.join(words)}"
            )
    ends = str(consumes), str(serves)
    said = words[ends[0]]
    return Stack(
        file=str(file), services=tuple(words), client=ends[0], server=ends[1],
        maker=_maker(services, ends), key=_key(said), celery="celery" in said,
    )


def _maker(services: Mapping[str, Any], ends: tuple[str, str]) -> str | None:
    """Who could make messages: of the services that the team builds itself, one with ports, built
    from the same place as the consumer; None: there is no other.
    """
    own = {
        name: one for name, one in services.items()
        if name not in ends and isinstance(one, Mapping) and "build" in one
    }
    consumer = services[ends[0]]
    origin = consumer.get("build") if isinstance(consumer, Mapping) else None

    def likely(name: str) -> tuple[bool, bool]:
        return own[name].get("build") == origin, bool(own[name].get("ports"))

    return max(own, key=likely, default=None)


def _services(file: Path) -> Mapping[str, Any]:
    try:
        with file.open("rb") as opened:
            held = YAML(typ="safe", pure=True).load(opened.read(_LONGEST))
    except OSError as err:
        raise ScenarioError(f"{file}: cannot be read: {err.strerror}") from err
    except (YAMLError, ValueError, RecursionError) as err:
        why = " ".join(str(err).split())[:200]
        raise ScenarioError(f"{file}: is no YAML ({why})") from err
    services = held.get("services") if isinstance(held, Mapping) else None
    if not isinstance(services, Mapping) or not all(map(_is_name, services)):
        raise ScenarioError(f"{file}: no services are in it; give a compose file")
    return services


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name))


def _words(name: str, service: Any) -> str:  # noqa: ANN401 - whatever stands in the file
    """What a service says of itself: its name, image and command."""
    told = [name.replace("_", " ").replace("-", " ")]
    for word in ("image", "entrypoint", "command") if isinstance(service, Mapping) else ():
        part = service.get(word)
        told += map(str, part if isinstance(part, list) else [part or ""])
    return " ".join(told)


def _consumes(said: str) -> bool:
    return bool(_CONSUMES.search(said)) and not _WATCHES.search(said)


def _first(words: Mapping[str, str], fits: Any) -> str | None:  # noqa: ANN401 - text -> truth
    return next((name for name, said in words.items() if fits(said)), None)


def _key(said: str) -> str:
    for pattern, key in _KEYS:
        found = pattern.search(said)
        if found is not None:
            return found.expand(key)
    return _OTHER_KEY


def stack_draft(name: str, stack: Stack) -> str:
    """The scenario's text; it ends in a newline."""
    others = ", ".join(one for one in stack.services if one not in (stack.client, stack.server))
    lines = {
        "compose": f"  compose: {_quoted(stack.file)}",
        "client": _with(f"  client: {stack.client}", "the cable is at this service's container"),
        "server": _with(f"  server: {stack.server}", f"the others: {others}"),
        "key": _with(f"  key: {stack.key}", "the list that it empties"),
        "produce": _produce(stack),
    }
    return _TEXT.format(name=name, **lines)


def _produce(stack: Stack) -> str:
    """Who makes messages: with Celery any container that has it can; else somebody must say."""
    if stack.celery and stack.maker is not None:
        head = _PRODUCES.format(mark="", maker=stack.maker)
        return head + _CELERY.format(server=stack.server)
    return _PRODUCES.format(mark="# ", maker=stack.maker or "web") + _OTHER


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _with(text: str, comment: str) -> str:
    return f"{text:<34}# {comment}"


_TEXT: Final = """\
# Build the images of the compose file first, then: sudo netdiag run THIS --lab docker
name: "{name}"
about: |
  The worker of a stack is cut off from Redis, the queue grows; does the worker really consume again
  when the path heals, or does it only look alive?

lab:
{compose}
{client}
{server}
  # without: []                   # services that the experiment does not need

client: {{kind: service}}           # its own program, watched

workload:
  pattern: brpop                  # how it takes messages
{key}
  # Published ports are closed: who fills the list does so from inside, best as your users do
{produce}

faults:
  - name: cut
    at: 8s                        # or a phase: blocked, reply_in_flight, ...
    do: blackhole                 # or {{docker: network_disconnect}}, {{docker: kill}}, ...
    for: 12s

expect:
  recovered_within: 15s           # from the healing until it has taken a message
  lost: 0

duration: 45s
"""
