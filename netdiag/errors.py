"""Everything netdiag raises on purpose, and the exit code that each means.

NetdiagError                one sentence: what failed, where, what to try
 +- ScenarioError     (64)  a scenario or an argument is wrong; carries every mistake of the file
 +- LabError           (3)  no lab could be made on this machine
 +- RecordingError    (64)  a directory is not a recording, or cannot be read
"""

from __future__ import annotations


class NetdiagError(Exception):
    """One clear sentence for the person at the terminal."""

    exit_code = 1


class ScenarioError(NetdiagError):
    """Every mistake found in a scenario, one line each (`file:line:column: what; what would be
    right`).
    """

    exit_code = 64

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class LabError(NetdiagError):
    """The machine cannot give us hosts and a cable."""

    exit_code = 3


class RecordingError(NetdiagError):
    """What lies on disk is not a recording that can be read."""

    exit_code = 64
