"""What a person meets when something is missing, refuses, babbles, fills up or goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netdiag.process import (
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MS_PRIVATE,
    MS_REC,
    mount,
    unshare,
)
from tests.run.running import NETDIAG, TWO_CELLS, Done, Home, ended, needs_lab, until

pytestmark = needs_lab

ONE = """
name: one
{more}
workload: {{pattern: brpop, key: jobs}}
expect: {{detected_within: never}}
duration: {duration}
"""
BUSY = """
name: busy
workload:
  pattern: brpop
  key: jobs
  produce: [{at: 0s, rate: 400/s, count: 4000}]
duration: 10s
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def one(more: str = "", duration: str = "300ms") -> str:
    return ONE.format(more=more, duration=duration)


def client(*command: str) -> str:
    return f"client: {{kind: exec, command: {json.dumps(command)}}}"


def python(code: str) -> str:
    return client(sys.executable, "-c", code)


def assert_sentence(done: Done, *words: str) -> None:
    """One line on standard error, that names what went wrong; no traceback."""
    [line] = done.err.strip().splitlines()
    assert line.startswith("netdiag: ")
    for word in words:
        assert word in line, line


# what can be known before anything starts


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param(
            "server: {kind: redis, binary: no-such-server}",
            ("server.binary", "'no-such-server' cannot be found", "install it"),
            id="server",
        ),
        pytest.param(
            client("no-such-client", "--fast"),
            ("client.command", "'no-such-client' cannot be found", "install it"),
            id="client",
        ),
    ],
)
def test_a_missing_program_is_said_before_anything_starts(
    home: Home, more: str, words: tuple[str, ...]
) -> None:
    done = home.record(one(more))
    assert done.code == 3
    assert_sentence(done, *words)
    assert not home.out.exists()


def no_user_namespaces() -> None:
    """In the child: become an ordinary user whom a sysctl forbids user namespaces."""
    uid, gid = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"1000 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"1000 {gid} 1")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


def test_switched_off_user_namespaces_are_named_with_the_way_out(home: Home) -> None:
    done = home.record(one(), preexec_fn=no_user_namespaces)
    assert done.code == 3
    assert_sentence(
        done,
        "user.max_user_namespaces=0",
        "`sysctl -w user.max_user_namespaces=15000`",
        "or run netdiag as root",
    )
    assert not home.out.exists()


def test_modules_that_lie_about_are_not_ours(home: Home) -> None:
    for name in ("redis", "json", "pyroute2", "netdiag", "resource"):
        (home.root / "cwd" / f"{name}.py").write_text("raise SystemExit('not yours')")
    launcher = (sys.executable, "-P", *NETDIAG[1:])
    process = subprocess.run(
        [*launcher, "run", home.write(TWO_CELLS), "--out", home.out, "--json"],
        cwd=home.root / "cwd",
        env=home.environment(),
        capture_output=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, b"")


# programs that do not do what they should


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param(
            "server: {kind: redis, config: {maxmemory: a-lot}}",
            ("the server ended (code 1)", "argument must be a memory value", "logs/server.log"),
            id="server refuses its configuration",
        ),
        pytest.param(
            python("raise SystemExit('no queue for me')"),
            ("client ended with code 1 before its first call", "no queue for me"),
            id="client crashes at once",
        ),
        pytest.param(
            python("import os; os.kill(os.getpid(), 11)"),
            ("client ended with code -11 before its first call",),
            id="client is killed at once",
        ),
        pytest.param(
            python(
                "import os; fd = int(os.environ['NETDIAG_EVENTS'])\n"
                "while True: os.write(fd, b'\\x1b[2J\\xff{]' * 999 + b'\\n')"
            ),
            ("the client never said what it does", "x1b[2J"),
            id="client says garbage",
        ),
        pytest.param(
            python("print('\\033[2Jhello' * 9, flush=True); input()"),
            ("before its first call", "EOFError"),
            id="client wants to be talked to",
        ),
        pytest.param(
            client("sleep", "60"),
            ("the client said nothing of a call", "the contract"),
            id="client says nothing",
        ),
        pytest.param(
            client("/etc/passwd"),
            ("cannot be found",),
            id="client is no program",
        ),
    ],
)
def test_a_program_that_fails_makes_its_cell_unknown(
    home: Home, more: str, why: tuple[str, ...]
) -> None:
    done = home.record(one(more))
    if "/etc/passwd" in more:
        assert done.code == 3
        return
    assert (done.code, done.err.count("Traceback")) == (2, 0)
    assert "\x1b" not in done.out + done.err
    [cell] = home.cells().values()
    told = " ".join(cell["unknown"])
    for words in why:
        assert words in told


