"""The runner's place where the lab is a guest: the front's order -> the guests' orders.

Runs on the machine itself, as the child of the sandbox's pid 1, or without any namespace. The rule
it guards: guests boot and import while the front still reads the scenario, and none outlives us.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netdiag.errors import LabError
from netdiag.lab.uml.boot import python
from netdiag.lab.uml.keeper import FRONT_GONE, Keeper, Machine
from netdiag.lab.uml.keeper import PATIENCE as _PATIENCE
from netdiag.lab.uml.kernels import Kernel

if TYPE_CHECKING:
    from netdiag.scenario import Plan

PATIENCE: Final = "NETDIAG_WARP_PATIENCE"
"""The environment variable for how long a virtual clock may stand still, s."""

_INIT: Final = Path(__file__).with_name("guest.py")


@dataclass(frozen=True)
class Guests:
    """What the front asks for: guests of that kernel, on a virtual clock or in real time."""

    kernel: Kernel
    virtual: bool

    apart = False

    def look_ahead(self, plan: Plan) -> None:
        """A guest has the machine's own programs."""

    def to_json(self) -> str:
        """As one word for a command line."""
        row = {**asdict(self.kernel), "path": str(self.kernel.path)}
        return json.dumps({"kernel": row, "virtual": self.virtual})

    @classmethod
    def from_json(cls, text: str) -> Guests:
        """What `to_json` gave."""
        row = json.loads(text)
        kernel = Kernel(**{**row["kernel"], "path": Path(row["kernel"]["path"])})
        return cls(kernel, row["virtual"])


def serve(lifeline: int, guests: Guests) -> int:
    """Boot a guest, wait for the front's order, have it run, and end all guests.

    Returns an exit code as `runner.serve` does; what was wrong is said on standard error.
    """
    machine = Machine(guests.kernel, tuple(python(_INIT)), guests.virtual)
    patience = float(os.environ.get(PATIENCE, _PATIENCE))
    keeper = Keeper(machine, lifeline, patience=patience)
    try:
        keeper.boot()
        order = _order(lifeline)
        if order is None:
            return FRONT_GONE
        plan = Path(order["directory"], "plan.json").read_text(encoding="utf-8")
        cells = [cell["id"] for cell in json.loads(plan)["cells"]]
        run = {name: value for name, value in order.items() if name != "directory"}
        told = {
            "directory": order["directory"],
            "run": run,
            "env": dict(os.environ),
            "cwd": str(Path.cwd()),
        }
        return keeper.run(told, cells, cores=len(os.sched_getaffinity(0)))
    except LabError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    finally:
        keeper.end()


def _order(lifeline: int) -> dict[str, Any] | None:
    """The front's order, one line of JSON; None when the front has gone without one."""
    with os.fdopen(lifeline, "rb", closefd=False) as told:
        line = told.readline()
    return json.loads(line) if line else None
