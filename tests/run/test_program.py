"""Signals to a program that somebody else started: an order counts when its effect was seen."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from netdiag.process import Stranger, fork
from netdiag.recording import read_events
from netdiag.run import program
from netdiag.run.program import Program, own_group
from netdiag.run.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def sleeper() -> int:
    time.sleep(60)
    return 0


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


def told(of: Stranger, path: Path, *names: str) -> list[tuple[str, object]]:
    """What is recorded of these signals: the outcome, and the state or the reason."""
    recorder = Recorder(path)
    sent = Program("server.app", of, recorder, lambda: of)
    for name in names:
        sent.send("ice", name)
    return [(one.outcome, one.data.get("state") or one.data.get("reason"))
            for one in read_events(path)]


def test_a_strangers_stop_its_going_on_and_its_end_are_seen(tmp_path):
    with stranger() as them:
        stopped, goes_on, ended = told(
            them, tmp_path / "events.jsonl", "SIGSTOP", "SIGCONT", "SIGKILL"
        )
    assert stopped == ("ok", "T (stopped)")
    assert goes_on[0] == "ok"
    assert ended == ("ok", "ended: SIGKILL")


@pytest.mark.parametrize("name", ["SIGSTOP", "SIGKILL"])
def test_a_signal_whose_effect_was_not_seen_has_failed(tmp_path, monkeypatch, name):
    """As on a machine so busy, or in a system call so long, that half a second is too short."""
    monkeypatch.setattr(program, "_WITNESSED", 0.05)
    monkeypatch.setattr(os, "killpg", lambda pid, number: None)
    with stranger() as them:
        ((outcome, reason),) = told(them, tmp_path / "events.jsonl", name)
        assert them.poll() is None
    assert outcome == "fail"
    assert str(reason).startswith("no effect was seen, the program is still ")
