"""Rules that look over connections: reconnect-storm, read-timeout-below-block, keepalive-too-slow,
capture-loss.

The rule this file guards: many connections are no storm as long as each of them works, and one
client that went away is no timeout.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Final

from netdiag.analysis.findings.model import Evidence
from netdiag.analysis.findings.survey import SECOND, established, host
from netdiag.analysis.findings.words import lasting, times
from netdiag.tcp.facts import Opening

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netdiag.analysis.findings.model import Finding
    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import ConnectionFacts

STORM: Final = 10  # failed attempts in a row
STORM_GAP: Final = 2 * SECOND  # at the most between two of them, as a rule
SHORT: Final = 5 * SECOND  # an established connection that fails lives no longer
ALIKE: Final = 0.1  # ages that a timer made differ by no more
EVIDENCE: Final = 6  # frames that are named of many


def reconnect_storm(survey: Survey, found: tuple[Finding, ...]) -> Iterator[Evidence]:
    """One host tries again and again, and each time it fails at once."""
    groups: dict[tuple[str, str], list[ConnectionFacts]] = defaultdict(list)
    for connection in survey.capture.connections:
        groups[host(connection.client.endpoint), connection.server.endpoint].append(connection)
    for (client, server), ones in groups.items():
        for run in _runs(ones):
            gaps = [after.first_at - before.first_at for before, after in pairwise(run)]
            if len(run) < STORM or median(gaps) > STORM_GAP:
                continue
            span = run[-1].first_at - run[0].first_at
            pause = lasting(median(gaps))
            yield Evidence(
                f"{client} tried {server} {len(run)} times in {lasting(span)}, "
                f"every {pause} as a rule, and every attempt failed ({_ends(run)})",
                "let clients wait longer after each failure (exponential backoff with jitter, up "
                "to some seconds), and mend what refuses or resets them",
                tuple(one.first_frame for one in run[:EVIDENCE]),
                run[0].first_at,
                {"attempts": float(len(run)), "pause_s": median(gaps) / SECOND},
                tuple(one.number for one in run),
            )


def _runs(ones: Sequence[ConnectionFacts]) -> Iterator[list[ConnectionFacts]]:
    """Attempts that failed one after the other; one that works, or a long pause, ends a run."""
    run: list[ConnectionFacts] = []
    for one in sorted(ones, key=lambda each: each.first_at):
        if not _failed(one) or (run and one.first_at - run[-1].first_at > 10 * STORM_GAP):
            yield run
            run = []
        if _failed(one):
            run.append(one)
    yield run


def _failed(one: ConnectionFacts) -> bool:
    """Never opened; or ended at once without an answer or with errors alone, or by the server
    without a question.
    """
    if one.opening in (Opening.REFUSED, Opening.UNANSWERED):
        return True
    if one.opening is not Opening.COMPLETE or one.one_sided >= 0 or one.open_at_end:
        return False
    if one.last_at - one.first_at > SHORT:
        return False
    if _error(one):
        return True
    if one.client.unique:
        return one.server.unique == 0
    return one.ended_by == 1  # a server that turns clients away, with a word of its own or without


def _error(one: ConnectionFacts) -> str:
    """The error that was all the server said; empty for none, or when it said more."""
    said = one.server.application
    return said.first_error if said.errors >= max(1, said.messages) else ""


def _ends(run: Sequence[ConnectionFacts]) -> str:
    """How they failed, counted."""
    words = Counter(_end(one) for one in run)
    return ", ".join(f"{number} {word}" for word, number in words.items())


def _end(one: ConnectionFacts) -> str:
    """How an attempt failed."""
    if one.opening is Opening.REFUSED:
        return "refused"
    if one.opening is Opening.UNANSWERED:
        return "unanswered"
    error = _error(one)
    if error:
        return f"answered by nothing but an error ({error})"
    return "ended without a reply" if one.client.unique else "turned away by the server"


def read_timeout_below_block(survey: Survey, found: tuple[Finding, ...]) -> Iterator[Evidence]:
    """A client's read timeout ends its own blocking calls, on a path that works."""
    groups: dict[tuple[str, str], list[tuple[int, ConnectionFacts]]] = defaultdict(list)
    for connection in survey.capture.connections:
        age = _cut_short(connection)
        if age is not None:
            key = host(connection.client.endpoint), connection.server.endpoint
            groups[key].append((age, connection))
    for (client, server), cut in groups.items():
        typical = median(age for age, _ in cut)
        alike = [one for age, one in cut if abs(age - typical) <= ALIKE * typical]
        if len(alike) < 2 or not _one_after_another(alike, typical):
            continue
        asked = alike[0].outstanding
        assert asked is not None
        block = "for ever" if asked.timeout_s == 0 else lasting(asked.timeout_s * SECOND)
        yield Evidence(
            f"{client} gave up {asked.name} to {server} {len(alike)} times after "
            f"{lasting(typical)}, though the command was to block {block} and the path worked: "
            "its read timeout is shorter than its block timeout",
            "set the read timeout above the block timeout, or block for less; a reply that comes "
            "in between is lost with the connection",
            tuple(frame for one in alike[:EVIDENCE] for frame in _cut_frames(one))[: 2 * EVIDENCE],
            alike[0].ended_at,
            {
                "read_timeout_s": typical / SECOND,
                "block_timeout_s": asked.timeout_s,
                "times": float(len(alike)),
            },
            tuple(one.number for one in alike),
        )


