"""A few answers -> the text of a commented scenario that loads, and runs as it is.

The rule this file guards: what a draft expects follows from what it says. STORIES names, for each
phase, the settings whose clocks run there; the earliest of them tells the client, and everything
that is expected is derived from that and from the healing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.catalogue.patterns import PATTERNS
from netdiag.catalogue.settings import Keepalive
from netdiag.errors import ScenarioError
from netdiag.faults.fault import FAULTS
from netdiag.scenario.draft_text import PROBES, Sections, text_of
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_TIMEOUT: Final = 2.0
WHEEL: Final = 0.125
MESSAGE_AT: Final = 2.0
BLOCK: Final = 2.0
_COMES_BACK: Final = 6.0
_SLACK: Final = 3.0
_LONGEST_WAIT: Final = 120.0


@dataclass(frozen=True)
class Story:
    """A phase: what disappears in it, the settings whose clocks run then; message: one must come
    for the phase to happen; popped: it has left the queue by then.
    """

    about: str
    clocks: tuple[str, ...]
    message: bool = False
    popped: bool = False


STORIES: Final[Mapping[str, Story]] = {
    "connecting": Story("the client's SYN", ("connect_timeout",)),
    "connected": Story("all that follows the handshake", ("read_timeout",)),
    "request_in_flight": Story("the command itself", ("read_timeout",)),
    "request_delivered": Story("the server's ACK of the command", ("read_timeout",)),
    "blocked": Story("what comes next; both sides are idle", ("read_timeout", "keepalive")),
    "reply_in_flight": Story("the reply", ("read_timeout", "keepalive"), message=True, popped=True),
    "reply_delivered": Story("the client's next command", ("read_timeout",), message=True),
    "closing": Story("the FIN of a client that gives up", ()),
}


_GREETING: Final = ("connecting", "connected")
"""The phases in which a subscriber has not subscribed yet."""
_NAMED: Final[Mapping[str, str]] = {"docker": "lost link (docker network_disconnect)"}

CLOCKS: Final[Mapping[str, tuple[str, ...]]] = {"freeze": ("read_timeout",), "kill": ()}
"""For faults of a program: the clocks that run. A frozen one's kernel answers keepalive."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The answers. Seconds throughout; None: never, none or off."""

    name: str
    pattern: str = "brpop"
    phase: str = "blocked"
    fault: str = "blackhole"
    heal_after: float | None = 10.0
    keepalive: Keepalive | None = Keepalive(idle=2, interval=1, count=3)  # noqa: RUF009 - frozen
    read_timeout: float | None = None

    def __post_init__(self) -> None:
        if self.phase == "closing" and self.read_timeout is None:
            raise ScenarioError(
                "a client without a read timeout never closes, so there is no closing phase; "
                "give one with --read-timeout 3s"
            )
        if self.phase == "closing" and self.listens:
            raise ScenarioError(
                "a subscriber never closes, because redis-py reads without a limit there, whatever "
                "its read timeout is; choose another --phase, or another --pattern"
            )
        if self.heal_after == 0 and FAULTS[self.fault].lasts:
            raise ScenarioError(
                f"a {self.fault} that ends as it begins has no effect; give a time with "
                "--heal-after 10s, or never"
            )


    @property
    def listens(self) -> bool:
        """Whether it subscribes: redis-py's PubSub heeds no read timeout (since 8.0)."""
        return not PATTERNS[self.pattern].keeps


def draft(answers: Draft) -> str:
    """The scenario. Raises ScenarioError when the answers do not fit together."""
    story, heals = STORIES[answers.phase], heals_after(answers)
    sections = Sections(
        about=_about(answers, story),
        keepalive=answers.keepalive,
        pattern=answers.pattern,
        block=_block(answers),
        read_timeout=answers.read_timeout,
        connect_timeout=CONNECT_TIMEOUT,
        message=_message(answers, story, heals),
        probes_at=_probes_at(answers, heals),
        phase=answers.phase,
        phase_about=story.about,
        fault=answers.fault,
        heals=heals,
        expect=_expected(answers, story, heals),
        duration=_duration(answers, story, heals),
    )
    return text_of(answers.name, sections)


