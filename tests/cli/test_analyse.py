"""`netdiag analyse`: what it takes, what it prints, how it exits; hostile and broken captures."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest import param
from rich.console import Console

from netdiag.cli.analyse import command, is_recording
from netdiag.cli.captures import when
from netdiag.cli.reading import WORTH, reading
from netdiag.errors import NetdiagError, RecordingError, ScenarioError
from netdiag.tcp.blocks import interface_block, packet_block, section_header

if TYPE_CHECKING:
    from click.testing import Result

HERE = Path(__file__).parent.parent
CAPTURES = HERE / "captures"
TAPES = HERE / "analysis" / "tapes"
BUSY = CAPTURES / "busy.pcap"


def analyse(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(
        command, [str(one) for one in arguments], input=stdin, env={"COLUMNS": "100"},
        standalone_mode=False,
    )  # fmt: skip


def code(result: Result) -> int:
    """The exit code that netdiag gives: an error's own, or what the command returns."""
    if isinstance(result.exception, NetdiagError):
        return result.exception.exit_code
    assert result.exception is None, result.exception
    return int(result.return_value)


def test_explains_a_capture() -> None:
    result = analyse(BUSY)
    assert code(result) == 0
    words = " ".join(result.stdout.split())
    assert "Findings: 1 high" in words
    assert "HIGH black-hole connection 0: 127.0.0.1:53270 -> 127.0.0.1:5001" in words
    assert result.stderr == ""


def test_a_healthy_capture_has_no_findings() -> None:
    assert "Findings: none" in analyse(CAPTURES / "ka_ok.pcap").stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        param([BUSY], 0, id="findings alone do not fail"),
        param([BUSY, "--fail-on", "black-hole"], 1, id="the rule was found"),
        param([BUSY, "--fail-on", "any"], 1, id="any rule was found"),
        param([BUSY, "--fail-on", "refused"], 0, id="another rule"),
        param([BUSY, "--fail-on", "refused", "--fail-on", "black-hole"], 1, id="one of two"),
        param([CAPTURES / "ka_ok.pcap", "--fail-on", "any"], 0, id="nothing was found"),
        param([BUSY, "--json", "--fail-on", "black-hole"], 1, id="as JSON, too"),
        param([BUSY, "--until", "0.5s", "--fail-on", "any"], 0, id="not in that time"),
        param([BUSY, "--port", "6379", "--fail-on", "any"], 0, id="not on that port"),
        param([BUSY, "--host", "127.0.0.1", "--fail-on", "any"], 1, id="that host"),
        param([BUSY, "--host", "10.0.0.0/8", "--fail-on", "any"], 0, id="not in that network"),
        param([BUSY, "--fail-on", "black-holes"], 64, id="no such rule"),
        param([BUSY, "--host", "redis.example"], 64, id="no address"),
        param([BUSY, "--since", "yesterday"], 64, id="no time"),
        param([BUSY, "--flow", "7"], 64, id="no such connection"),
        param([BUSY, "--json", "--csv"], 64, id="two formats"),
        param(["no-such-file.pcap"], 64, id="no such file"),
        param([Path(__file__)], 64, id="no capture"),
        param([HERE / "cli"], 64, id="a directory without captures"),
        param([CAPTURES, "--flow", "0"], 64, id="a flow of many captures"),
    ],
)
def test_exit_codes(arguments: list[str | Path], expected: int) -> None:
    result = analyse(*arguments)
    assert code(result) == expected
    if expected == 64:
        assert str(result.exception)
        assert "Traceback" not in result.output


def test_one_connection_has_a_timeline() -> None:
    result = analyse(BUSY, "--flow", "0")
    words = " ".join(result.stdout.split())
    assert "longest silence" in words
    assert "#7 client tail loss probe, 17 bytes" in words
    assert "rto retransmission (step 1)" in words
    assert "left out" in words


