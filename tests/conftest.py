"""Fixtures that several folders share."""

from __future__ import annotations

import os
import pickle
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from netdiag.process import CLONE_NEWNET, CLONE_NEWUSER, fork, unshare

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@pytest.fixture
def in_sandbox() -> Callable[[Callable[[], T]], T]:
    """Run a function in a forked child with a network (and, if need be, a user) namespace of its
    own, and return what it returns; the test is skipped where none can be made.
    """
    return run_in_sandbox


def run_in_sandbox(main: Callable[[], T]) -> T:
    """See `in_sandbox`."""
    reading, writing = os.pipe()

    def child() -> int:
        os.close(reading)
        try:
            enter_namespaces()
        except OSError as err:
            said: tuple[str, object] = "skip", f"no namespace can be made here: {err}"
        else:
            said = outcome(main)
        with os.fdopen(writing, "wb") as out:
            pickle.dump(said, out)
        return 0

    running = fork(child, "sandbox")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        raw = pipe.read()
    code = running.wait()
    assert raw, f"the sandbox said nothing and ended with code {code}"
    how, what = pickle.loads(raw)
    if how == "skip":
        pytest.skip(what)
    if how == "failed":
        pytest.fail(what, pytrace=False)
    return what


def enter_namespaces() -> None:
    """Leave the machine's network for a new one. Raises OSError where that is not allowed."""
    uid, gid = os.getuid(), os.getgid()
    unshare(CLONE_NEWNET | (CLONE_NEWUSER if uid else 0))
    if uid:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")


def outcome(main: Callable[[], object]) -> tuple[str, object]:
    """What a function returned, or the story of its failure."""
    try:
        return "ok", main()
    except pytest.skip.Exception as skipped:
        return "skip", str(skipped)
    except BaseException:  # noqa: BLE001 - the test's failure travels to the parent as text
        return "failed", traceback.format_exc()
