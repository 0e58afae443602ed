"""`netdiag warp`: which kernels there are, what a build lacks, and removing them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from netdiag.cli.warp import command
from netdiag.errors import LabError
from netdiag.lab.uml.kernels import NAMED, Kernel, digest, host_tick, keep

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(NAMED, raising=False)


def warp(*words: str) -> tuple[object, str]:
    made = CliRunner().invoke(command, list(words), standalone_mode=False)
    if made.exception is not None:
        raise made.exception
    return made.return_value, made.output


def kept(tmp_path: Path) -> Kernel:
    raw = tmp_path / "raw"
    raw.write_text("#!/bin/sh\n")
    return keep(Kernel(raw, "6.1.9", host_tick(), digest(), "a test"))


def test_without_a_kernel_status_says_how_to_build_one() -> None:
    code, said = warp("status")
    assert code == LabError.exit_code
    assert "build it once with `netdiag warp build`" in said


def test_status_marks_the_kernel_that_a_run_takes(tmp_path: Path) -> None:
    kernel = kept(tmp_path)
    code, said = warp("status")
    assert code == 0
    assert f"* {kernel.path}\n    6.1.9, {host_tick()} Hz; a test" in said


def test_status_as_json(tmp_path: Path) -> None:
    kernel = kept(tmp_path)
    code, said = warp("status", "--json")
    told = json.loads(said)
    assert (code, told["taken"], told["tick"]) == (0, str(kernel.path), host_tick())
    assert [row["current"] for row in told["kernels"]] == [True]


def test_remove_takes_every_kernel(tmp_path: Path) -> None:
    kernel = kept(tmp_path)
    assert warp("remove") == (0, f"removed {kernel.path}\n")
    assert not kernel.path.exists()
    assert warp("remove")[1].startswith("no kernel is under ")


def test_a_build_names_all_that_is_missing_and_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LabError) as caught:
        warp("build", "--source", str(tmp_path / "none"))
    said = str(caught.value)
    assert "without gcc, make, flex, bison, bc, tar, xz, strip; install them with\n" in said
    assert "sudo apt-get install -y linux-source flex bison bc gcc make" in said
    assert "none: no such file or directory" in said
