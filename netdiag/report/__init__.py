"""Analysis -> View -> one of the reports.

view       what a person reads, as finished words: `view_of`
sentence   a cell in one sentence
timeline   entries -> rows, long series drawn together
compare    cells side by side
words      numbers and text from outside -> safe words
terminal   View -> a rich Console: `print_report`
lanes      its timeline and the kernel timers' intervals
columns    its tables that set things side by side
ink        what a console can show
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdiag.report.terminal import print_report
    from netdiag.report.view import View, view_of

__all__ = ["View", "print_report", "view_of"]

_LATER = {"View": "view", "view_of": "view", "print_report": "terminal"}


def __getattr__(name: str) -> object:
    """Each name when it is used: whoever wants words alone does not wait for rich."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