def test_json_is_one_object_a_capture() -> None:
    told = json.loads(analyse(BUSY, "--json").stdout)
    assert (told["version"], told["kind"], told["format"]) == (1, "capture", "pcap")
    assert [one["rule"] for one in told["findings"]] == ["black-hole"]
    (only,) = told["connections"]
    assert only["client"]["chain"]["steps"] == 15
    assert "rows" not in told
    rows = json.loads(analyse(BUSY, "--json", "--flow", "0").stdout)["rows"]
    assert {"rto_retransmission", "tail_loss_probe"} <= {row["label"] for row in rows}


def test_a_directory_of_captures_is_told_one_by_one(tmp_path: Path) -> None:
    for name in ("busy.pcap", "refused.pcap"):
        shutil.copy(CAPTURES / name, tmp_path)
    (tmp_path / "ka_ok.pcap.gz").write_bytes(gzip.compress((CAPTURES / "ka_ok.pcap").read_bytes()))
    (tmp_path / "notes.txt").write_text("no capture")
    (tmp_path / "broken.pcap").write_bytes(b"not a capture at all")
    result = analyse(tmp_path)
    assert code(result) == 64
    assert "broken.pcap" in result.stderr
    assert result.stdout.count("Findings:") == 3
    told = json.loads(analyse(tmp_path, "--json").stdout)
    assert told["kind"] == "captures"
    rules = [[one["rule"] for one in capture["findings"]] for capture in told["captures"]]
    assert rules == [["black-hole"], [], ["refused"]]
    table = list(csv.DictReader(io.StringIO(analyse(tmp_path, "--csv").stdout)))
    assert len({row["source"] for row in table}) == 3
    assert [row["findings"] for row in table] == ["black-hole", "", "refused"]


def test_a_file_that_cannot_be_read_is_no_success(tmp_path: Path) -> None:
    shutil.copy(CAPTURES / "ka_ok.pcap", tmp_path)
    assert code(analyse(tmp_path, "--fail-on", "any")) == 0
    (tmp_path / "none.pcap").write_bytes(b"")
    for options in (["--fail-on", "any"], ["--json"], []):
        result = analyse(tmp_path, *options)
        assert code(result) == 64
        assert "none.pcap: neither pcap nor pcapng: the file is empty" in result.stderr
    shutil.copy(BUSY, tmp_path)
    assert code(analyse(tmp_path, "--fail-on", "any")) == 1
    assert "could not be read" in " ".join(analyse("--help").stdout.split())


def test_a_directory_that_holds_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "broken.pcap").write_bytes(b"no")
    (tmp_path / "other.pcap").write_bytes(b"no")
    result = analyse(tmp_path)
    assert code(result) == 64
    assert "none of its 2 files could be read" in str(result.exception)


def test_both_ends_of_a_tape_are_told() -> None:
    result = analyse(TAPES / "zombie.pcapng", "--fail-on", "zombie-consumer")
    assert code(result) == 1
    assert "client's end of the cable" in result.stdout
    assert "server's end of the cable" in result.stdout
    alone = analyse(TAPES / "zombie.pcapng", "--interface", "client", "--fail-on", "any")
    assert code(alone) == 0


def test_reads_standard_input() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from netdiag.cli import main; main()", "analyse", "-", "--json"],
        input=BUSY.read_bytes(), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["source"] == "standard input"


def test_a_recording_is_judged_as_before(tmp_path: Path) -> None:
    (tmp_path / "run" / "latest").mkdir(parents=True)
    (tmp_path / "run" / "latest" / "plan.json").write_text("{}")
    assert is_recording(tmp_path / "run")
    assert is_recording(tmp_path / "run" / "latest")
    assert not is_recording(tmp_path)
    assert not is_recording(BUSY)
    assert not is_recording(Path("-"))
    result = analyse(tmp_path / "run")
    assert isinstance(result.exception, RecordingError)
    assert "plan" in str(result.exception)


@pytest.mark.parametrize("option", [["--port", "1"], ["--csv"], ["--top", "3"], ["--flow", "0"]])
def test_a_recording_takes_no_options_of_captures(tmp_path: Path, option: list[str]) -> None:
    (tmp_path / "plan.json").write_text("{}")
    result = analyse(tmp_path, *option)
    assert "is a recording" in str(result.exception)