def _block(answers: Draft) -> float:
    """The blocking command's own timeout: a consumer that claims must come around for it, before
    its read timeout does; but for one that is to close its read timeout must come first.
    """
    if answers.pattern != "xreadgroup":
        return 0.0
    if answers.read_timeout is None:
        return BLOCK
    if answers.phase == "closing":
        return answers.read_timeout + BLOCK
    return min(BLOCK, answers.read_timeout / 2)


def heals_after(answers: Draft) -> float | None:
    """When the fault ends; one that is over at once never does."""
    return answers.heal_after if FAULTS[answers.fault].lasts else None


def _message(answers: Draft, story: Story, heals: float | None) -> tuple[str, str] | None:
    """When a message is pushed before the healing, and why."""
    if story.message:
        return f"{MESSAGE_AT:g}s", "brings the phase about"
    if answers.phase == "blocked" and FAULTS[answers.fault].lasts and answers.fault != "kill":
        after = min(1.0, (heals or 2.0) / 2)
        why = "no reply yet" if answers.fault in CLOCKS else "the cut takes its reply"
        return f"{{event: active, after: {after:g}s}}", why
    return None


def _probes_at(answers: Draft, heals: float | None) -> str | None:
    """The event after which messages show whether anybody consumes."""
    if heals is not None:
        return "healed"
    return None if FAULTS[answers.fault].lasts else "active"


def clock(answers: Draft) -> tuple[str, float] | None:
    """The setting that tells the client first, and after how many seconds; None: none does soon."""
    keepalive = None if answers.keepalive is None else float(answers.keepalive.total)
    lengths = {
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": answers.read_timeout,
        "keepalive": keepalive,
    }
    running = [
        (name, length)
        for name in _clocks(answers)
        if (length := lengths[name]) is not None and length <= _LONGEST_WAIT
    ]
    return min(running, key=lambda one: one[1], default=None)


def _clocks(answers: Draft) -> tuple[str, ...]:
    clocks = STORIES[answers.phase].clocks
    clocks = clocks and CLOCKS.get(answers.fault, clocks)
    if answers.listens and answers.phase not in _GREETING:
        return tuple(one for one in clocks if one != "read_timeout")
    return clocks


def _told_before(answers: Draft, heals: float) -> bool:
    """Whether the client is told before the path heals, however late its timer is."""
    told = clock(answers)
    return told is not None and told[1] * (1 + WHEEL) + 0.5 < heals


Expected = dict[str, tuple[str, str]]


def _expected(answers: Draft, story: Story, heals: float | None) -> Expected:
    """kind -> (bound, comment)."""
    if answers.fault == "blackhole":
        return _of_blackhole(answers, story, heals)
    if answers.fault == "reset":
        return _of_reset(answers)
    if answers.fault == "freeze":
        return {"detected_within": _detected(answers, clock(answers), heals)}
    expected = {"detected_within": ("any", "measured and shown; write a bound to judge it")}
    if answers.fault == "restart":
        expected |= _of_restart(answers, story)
    elif answers.fault == "signal":
        expected |= _of_signal(answers, story)
    return expected


_RACES: Final = ("any", "the client may give up just as a message comes")


def _of_restart(answers: Draft, story: Story) -> Expected:
    """Messages come afterwards, so an empty server has them all; what it forgot is the group."""
    pattern = PATTERNS[answers.pattern]
    stuck = "0", "the client dials again, and goes on"
    if "group" in pattern.settings:
        stuck = f'"<= {PROBES + story.message}"', "the group is gone with the server's memory"
    elif answers.read_timeout is not None and pattern.acknowledges:
        stuck = _RACES
    lost = "0", "what has come before has left the server"
    if not pattern.keeps:
        lost = "any", "who does not listen gets nothing"
    elif answers.read_timeout is not None:
        lost = _RACES
    return {"lost": lost, "stuck": stuck}


