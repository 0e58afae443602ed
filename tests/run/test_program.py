"""Signals and new starts of a program: an order counts when its effect was seen."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.process import Stranger, fork
from netdiag.recording import read_events
from netdiag.run import program
from netdiag.run.program import Program, own_group
from netdiag.run.recorder import Recorder
from netdiag.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netdiag.process import Child


def sleeper() -> int:
    time.sleep(60)
    return 0


@contextmanager
def ours(main: Callable[[], int] = sleeper) -> Iterator[Child]:
    """A child of our own, as the client and the embedded server are."""
    child = fork(main, "sleeper")
    own_group(child)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        os.close(child.pidfd)


@contextmanager
def stranger() -> Iterator[Stranger]:
    """A process group of its own, watched as one that is not ours."""
    child = fork(sleeper, "sleeper")
    own_group(child)
    fd = os.pidfd_open(child.pid)
    try:
        yield Stranger(child.pid, fd, "them", code=lambda: 0)
    finally:
        child.kill()
        child.wait()
        os.close(fd)


def said(path: Path) -> list[tuple[str, object]]:
    """What is recorded: each outcome, and the state or the reason."""
    return [(one.outcome, one.data.get("state") or one.data.get("reason"))
            for one in read_events(path)]


def told(of: Child, path: Path, *names: str) -> list[tuple[str, object]]:
    """What is recorded of these signals."""
    sent = Program("server.app", of, Recorder(path), lambda: of)
    for name in names:
        sent.send("ice", name)
    return said(path)


def test_a_strangers_stop_its_going_on_and_its_end_are_seen(tmp_path):
    with stranger() as them:
        stopped, goes_on, ended = told(
            them, tmp_path / "events.jsonl", "SIGSTOP", "SIGCONT", "SIGKILL"
        )
    assert stopped == ("ok", "T (stopped)")
    assert goes_on[0] == "ok"
    assert ended == ("ok", "ended: code 0")  # what the stranger says of its end


@pytest.mark.parametrize("name", ["SIGSTOP", "SIGKILL"])
def test_a_signal_whose_effect_was_not_seen_has_failed(tmp_path, monkeypatch, name):
    """As on a machine so busy, or in a system call so long, that half a second is too short."""
    monkeypatch.setattr(program, "_WITNESSED", SECOND // 20)
    monkeypatch.setattr(os, "killpg", lambda pid, number: None)
    with stranger() as them:
        ((outcome, reason),) = told(them, tmp_path / "events.jsonl", name)
        assert them.poll() is None
    assert outcome == "fail"
    assert str(reason).startswith("no effect was seen, the program is still ")


@pytest.mark.parametrize(
    ("names", "last"),
    [
        param(["SIGCONT"], ("fail", "it was not stopped"), id="never frozen"),
        param(["SIGSTOP", "SIGCONT", "SIGCONT"], ("fail", "it was not stopped"), id="thawed twice"),
        param(["SIGSTOP", "SIGSTOP"], ("fail", "it was stopped already"), id="frozen twice"),
        param(["SIGSTOP", "SIGKILL"], ("ok", "ended: SIGKILL"), id="killed while frozen"),
        param(["SIGKILL", "SIGCONT"], ("fail", "it had ended before"), id="thawed when dead"),
    ],
)
def test_an_order_that_finds_nothing_to_do_has_failed_and_nobody_waits(
    tmp_path, names: Sequence[str], last: tuple[str, str]
) -> None:
    with ours() as child:
        assert told(child, tmp_path / "events.jsonl", *names)[-1] == last


def test_a_freeze_that_heals_on_what_was_started_meanwhile_has_failed(tmp_path) -> None:
    path = tmp_path / "events.jsonl"
    with ours() as first, ours() as second:
        sent = Program("server.app", first, Recorder(path), lambda: second)
        sent.send("ice", "SIGSTOP")
        sent.send("anew", "SIGKILL")
        sent.start_again("anew")
        sent.ended()
        sent.send("ice", "SIGCONT")
        assert second.poll() is None
    assert [outcome for outcome, _ in said(path)] == ["ok", "ok", "ok", "fail"]
    assert said(path)[-1] == ("fail", "it was not stopped")


def test_what_runs_is_not_started_again_now_or_later(tmp_path) -> None:
    """Two faults have killed it, and the first to heal has brought it back."""
    path = tmp_path / "events.jsonl"
    with ours() as child, ours() as second:
        runs = Program("server.app", child, Recorder(path), lambda: second)
        runs.start_again("kill")
        assert said(path) == [("fail", "what it should have started again was running")]
        runs.send("other", "SIGKILL")
        runs.ended()
        assert runs.child is child
        assert not runs.running


def leaves_on(number: int, code: int) -> Callable[[], int]:
    """A program that handles a signal by leaving with a code."""

    def main() -> int:
        signal.signal(number, lambda *_: os._exit(code))
        return sleeper()

    return main


def survives(number: int, later: int) -> Callable[[], int]:
    """A program to which a signal is nothing, and which another ends."""

    def main() -> int:
        signal.signal(later, lambda *_: os._exit(1))
        signal.signal(number, lambda *_: None)
        while True:
            sleeper()

    return main


@pytest.mark.parametrize(
    ("main", "name", "passes", "end", "by"),
    [
        param(sleeper, "SIGTERM", 100, None, "sig", id="died of it"),
        param(leaves_on(signal.SIGTERM, 0), "SIGTERM", 5, None, "sig", id="asked to end, it did"),
        param(leaves_on(signal.SIGUSR1, 3), "SIGUSR1", 0, None, "sig", id="its way to end"),
        param(survives(signal.SIGUSR1, signal.SIGUSR2), "SIGUSR1", 7, signal.SIGUSR2, None,
              id="a harmless one, and an end of its own later"),
        param(survives(signal.SIGTERM, signal.SIGUSR2), "SIGTERM", 31, signal.SIGUSR2, None,
              id="it would not end, and long afterwards it did"),
        param(survives(signal.SIGUSR1, signal.SIGUSR2), "SIGUSR1", 7, signal.SIGKILL, None,
              id="killed by somebody else"),
    ],
)
def test_an_end_is_the_faults_when_its_signal_explains_it(
    tmp_path, monkeypatch, main: Callable[[], int], name: str, passes: float,
    end: int | None, by: str | None,
) -> None:
    with ours(main) as child:
        if main is not sleeper:
            _until_handled(child, signal.Signals[name])
        sent = Program("client.app", child, Recorder(tmp_path / "events.jsonl"), lambda: child)
        sent.send("sig", name)
        if end is not None:
            child.kill(end)
        child.wait()
        late = time.monotonic_ns() + round(passes * SECOND)
        monkeypatch.setattr(program.time, "monotonic_ns", lambda: late)
        assert sent.ended_by == by


def _until_handled(child: Child, number: int) -> None:
    """Wait until the program has its handler for that signal."""
    caught = 0
    while not caught >> (number - 1) & 1:
        time.sleep(0.002)
        text = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")
        caught = int(text.partition("SigCgt:")[2].split()[0], 16)
