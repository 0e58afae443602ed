"""The keeper: starts guests, divides the cells among them, and watches their clocks.

Turns one order into the orders of the guests and their ends into one exit code. The rule it guards:
a guest whose virtual clock stands still is ended, and the reason is said; and no guest outlives its
keeper.
"""

from __future__ import annotations

import os
import select
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from netdiag.errors import LabError
from netdiag.lab.uml.boot import command, surroundings
from netdiag.lab.uml.console import Guest, Place
from netdiag.process import current_processor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdiag.lab.uml.kernels import Kernel

PATIENCE: Final = 30.0
"""How long a virtual clock may stand still, s of ours; many clients that start take some of it."""

FRONT_GONE: Final = 130
_ASK_AGAIN: Final = 3  # after this part of our patience
_GIVE_UP: Final = 10  # without any answer, after so much of it
_SECOND: Final = 1_000_000_000
_TICK_MS: Final = 500
_FEW_CELLS: Final = 4
_LOOK: Final = 400_000_000  # ns
_CROWDED: Final = 0.3


Processes: TypeAlias = "Sequence[Mapping[str, Any]]"


@dataclass(frozen=True)
class Machine:
    """What every guest of a run is: its kernel, its init, its clock, its memory in MiB."""

    kernel: Kernel
    program: tuple[str, ...]
    virtual: bool
    memory: int = 1024

    def boot(self, processor: int) -> Guest:
        """Start one on that processor. Raises LabError."""
        argv = command(self.kernel, self.program, virtual=self.virtual, memory=self.memory)
        return Guest(argv, surroundings(self.memory), Place(processor, not self.virtual))


@dataclass(frozen=True)
class _Doubt:
    """When a guest was asked (ns), and who computed when it was asked before."""

    asked: int
    suspects: Processes | None


class Seats:
    """Who computes where. A guest has one processor, and gets the next one when others crowd it
    out of its own: it cannot be moved by the scheduler.
    """

    def __init__(self, processors: Sequence[int]) -> None:
        self._processors = processors
        self._taken = 0
        self._guests: dict[Guest, _Seat] = {}

    def next(self) -> int:
        """A processor for one more guest, or for one that has to move."""
        self._taken += 1
        return self._processors[(self._taken - 1) % len(self._processors)]

    def take(self, guest: Guest) -> None:
        """Keep an eye on a guest that has just been started."""
        self._guests[guest] = _Seat(time.monotonic_ns(), 0)

    def look(self, guest: Guest, now: int) -> None:
        """Move the guest if it had to wait for its processor for much of the time since."""
        seat = self._guests[guest]
        if now - seat.looked < _LOOK:
            return
        delayed = guest.delayed()
        if delayed - seat.delayed > (now - seat.looked) * _CROWDED and len(self._processors) > 1:
            guest.move(self.next())
        self._guests[guest] = _Seat(now, delayed)


@dataclass(frozen=True)
class _Seat:
    """When a guest was looked at (ns), and for how long (ns) it had waited by then."""

    looked: int
    delayed: int


