"""What a person asked of a run on the command line, and the hosts that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from pathlib import Path

    from netdiag.run.docked import Containers
    from netdiag.run.keeping import Guests
    from netdiag.scenario import Plan

SEED: Final = click.IntRange(0, (1 << 63) - 1)


@dataclass(frozen=True)
class Wishes:
    """What a person asked of a run, beside the scenario itself."""

    jobs: int
    out: Path
    settings: tuple[str, ...]
    only: tuple[str, ...]
    seed: int | None
    repeat: int
    keep_going: bool
    quiet: bool
    baseline: Path | None = None
    table: str | None = None


@dataclass(frozen=True)
class Where:
    """The lab that a person asked for; None: none, so that the scenario may choose."""

    lab: str | None
    warp: bool
    attach: str | None

    def hosts(self, plan: Plan | None = None) -> Guests | Containers | None:
        """What the sandbox of that plan (or of one that chooses nothing) needs to know; see
        `hosts_for`. A plan that needs other hosts than those asked for is refused by `preflight`.
        """
        if self.warp and self.lab == "namespaces":
            raise click.UsageError("--warp is for guests, and --lab namespaces for this kernel")
        asked = self.lab is not None or self.warp
        place = "here" if asked or plan is None else plan.place
        lab = "docker" if place == "docker" else self.lab or "namespaces"
        return hosts_for(lab, warp=self.warp or place == "warp", attach=self.attach)


def hosts_for(lab: str, *, warp: bool, attach: str | None = None) -> Guests | Containers | None:
    """The hosts that were asked for. Raises LabError when there is no kernel for guests."""
    if attach is not None and lab != "docker":
        raise click.UsageError("--attach needs --lab docker")
    if lab == "docker":
        if warp:
            raise click.UsageError("--warp is for guests, and --lab docker for containers")
        from netdiag.run.docked import Containers  # noqa: PLC0415

        return Containers(attach)
    if lab != "uml" and not warp:
        return None
    from netdiag.lab.uml.kernels import choose  # noqa: PLC0415
    from netdiag.run.keeping import Guests  # noqa: PLC0415

    return Guests(choose(), virtual=warp)