def test_cells_that_are_not_begun_because_of_another_are_told_with_the_way_out(home: Home) -> None:
    text = (
        "name: x\nduration: 200ms\nworkload: {key: jobs}\n"
        "matrix: {server.config.maxmemory: [nonsense, 1mb, 2mb]}\n"
    )
    done = home.record(text, "--jobs", "1")
    assert done.code == 2
    assert "=nonsense could not be run to its end, so 2 more were not begun; --keep" in done.err
    assert "not begun" not in home.record(text, "--jobs", "1", "--keep-going").err


def test_a_file_that_cannot_be_executed_says_so(home: Home) -> None:
    program = home.root / "app"
    program.write_bytes(b"\x7fELF but not really")
    program.chmod(0o755)
    done = home.record(one(client(str(program))))
    [cell] = home.cells().values()
    assert done.code == 2
    assert f"{program}: cannot be run: Exec format error" in " ".join(cell["unknown"])


def test_a_cell_ends_at_once_when_its_client_never_got_to_work(home: Home) -> None:
    done = home.record(one(python("raise SystemExit(3)"), duration="1h"))
    assert done.code == 2


def test_what_a_client_leaves_behind_ends_with_its_cell(home: Home) -> None:
    spawn = "import subprocess as s; s.Popen(['sleep', '600'], env={}, start_new_session=True)"
    before = set(sleepers())
    assert home.record(one(python(spawn))).code == 2
    assert until(lambda: not set(sleepers()) - before, 2)


def sleepers() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (entry / "cmdline").read_bytes() == b"sleep\x00600\x00":
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def test_a_client_that_babbles_does_not_fill_the_disk(home: Home) -> None:
    done = home.record(one(client("yes"), duration="10m"))
    assert done.code == 2
    [log] = home.out.glob("*/2*/cells/*/logs/client.log")
    assert log.stat().st_size == 64 << 20


# the disk and the directory


def test_a_place_that_takes_no_recording_is_said(home: Home) -> None:
    home.out.write_text("a file, not a directory")
    done = home.record(one())
    assert done.code == 64
    [line] = done.err.strip().splitlines()[-1:]
    assert "is a file" in line
    below = home.run("run", home.write(one()), "--out", home.out / "below")
    assert below.code == 64
    assert_sentence(below, "cannot write a recording", "Not a directory", "--out")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_said(home: Home) -> None:
    home.out.mkdir(mode=0o500)
    done = home.record(one())
    assert done.code == 64
    assert_sentence(done, "cannot write a recording", "Permission denied", "--out")


def on_a_small_disk(home: Home, scenario: str, size: str) -> list[str]:
    """Run and report with `out` on a tmpfs of that size; the lines that the two printed."""

    def private_disk() -> None:
        uid, gid = os.getuid(), os.getgid()
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        mount("tmpfs", str(home.out), "tmpfs", 0, f"size={size}")

    home.out.mkdir()
    file, run = home.write(scenario), " ".join(f"'{word}'" for word in NETDIAG)
    script = (
        f"{run} run {file} --out {home.out} >run.out 2>run.err; echo run $?; cat run.err;"
        f"{run} report {home.out}/busy >report.out 2>&1; echo report $?; tail -4 report.out;"
        f"ls -A {home.out}/busy | grep -v latest"
    )
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=home.root / "cwd",
        env=home.environment(),
        preexec_fn=private_disk,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_disk_that_is_full_at_the_start_is_one_sentence(home: Home) -> None:
    lines = on_a_small_disk(home, BUSY + f"about: {'long ' * 1000}", "4k")
    assert lines[0] == "run 64"
    assert "cannot write a recording" in lines[1]
    assert "No space left on device; make room" in lines[1]
    assert lines[2] == "report 64"
    assert len(lines) == 4  # and no half recording lies there