class Keeper:
    """The guests of one run. `boot` one early, then `run` an order, and `end` in any case."""

    def __init__(self, machine: Machine, lifeline: int, *, patience: float = PATIENCE) -> None:
        """`lifeline` is a descriptor whose other end the front holds; `patience` is in s."""
        self._machine = machine
        self._lifeline = lifeline
        self._patience = round(patience * _SECOND)
        self._guests: list[Guest] = []
        self._seats = Seats(_processors())
        self._doubts: dict[Guest, _Doubt] = {}

    def boot(self) -> None:
        """Start one more guest; it gets ready and waits. Raises LabError."""
        guest = self._machine.boot(self._seats.next())
        self._guests.append(guest)
        self._seats.take(guest)

    def run(self, order: Mapping[str, Any], cells: Sequence[str], *, cores: int) -> int:
        """Give every guest its share of the cells and wait for all to end. Raises LabError.

        `order` is what every guest is told: its `run` gets the clock and the share. Returns 0 when
        all did what they were told, else the highest exit code.
        """
        while len(self._guests) < share(len(cells), cores):
            self.boot()
        clock = "virtual" if self._machine.virtual else "guest"
        for index, guest in enumerate(self._guests):
            mine = list(cells[index :: len(self._guests)])
            guest.tell({**order, "run": {**order["run"], "clock": clock, "only": mine}})
        return max(self._wait(), default=0)

    def _wait(self) -> list[int]:
        """Listen to the guests until each has ended, or the front has; their exit codes."""
        poll = select.poll()
        poll.register(self._lifeline, 0)  # nothing but its end
        living = {guest.pidfd: guest for guest in self._guests}
        speaking = {guest.fileno(): guest for guest in self._guests}
        for fd in (*living, *speaking):
            poll.register(fd, select.POLLIN)
        codes = []
        while living:
            ready = [fd for fd, _ in poll.poll(_TICK_MS)]
            if self._lifeline in ready:
                return [FRONT_GONE]
            for fd in ready:
                guest = speaking[fd] if fd in speaking else living[fd]
                _pass_on(guest.listen())
                if fd in living:
                    del living[fd]
                    codes.append(_ended(guest))
                elif not guest.mute:
                    continue
                poll.unregister(fd)
            for guest in living.values():
                self._seats.look(guest, time.monotonic_ns())
                if self._machine.virtual:
                    self._watch(guest, time.monotonic_ns())
        return codes

    def _watch(self, guest: Guest, now: int) -> None:
        """A clock that stood still for too long: ask twice who computes; the same one is at fault.

        Programs that start compute, too, and a busy machine makes that long; but each of them ends.
        """
        still = now - guest.heard
        if still < self._patience:
            self._doubts.pop(guest, None)
            return
        doubt = self._doubts.get(guest)
        if doubt is None:
            self._ask(guest, now, None)
            return
        same = None if guest.runs is None else _in_both(doubt.suspects, guest.runs)
        if same is not None or still > self._patience * _GIVE_UP:
            self._condemn(guest, same)
        elif now - doubt.asked > self._patience // _ASK_AGAIN:
            self._ask(guest, now, doubt.suspects if guest.runs is None else guest.runs)

    def _ask(self, guest: Guest, now: int, suspects: Processes | None) -> None:
        self._doubts[guest] = _Doubt(now, suspects)
        guest.runs = None
        guest.ask()

    def _condemn(self, guest: Guest, culprits: Processes | None) -> None:
        seconds = (time.monotonic_ns() - guest.heard) / _SECOND
        print(standstill(seconds, culprits), file=sys.stderr, flush=True)
        guest.code = LabError.exit_code
        guest.kill()

    def end(self) -> None:
        """End every guest with all of its processes."""
        for guest in self._guests:
            guest.end()


def _processors() -> list[int]:
    """The processors that we may use, beginning with the one that the scheduler gave us."""
    ours = sorted(os.sched_getaffinity(0))
    here = ours.index(current_processor()) if current_processor() in ours else 0
    return ours[here:] + ours[:here]


def _pass_on(complaints: Sequence[str]) -> None:
    for line in complaints:
        print(line, file=sys.stderr, flush=True)


def _ended(guest: Guest) -> int:
    code = guest.kill()
    _pass_on(guest.listen())
    if guest.code is not None and (guest.up or guest.code == 0):
        return guest.code
    print(guest.obituary(code), file=sys.stderr, flush=True)
    return LabError.exit_code


def _in_both(before: Processes | None, now: Processes) -> Processes | None:
    """Who computed then and computes now; nobody twice is an answer, too; None is not."""
    if before is None:
        return None
    known = {process.get("pid") for process in before}
    same = [process for process in now if process.get("pid") in known]
    return same if same or not (now or before) else None


def standstill(seconds: float, runs: Processes | None) -> str:
    """The sentence for a guest whose clock stands still; `runs`: who computes there, if known."""
    if runs is None:
        who = "its processes could not be asked"
    elif not runs:
        who = "no process computes, so its kernel itself is stuck"
    else:
        who = f"{', '.join(map(_culprit, runs))} computed without sleeping"
    return (
        f"the guest was ended, because its virtual clock stood still for {seconds:.0f} s: {who}; "
        "a program that never sleeps cannot run with --warp, so run it with `--lab uml`"
    )


def _culprit(process: Mapping[str, Any]) -> str:
    where = str(process.get("output", ""))
    _, _, cell = where.partition("/cells/")
    prints = f", which prints to cells/{cell}" if cell else ""
    return f"{process.get('name')} (pid {process.get('pid')}{prints})"


def share(cells: int, cores: int) -> int:
    """How many guests to start: a guest has one processor, and starting one costs half a second."""
    return max(1, min(cores, cells // _FEW_CELLS))