def _of_signal(answers: Draft, story: Story) -> Expected:
    """SIGTERM, which ends the server for good."""
    ends = "0", "the server ends: what comes later is refused"
    races = story.message and answers.read_timeout is not None
    return {"lost": _RACES if races else ends, "stuck": ends}


def _of_reset(answers: Draft) -> Expected:
    if answers.phase == "closing":
        return {"detected_within": ("any", "the client has given up already")}
    return {
        "detected_within": ("1s", "a RST is told at once"),
        "stuck": ("0", "the client dials again, and goes on"),
    }


def _of_blackhole(answers: Draft, story: Story, heals: float | None) -> Expected:
    told = clock(answers)
    expected: Expected = {"detected_within": _detected(answers, told, heals)}
    keeps = PATTERNS[answers.pattern].acknowledges
    silent = told is None and answers.phase != "closing"
    first = heals is None or _told_before(answers, heals)
    if heals is not None:
        expected["recovered_within"] = (
            format_duration(_recovers(answers, heals)).replace(" ", ""),
            "from the healing until a message is really consumed",
        )
        expected["stuck"] = ("0", "nothing waits for ever")
    if keeps:
        expected["lost"] = ("0", "what nobody has acknowledged is kept")
    elif silent and heals is not None:
        expected["lost"] = ("0", "the same connection goes on")
    elif (story.popped or answers.phase == "blocked") and first:
        expected["lost"] = ("1", "it had left the queue, and nobody got it")
    elif heals is not None:
        expected["lost"] = ("any", "the server may hand one to the connection that is dead")
    if answers.phase == "closing" and heals is None:
        expected["fin_wait1"] = ("any", "client sockets in FIN-WAIT-1 at the end")
    return expected


def _detected(
    answers: Draft, told: tuple[str, float] | None, heals: float | None
) -> tuple[str, str]:
    if answers.phase == "closing":
        return "any", "the client has given up already"
    if told is None:
        return "never", "no clock of the client runs here that ends soon"
    name, length = told
    if heals is not None and not _told_before(answers, heals):
        return "any", "the path heals before anybody is told"
    late = max(1, math.ceil(length * WHEEL) + (name == "keepalive"))
    return f"{name} + {late}s", "the kernel's timers are late by up to 12.5 %"


def _recovers(answers: Draft, heals: float) -> float:
    """At the latest: the next retransmission comes after as much time as has passed already."""
    back_off = 0.0 if _told_before(answers, heals) else heals * 1.25
    return math.ceil(_COMES_BACK + back_off)


def _duration(answers: Draft, story: Story, heals: float | None) -> float:
    begins = MESSAGE_AT if story.message else 0.0
    if answers.phase == "closing":
        begins += answers.read_timeout or 0.0
    told = clock(answers) if FAULTS[answers.fault].lasts else None
    noticed = 0.0 if told is None else told[1] * (1 + WHEEL) + 2
    recovered = 0.0 if heals is None else heals + _recovers(answers, heals)
    return float(math.ceil(begins + max(noticed, recovered, 5.0) + _SLACK))


def _about(answers: Draft, story: Story) -> str:
    told = clock(answers)
    if not FAULTS[answers.fault].lasts:
        return f"The connection meets a {answers.fault} in the phase {answers.phase}."
    if answers.fault == "kill":
        return (
            f"The server is killed in the phase {answers.phase}. Its kernel closes the connection, "
            "which tells the client at once."
        )
    heals = "that does not end"
    if answers.heal_after is not None:
        heals = f"of {format_duration(answers.heal_after)}"
    if answers.phase == "closing":
        tells = "It has given up by then."
    elif told is None:
        tells = "Nothing on its side tells the client soon."
    else:
        tells = f"Its {told[0].replace('_', ' ')} tells the client after {told[1]:g} s."
    fault = _NAMED.get(answers.fault, answers.fault)
    return (
        f"A {fault} {heals} begins in the phase {answers.phase}. "
        f"The first to disappear is {story.about}. {tells}"
    )
