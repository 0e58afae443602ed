"""Recording -> Analysis: pure functions over what was recorded.

wire       the tape: frames, labels, fates, replies
moments    the events, and what became of each fault
kernel     which kernel timer owned each interval; FIN-WAIT-1
client     when and how the client noticed, and worked again
messages   the fate of every message
beliefs    zombies, and who believes what
timeline   all of it in the order of time
judge      expectations -> verdicts
evidence   the files of a cell, read once for all its clients
unknown    why nothing can be said of a cell
cell       one cell, put together
replay     two recordings of one plan: alike, or the first difference
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.analysis.model import Analysis, CellAnalysis, Outcome, worst

if TYPE_CHECKING:
    from netdiag.recording import Recording
    from netdiag.scenario import Plan

__all__ = ["Analysis", "CellAnalysis", "Outcome", "analyse"]


def analyse(recording: Recording, plan: Plan) -> Analysis:
    """Explain and judge a recording's cells. Raises RecordingError when files cannot be read."""
    # here, because whoever reads captures needs no scenario
    from netdiag.analysis.cell import analyse_cell  # noqa: PLC0415

    cells = tuple(
        view for cell in plan.cells for view in analyse_cell(cell, recording.cell(cell.id))
    )
    return Analysis(plan.scenario, plan.about, worst([cell.outcome for cell in cells]), cells)
