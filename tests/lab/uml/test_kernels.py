"""The cache of kernels: kept by version, tick and configuration; a run takes one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netdiag.errors import LabError
from netdiag.lab.uml import kernels
from netdiag.lab.uml.kernels import NAMED, Kernel, choose, digest, home, host_tick, keep, remove

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(NAMED, raising=False)
    return tmp_path


def built(tmp_path: Path, version: str = "6.1.1", hz: int = 250, config: str = "") -> Kernel:
    raw = tmp_path / "raw"
    raw.write_text(f"#!/bin/sh\necho {version}\n")
    return Kernel(raw, version, hz, config or digest(), "a test")


def test_what_is_kept_is_found_again_and_can_be_run(tmp_path: Path) -> None:
    kept = keep(built(tmp_path))
    assert kernels.kernels() == (kept,)
    assert kept.path == home() / f"6.1.1-hz250-{digest()}" / "linux"
    assert kept.path.stat().st_mode & 0o777 == 0o755
    assert choose() == kept


def test_the_same_version_tick_and_configuration_replace_each_other(tmp_path: Path) -> None:
    keep(built(tmp_path))
    again = keep(Kernel(built(tmp_path).path, "6.1.1", 250, digest(), "another build"))
    assert kernels.kernels() == (again,)


def test_todays_configuration_comes_first_and_then_the_hosts_tick(tmp_path: Path) -> None:
    other_tick = 100 if host_tick() != 100 else 1000
    keep(built(tmp_path, "6.1.1", host_tick(), "older"))
    assert choose().config == "older"
    keep(built(tmp_path, "6.1.2", other_tick))
    assert choose().version == "6.1.2"
    keep(built(tmp_path, "6.1.3", host_tick()))
    assert choose().version == "6.1.3"


def test_without_a_kernel_the_error_says_how_to_build_one() -> None:
    with pytest.raises(LabError, match="netdiag warp build"):
        choose()


def test_the_environment_can_name_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(built(tmp_path))
    named = tmp_path / "shared"
    monkeypatch.setenv(NAMED, str(named))
    with pytest.raises(LabError, match="no kernel that can be run"):
        choose()
    named.touch(0o755)
    assert choose() == Kernel(named)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "6.1"}'])
def test_a_damaged_entry_is_no_kernel(tmp_path: Path, text: str) -> None:
    kept = keep(built(tmp_path))
    kept.path.with_name("kernel.json").write_text(text)
    assert kernels.kernels() == ()


def test_removing_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    kept = keep(built(tmp_path))
    assert remove() == (kept,)
    assert not home().exists()
    assert remove() == ()


def test_the_tick_is_one_that_kernels_have() -> None:
    assert host_tick() in (100, 250, 300, 1000)
