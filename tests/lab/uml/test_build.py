"""Building a kernel: the tick, what a source does not know, and the trial that judges it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from netdiag.errors import LabError
from netdiag.lab.uml import build, kernels
from netdiag.lab.uml.kernels import Kernel
from netdiag.lab.uml.source import Source

if TYPE_CHECKING:
    from pathlib import Path

KCONFIG = "config NR_CPUS\n\tint\n\tdefault 1\n\nconfig HZ\n\tint\n\tdefault 100\n\nconfig X\n"
ROW = {"slept": 7200.00005, "tick": 250, "release": "6.1.77"}
MAKEFILE = """
allnoconfig:
	sed -n 's/^CONFIG/&/p' $(KCONFIG_ALLCONFIG) > .config
kernelrelease:
	@echo 6.1.77
linux:
	@echo '  CC one'
	printf '#!/bin/sh\\n%s\\n' '{says}' > linux
	chmod +x linux
"""


def tree(top: Path, says: str) -> Source:
    (top / "arch" / "um").mkdir(parents=True)
    (top / "arch" / "um" / "Kconfig").write_text(KCONFIG)
    (top / "Makefile").write_text(MAKEFILE.replace("{says}", says))
    return Source(top, "a test")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "_run", _without_strip(build._run))
    return tmp_path / "cache"


def _without_strip(run):
    return lambda argv, top: "" if argv[0] == "strip" else run(argv, top)


def heard() -> tuple[list[str], object]:
    steps: list[str] = []
    return steps, lambda step, done: steps.append(step)


def test_only_the_tick_is_changed(tmp_path: Path) -> None:
    tree(tmp_path / "top", "")
    build._set_tick(tmp_path / "top", 300)
    assert (tmp_path / "top/arch/um/Kconfig").read_text() == KCONFIG.replace("100", "300")


def test_a_source_without_a_tick_is_refused(tmp_path: Path) -> None:
    tree(tmp_path / "top", "")
    (tmp_path / "top/arch/um/Kconfig").write_text("config X\n")
    with pytest.raises(LabError, match="no tick"):
        build._set_tick(tmp_path / "top", 300)


def test_a_kernel_that_came_through_its_trial_is_kept_and_the_build_is_gone(
    tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "says").write_text(f"== trial {json.dumps(ROW)}\n")
    steps, tell = heard()
    kernel = build.build(
        tree(tmp_path / "top", f"cat {tmp_path / 'says'}"), hz=250, jobs=1, tell=tell
    )
    assert kernel.key == f"6.1.77-hz250-{kernels.digest()}"
    assert kernels.choose() == kernel
    assert [one.name for one in kernels.home().iterdir()] == [kernel.key]
    assert steps[0].startswith("unpacking")
    assert "compiling" in steps


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Kernel panic - not syncing", "did not get through its trial; it said: Kernel panic"),
        (f"== trial {json.dumps({**ROW, 'slept': 0.2})}", "its sleep is 0.200 s, and not 7200 s"),
        (f"== trial {json.dumps({**ROW, 'tick': 100})}", "its tick is 100, and not 250"),
        (f"== trial {json.dumps({**ROW, 'release': '5.10'})}", "its version is 5.10"),
    ],
)
def test_a_kernel_that_fails_its_trial_is_not_kept(tmp_path: Path, said: str, reason: str) -> None:
    (tmp_path / "says").write_text(f"{said}\n")
    with pytest.raises(LabError, match=reason):
        build.build(
            tree(tmp_path / "top", f"cat {tmp_path / 'says'}"), hz=250, jobs=1, tell=heard()[1]
        )
    assert list(kernels.home().iterdir()) == []


def test_options_that_a_source_does_not_know_are_named(tmp_path: Path) -> None:
    top = tree(tmp_path / "top", "").path
    makefile = (top / "Makefile").read_text().replace("s/^CONFIG/&/p", "/VETH/d;s/^CONFIG/&/p")
    (top / "Makefile").write_text(makefile)
    with pytest.raises(LabError, match="does not know CONFIG_VETH=y; give"):
        build.build(Source(top, ""), hz=250, jobs=1, tell=heard()[1])


def test_what_make_said_last_is_shown_when_it_fails(tmp_path: Path) -> None:
    top = tree(tmp_path / "top", "").path
    makefile = (top / "Makefile").read_text().replace("@echo '  CC one'", "@echo broken; exit 1")
    (top / "Makefile").write_text(makefile)
    with pytest.raises(LabError, match=r"cannot be compiled; make said\n(.*\n)*  broken"):
        build.build(Source(top, ""), hz=250, jobs=1, tell=heard()[1])


def test_a_tool_that_is_not_there_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert build.missing() == build.TOOLS


def test_a_kernel_of_unknown_make_is_only_asked_to_keep_time(tmp_path: Path) -> None:
    build._judge(Kernel(tmp_path / "linux"), f"== trial {json.dumps(ROW)}")
