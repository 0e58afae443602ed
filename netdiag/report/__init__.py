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

from netdiag.report.terminal import print_report
from netdiag.report.view import View, view_of

__all__ = ["View", "print_report", "view_of"]
