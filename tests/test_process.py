from __future__ import annotations

import ast
import os
import select
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag import process
from netdiag.process import CLONE_NEWNET, CLONE_NEWUSER, Child, become, fork, how_it_ended
from tests.run.running import needs_lab, until

if TYPE_CHECKING:
    from collections.abc import Callable


def ends(pidfd: int, seconds: float = 5) -> bool:
    return bool(select.select([pidfd], [], [], seconds)[0])


def sleeper() -> int:
    signal.pause()
    return 0


def with_privileges(main: Callable[[], int]) -> int:
    """Run `main` in a forked child that may make namespaces; its exit code."""

    def inside() -> int:
        if os.getuid() != 0:
            process.unshare(CLONE_NEWUSER)
        return main()

    return fork(inside, "privileged").wait()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        param(0, "code 0", id="well"),
        param(3, "code 3", id="a code"),
        param(-9, "SIGKILL", id="a signal with a name"),
        param(-11, "SIGSEGV", id="a crash"),
        param(-63, "signal 63", id="a signal without a name"),
    ],
)
def test_an_end_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words


def test_a_child_returns_what_its_main_returns() -> None:
    child = fork(lambda: 42, "answer")
    assert (child.wait(), child.wait(), child.poll()) == (42, 42, 42)
    child.kill()  # one that has ended is left alone


def test_a_child_is_polled_by_its_pidfd_and_killed_by_it() -> None:
    child = fork(sleeper, "sleeper")
    assert child.poll() is None
    assert not ends(child.pidfd, 0)
    child.kill(signal.SIGTERM)
    assert ends(child.pidfd)
    assert child.wait() == -signal.SIGTERM


def test_an_exception_is_the_childs_last_word(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> int:
        raise RuntimeError("it broke")

    assert fork(fails, "fails").wait() == 1
    assert "RuntimeError: it broke" in capfd.readouterr().err


def test_a_child_collected_by_somebody_else_has_no_code_of_its_own() -> None:
    child = fork(lambda: 7, "lost")
    os.waitpid(child.pid, 0)
    assert child.wait() == 255


def test_ps_shows_the_name_cut_to_what_the_kernel_keeps() -> None:
    child = fork(sleeper, "a name that is too long")
    comm = Path(f"/proc/{child.pid}/comm")
    assert until(lambda: comm.read_text() == "a name that is \n", 5)
    child.kill()
    assert child.wait() == -signal.SIGKILL


def test_a_child_dies_with_the_process_that_made_it() -> None:
    reading, writing = os.pipe()

    def parent() -> int:
        grandchild = fork(sleeper, "grandchild")
        os.write(writing, b"%d" % grandchild.pid)
        return sleeper()

    child = fork(parent, "parent")
    grandchild = os.pidfd_open(int(os.read(reading, 20)))
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert ends(grandchild)


def run_program(
    tmp_path: Path, *argv: str, keep: tuple[int, ...] = (), **env: str
) -> tuple[int, str]:
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)

    def main() -> int:
        return become(
            argv, env={"PATH": os.environ["PATH"], **env}, log=log, keep=keep, cwd=str(tmp_path)
        )

    code = fork(main, "program").wait()
    os.close(log)
    return code, (tmp_path / "log").read_text()


def test_a_program_gets_its_environment_its_directory_and_no_input(tmp_path: Path) -> None:
    code, said = run_program(tmp_path, "sh", "-c", 'echo "$WHO"; pwd; cat; echo oops >&2', WHO="me")
    assert (code, said) == (0, f"me\n{tmp_path}\noops\n")


def test_a_program_gets_the_descriptors_that_are_kept_and_no_others(tmp_path: Path) -> None:
    reading, kept = os.pipe()
    other = os.dup(reading)
    show = f"import os; print(os.listdir('/proc/self/fd')); os.write({kept}, b'hi')"
    code, said = run_program(tmp_path, sys.executable, "-c", show, keep=(kept,))
    assert (code, os.read(reading, 100)) == (0, b"hi")
    assert str(other) not in ast.literal_eval(said)


def test_python_ignores_signals_that_a_program_must_not_ignore(tmp_path: Path) -> None:
    show = "import signal as s; print([s.getsignal(n) == s.SIG_IGN for n in (s.SIGINT, s.SIGTERM)])"
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert run_program(tmp_path, sys.executable, "-c", show) == (0, "[False, False]\n")
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        param("no-such-program", "No such file or directory", id="missing"),
        param("/etc/passwd", "Permission denied", id="not executable"),
        param("/", "Permission denied", id="a directory"),
    ],
)
def test_a_program_that_cannot_be_run_says_why_in_its_log(
    tmp_path: Path, program: str, reason: str
) -> None:
    assert run_program(tmp_path, program) == (127, f"{program}: cannot be run: {reason}\n")


def test_system_calls_raise_what_they_report() -> None:
    with pytest.raises(OSError, match="mount nonsense on /nowhere"):
        process.mount("none", "/nowhere", "nonsense")
    with pytest.raises(OSError, match="Bad file descriptor"):
        process.setns(-1, CLONE_NEWNET)


@needs_lab
def test_a_network_namespace_is_entered_and_left(tmp_path: Path) -> None:
    def main() -> int:
        def here() -> str:
            return str(Path("/proc/self/ns/net").readlink())

        process.unshare(CLONE_NEWNET)
        home = here()
        made = process.new_network_namespace()
        assert here() == home
        with process.inside_network(made):
            assert here() != home
        assert here() == home
        with pytest.raises(ZeroDivisionError), process.inside_network(made):
            1 / 0  # noqa: B018
        assert here() == home
        return 0

    assert with_privileges(main) == 0


@needs_lab
def test_what_is_forked_apart_takes_everything_with_it() -> None:
    def main() -> int:
        reading, writing = os.pipe()

        def apart() -> int:
            assert os.getpid() == 1
            leaf = os.fork()
            if leaf == 0:
                os.setsid()
                os.write(writing, b"x")
                signal.pause()
            return sleeper()

        child = process.fork_apart(apart, "apart")
        beside = fork(lambda: 0 if os.getpid() != 1 else 1, "beside")
        os.close(writing)
        assert os.read(reading, 1) == b"x"
        child.kill()
        assert child.wait() == -signal.SIGKILL
        assert os.read(reading, 1) == b""  # nobody holds the other end any more
        return beside.wait()

    assert with_privileges(main) == 0


def test_a_child_is_a_value() -> None:
    one, same = Child(1, 2, "a"), Child(1, 2, "a")
    assert one == same
    with pytest.raises(AttributeError):
        one.pid = 3  # type: ignore[misc]


def test_a_stranger_is_watched_and_no_signal_is_meant_for_it() -> None:
    child = fork(sleeper, "sleeper")
    stranger = process.Stranger(child.pid, os.pidfd_open(child.pid), "them", code=lambda: 42)
    stranger.kill()
    assert (stranger.poll(), child.poll()) == (None, None)
    child.kill()
    assert stranger.wait() == 42
    assert stranger.poll() == 42
    os.close(stranger.pidfd)


@needs_lab
def test_what_is_forked_into_a_pid_namespace_is_our_child_and_lives_there() -> None:
    def main() -> int:
        first = process.fork_apart(sleeper, "first")
        space = os.open(f"/proc/{first.pid}/ns/pid", os.O_RDONLY)

        def within() -> int:
            return 7 if os.getpid() == 2 else 1

        second = process.fork_into(space, within, "second")
        beside = fork(lambda: 0 if os.getpid() > 2 else 1, "beside")
        return 0 if (second.wait(), beside.wait()) == (7, 0) else 1

    assert with_privileges(main) == 0