def _cut_frames(one: ConnectionFacts) -> tuple[int, int]:
    return (one.outstanding.frame if one.outstanding is not None else 0), one.ended_frame


def _cut_short(connection: ConnectionFacts) -> int | None:
    """How old (ns) a blocking command was when its client closed on a path that works."""
    asked = connection.outstanding
    if asked is None or not asked.blocking or asked.timeout_s < 0 or not established(connection):
        return None
    client, server = connection.sides
    closed = connection.ended_by == 0 and connection.one_sided < 0
    healthy = client.fin_acked or (client.rst_at > 0 and client.unacked == 0)
    age = connection.ended_at - asked.at
    early = asked.timeout_s == 0 or age < asked.timeout_s * SECOND - SECOND // 4
    return age if closed and healthy and early and age > 0 and server.frames else None


def _one_after_another(ones: Sequence[ConnectionFacts], age: float) -> bool:
    """Whether they did not all close at once, as workers do that are stopped."""
    ends = sorted(one.ended_at for one in ones)
    return sum(after - before >= age / 2 for before, after in pairwise(ends)) >= len(ones) // 2


def keepalive_too_slow(survey: Survey, found: tuple[Finding, ...]) -> Iterator[Evidence]:
    """Keepalive that begins to probe only when the path has forgotten the connection already."""
    shortest: dict[str, tuple[float, Finding]] = {}
    evicted: set[int] = set()
    for eviction in found:
        if eviction.rule == "middlebox-eviction":
            (number,) = eviction.connections
            evicted.add(number)
            server = survey.capture.connections[number].server.endpoint
            limit = float(eviction.details["silence_s"])
            if server not in shortest or limit < shortest[server][0]:
                shortest[server] = limit, eviction
    for server, (limit, eviction) in shortest.items():
        for one in survey.servers[server].connections:
            for own in one.sides:
                probes = own.keepalive
                if probes is None or probes.idle_ns < limit * (1 - ALIKE / 10) * SECOND:
                    continue
                if probes.answered and one.number in evicted:
                    continue
                yield Evidence(
                    f"{own.endpoint} begins keepalive after {lasting(probes.idle_ns)} of silence, "
                    f"but what lies between the clients and {server} forgets a connection within "
                    f"{lasting(limit * SECOND)}",
                    "lower its keepalive idle time below half of that (TCP_KEEPIDLE, or "
                    "net.ipv4.tcp_keepalive_time for programs that only switch it on)",
                    (probes.first_frame, *eviction.frames),
                    probes.first_at,
                    {"idle_s": probes.idle_ns / SECOND, "limit_s": limit},
                    (one.number,),
                )


def capture_loss(survey: Survey, found: tuple[Finding, ...]) -> Iterable[Evidence]:
    """Frames that were on the wire are not in the capture."""
    capture = survey.capture
    holes = [
        (sum(side.missed for side in one.sides), one)
        for one in capture.connections
        if one.one_sided < 0 and any(side.missed for side in one.sides)
    ]
    lost = sum(number for number, _ in holes)
    dropped = sum(one.dropped for one in capture.drops if one.dropped > 0)
    if not lost and not dropped:
        return ()
    parts = []
    if lost:
        where = times(len(holes), "connection")
        later = capture.totals.fragments
        held = f" but perhaps in {times(later, 'fragment')} of IP packets" if later else ""
        parts.append(f"{lost} bytes in {where} were acknowledged and are not in the capture{held}")
    if dropped:
        parts.append(f"the recorder itself counted {times(dropped, 'dropped frame')}")
    return (
        Evidence(
            " and ".join(parts) + ": what looks lost may only be missing here",
            "capture with a filter on the port, a shorter snap length or a larger buffer "
            "(tcpdump -B), and read other findings of these connections with care",
            tuple(one.first_frame for _, one in holes[:EVIDENCE]),
            min((one.first_at for _, one in holes), default=capture.totals.first_at),
            {"missed_bytes": float(lost), "dropped_frames": float(dropped)},
            tuple(one.number for _, one in holes),
        ),
    )
