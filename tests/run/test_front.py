"""What is looked for before anything starts, and what is said when the sandbox has its own end."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.errors import LabError, RecordingError
from netdiag.recording import find
from netdiag.run.front import preflight, run_plan
from netdiag.run.reaper import why_not
from netdiag.run.runner import why
from netdiag.run.sandbox import sandbox
from netdiag.scenario import expand, loads
from tests.run.running import needs_lab

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdiag.recording import Recording
    from netdiag.scenario import Plan

FORBIDDEN = OSError(errno.EPERM, os.strerror(errno.EPERM))
USED_UP = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def plan(more: str = "") -> Plan:
    return expand(loads(f"name: front\nduration: 200ms\n{more}"))


@pytest.mark.parametrize(
    "more",
    [
        param("", id="the embedded server and the shipped client"),
        param("server: {binary: sh}", id="a server on PATH"),
        param("server: {binary: /bin/sh}", id="a server by its path"),
        param("client: {kind: exec, command: [sh, -c, exit]}", id="a client on PATH"),
    ],
)
def test_what_is_there_is_found(more: str) -> None:
    preflight(plan(more))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        param("server: {binary: no-such}", r"server\.binary: 'no-such'", id="a server"),
        param("server: {binary: /etc/passwd}", r"server\.binary", id="a server that is no program"),
        param("client: {kind: exec, command: [no-such]}", r"client\.command", id="a client"),
        param(
            "client: {kind: exec, command: [sh]}\n"
            "matrix: {client.command: [[sh], [no-such, b], [sh, c]]}",
            "'no-such'",
            id="a client of one cell among others",
        ),
    ],
)
def test_what_is_missing_is_named_and_leaves_nothing(tmp_path: Path, more: str, words: str) -> None:
    with pytest.raises(LabError, match=words) as caught:
        run_plan(plan(more), out=tmp_path / "out", jobs=1, follow=lambda _: None)
    assert "cannot be found; " in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("switches", "root", "err", "words"),
    [
        param(
            {"user/max_user_namespaces": "0"},
            False,
            USED_UP,
            "user namespaces are switched off here (user.max_user_namespaces=0), so no lab can be "
            "made; allow them with `sysctl -w user.max_user_namespaces=15000`, "
            "or run netdiag as root",
            id="none allowed",
        ),
        param(
            {"kernel/apparmor_restrict_unprivileged_userns": "1", "user/max_user_namespaces": "9"},
            False,
            FORBIDDEN,
            "(kernel.apparmor_restrict_unprivileged_userns=1)",
            id="AppArmor",
        ),
        param(
            {"kernel/unprivileged_userns_clone": "0"},
            False,
            FORBIDDEN,
            "`sysctl -w kernel.unprivileged_userns_clone=1`",
            id="Debian's switch",
        ),
        param(
            {"user/max_net_namespaces": "0", "user/max_user_namespaces": "0"},
            True,
            USED_UP,
            "namespaces are switched off here (user.max_net_namespaces=0), so no lab can be made; "
            "allow them with `sysctl -w user.max_net_namespaces=15000`",
            id="root is bound by fewer",
        ),
        param({}, False, USED_UP, "the limit of namespaces is used up here", id="too many"),
        param(
            {"user/max_user_namespaces": "9"},
            False,
            FORBIDDEN,
            "makes no namespaces (Operation not permitted)",
            id="a container",
        ),
    ],
)
def test_why_there_are_no_namespaces(
    tmp_path: Path, switches: Mapping[str, str], root: bool, err: OSError, words: str
) -> None:
    for name, value in switches.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(value + "\n")
    said = why_not(err, root=root, proc=tmp_path)
    assert words.replace("makes no", "lets us make no") in said
    assert said.endswith("or run netdiag as root") is ("allow them" in said and not root)


@pytest.mark.parametrize(
    ("err", "words"),
    [
        param(LabError("said so"), "said so", id="a sentence stays one"),
        param(USED_UP, "nothing more can be recorded (No space left on device)", id="full"),
        param(FORBIDDEN, "the system refused what the cell needs: Operation not", id="refused"),
        param(KeyError("x"), "netdiag itself failed (KeyError: 'x'); please report", id="a fault"),
    ],
)
def test_why_a_cell_cannot_go_on(err: Exception, words: str) -> None:
    assert words in why(err)


@needs_lab
def test_a_run_gives_a_recording_and_tells_who_follows(tmp_path: Path) -> None:
    seen: list[Recording] = []
    result = run_plan(plan(), out=tmp_path, jobs=1, follow=seen.append)
    assert (result.code, result.complaints, result.stopped) == (0, (), None)
    assert find(tmp_path / "front") == result.recording
    assert set(seen) == {result.recording}
    assert not (result.recording.root / "scratch").exists()


@needs_lab
def test_who_follows_may_fail_without_the_run(tmp_path: Path) -> None:
    def fail(_: Recording) -> None:
        raise BrokenPipeError

    result = run_plan(plan(), out=tmp_path, jobs=1, follow=fail)
    assert result.code == 0
    assert b'"what":"cell","outcome":"ok"' in result.recording.cell("front").events.read_bytes()


@needs_lab
def test_a_sandbox_without_an_order_ends_with_its_context() -> None:
    with sandbox() as box:
        box.wait_until_ready()
        assert box.poll() is None
    assert box.poll() == 130
    assert box.complaints() == ()


@needs_lab
def test_a_plan_that_cannot_be_read_is_the_sandboxs_complaint(tmp_path: Path) -> None:
    with sandbox() as box:
        box.wait_until_ready()
        box.begin(tmp_path, 1)
        with pytest.raises(RecordingError):
            find(tmp_path)
        while box.poll() is None:
            os.waitid(os.P_PIDFD, box.pidfd, os.WEXITED | os.WNOWAIT)
        assert box.poll() == RecordingError.exit_code
        [complaint] = box.complaints()
    assert complaint.endswith("plan.json: cannot be read: No such file or directory")