@pytest.mark.parametrize("size", ["48k", "200k"])
def test_a_disk_that_fills_up_ends_the_cell_and_keeps_what_there_is(home: Home, size: str) -> None:
    lines = on_a_small_disk(home, BUSY, size)
    at = lines.index("report 2")
    assert lines[0] == "run 2"
    told = lines[1:at]
    assert any("nothing more can be recorded (No space left on device)" in line for line in told)
    assert not any("Traceback" in line for line in told)
    assert any("busy: UNKNOWN" in line for line in lines[at:])


# a person, a terminal or a supervisor that goes away


MOMENTS = {
    "cell": lambda home: home.events("one"),
    "cut": lambda home: b'"what":"fault","outcome":"start"' in home.events("one"),
    "end": lambda home: b'"what":"cell","outcome":"ok"' in home.events("one"),
}


@pytest.mark.parametrize("moment", ["cell", "cut"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_shows_what_it_has(
    home: Home, moment: str, number: int, code: int
) -> None:
    with home.start("run", home.write(TWO_CELLS), "--out", home.out) as process:
        assert until(lambda: MOMENTS[moment](home), 20)
        os.killpg(process.pid, number)
        done = ended(process, 5)
    assert done.code == code
    assert "netdiag: interrupted; this is what was recorded until then" in done.err
    assert "Traceback" not in done.err
    assert "the cell was interrupted before its end" in done.out
    assert home.report().code == 2
    assert not home.processes()


@pytest.mark.parametrize("later", [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
def test_ctrl_c_is_quiet_while_netdiag_starts(home: Home, later: float) -> None:
    with home.start("run", home.write(TWO_CELLS), "--out", home.out) as process:
        assert until(lambda: len(home.processes()) > 1, 20)  # the sandbox starts first of all
        until(lambda: False, later)  # any time will do, and each is another place in the start
        os.killpg(process.pid, signal.SIGINT)
        done = ended(process, 5)
        assert until(lambda: not home.processes(), 2)
    assert done.code == 130
    assert "netdiag: interrupted" in done.err
    assert "Traceback" not in done.err


def test_ctrl_c_while_the_report_is_made_leaves_the_recording(home: Home) -> None:
    with home.start("run", home.write(TWO_CELLS), "--out", home.out) as process:
        assert until(
            lambda: MOMENTS["end"](home) and not home.processes().keys() - {process.pid}, 20
        )
        os.killpg(process.pid, signal.SIGINT)
        done = ended(process, 5)
    assert done.code in (130, 0)  # it may have been done already
    assert "Traceback" not in done.err
    assert home.report().code == 0


def test_ctrl_c_is_not_for_a_run_that_was_told_to_ignore_it(home: Home) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with home.start("run", home.write(TWO_CELLS), "--out", home.out, preexec_fn=ignore) as process:
        assert until(lambda: MOMENTS["cell"](home), 20)
        os.killpg(process.pid, signal.SIGINT)
        assert ended(process).code == 0


def test_a_terminal_that_goes_away_takes_the_run_along(home: Home) -> None:
    with home.start("run", home.write(TWO_CELLS), "--out", home.out) as process:
        assert until(lambda: MOMENTS["cut"](home), 20)
        os.killpg(process.pid, signal.SIGHUP)
        assert ended(process, 5).code == -signal.SIGHUP
    assert until(lambda: not home.processes(), 2)
    assert home.report().code == 2


@pytest.mark.parametrize("stream", ["stdout", "stderr", "both"])
def test_a_reader_that_goes_away_ends_no_run(home: Home, stream: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    pipes = {"stdout": writing, "stderr": writing} if stream == "both" else {stream: writing}
    done = home.record(TWO_CELLS, **pipes)
    os.close(writing)
    assert done.code in {"stdout": (141,), "stderr": (0,), "both": (0, 141)}[stream]
    assert "Traceback" not in done.err
    assert home.report().code == 0
    [analysis] = home.out.glob("two/2*/analysis.json")
    assert json.loads(analysis.read_text())["outcome"] == "PASS"


def test_standard_streams_may_be_closed(home: Home) -> None:
    def close() -> None:
        os.closerange(0, 3)

    assert home.record(TWO_CELLS, preexec_fn=close, stdout=None, stderr=None).code == 0
    assert home.report().code == 0


def test_a_full_disk_behind_the_output_is_said(home: Home) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = home.record(TWO_CELLS, stdout=full)
    assert done.code == 74
    assert "No space left on device" in done.err
    assert home.report().code == 0