def test_dates_and_times() -> None:
    assert when("--since", "90s") == 90.0
    assert isinstance(when("--since", "90s"), float)
    assert when("--since", "1970-01-01T00:00:01.5") == 1_500_000_000
    assert isinstance(when("--since", "1970-01-01T00:00:01"), int)
    assert when("--since", "1970-01-01T02:00:00+02:00") == 0
    with pytest.raises(ScenarioError, match="--until: 'noon' is neither"):
        when("--until", "noon")


def hostile_capture(path: Path, payload: bytes) -> Path:
    """A RESP command whose name is not what it should be, in a file with a name to match."""
    syn = bytes(12) + b"\x08\x00"
    blocks = section_header("\x1b]0;evil\x07") + interface_block("\x1b[31meth0\x1b[0m")
    command_bytes = b"*1\r\n$%d\r\n%s\r\n" % (len(payload), payload)
    client, server = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"

    def frame(to_server: bool, seq: int, ack: int, flags: int, data: bytes = b"") -> bytes:
        ends = (client, server) if to_server else (server, client)
        ports = (40000, 6379) if to_server else (6379, 40000)
        tcp = b"".join(port.to_bytes(2, "big") for port in ports)
        tcp += seq.to_bytes(4, "big") + ack.to_bytes(4, "big") + bytes([0x50, flags])
        tcp += b"\xff\xff\0\0\0\0" + data
        ip = b"\x45\0" + (20 + len(tcp)).to_bytes(2, "big") + b"\0\0\0\0\x40\x06\0\0"
        return syn + ip + ends[0] + ends[1] + tcp

    story = [
        frame(True, 1, 0, 0x02), frame(False, 1, 2, 0x12), frame(True, 2, 2, 0x10),
        frame(True, 2, 2, 0x18, command_bytes), frame(False, 2, 2 + len(command_bytes), 0x10),
    ]  # fmt: skip
    for number, one in enumerate(story):
        blocks += packet_block(0, 10**18 + number * 10**6, one, comment="\x1b[2J")
    path.write_bytes(blocks)
    return path


@pytest.mark.parametrize(
    "payload",
    [b"\x1b[31mBRPOP", b"\x07\x08\r\n", b"[red]GET[/red]", "\u202eGET".encode(), b"\xff\x9b2J"],
)
@pytest.mark.parametrize("options", [[], ["--flow", "0"], ["--csv"], ["--json"]])
def test_hostile_bytes_never_reach_the_terminal(
    tmp_path: Path, payload: bytes, options: list[str]
) -> None:
    path = hostile_capture(tmp_path / "a\x1b[31m.pcapng", payload)
    result = analyse(path, *options)
    assert code(result) == 0
    assert all(line.isprintable() for line in result.output.replace("\r\n", "\n").split("\n"))


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(at=st.integers(0, 2500), size=st.integers(0, 40), data=st.binary(max_size=40))
def test_damage_is_told_and_never_a_traceback(
    tmp_path: Path, at: int, size: int, data: bytes
) -> None:
    whole = BUSY.read_bytes()
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(whole[:at] + data + whole[at + size :])
    for options in ([], ["--flow", "0"], ["--json"]):
        assert code(analyse(broken, *options)) in (0, 64)


def test_a_bar_is_drawn_on_a_terminal_only() -> None:
    for size, terminal, drawn in ((WORTH, True, True), (None, True, True), (WORTH, False, False),
                                  (WORTH - 1, True, False)):  # fmt: skip
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal, width=100, _environ={})
        with reading("big.pcap", size, console) as tell:
            assert (tell is not None) == drawn
            if tell is not None:
                tell(WORTH // 2, WORTH, 100_000)
        assert ("big.pcap" in out.getvalue()) == drawn
        assert ("frames/s" in out.getvalue()) == drawn
