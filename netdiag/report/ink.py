"""What a console can show: words as text that is never markup, marks in Unicode or ASCII, styles.

The rule this file guards: every word of a report comes to rich through `Ink.text`, so nothing in it
is ever read as markup; and a style only repeats what a word already says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.text import Text

from netdiag.analysis.model import Outcome
from netdiag.report.words import ascii_only

OUTCOME_STYLE: Final = {
    Outcome.PASS: "bold green",
    Outcome.UNKNOWN: "bold yellow",
    Outcome.FAIL: "bold red",
}


@dataclass(frozen=True)
class Marks:
    """The signs of the timeline's tracks: a lane, an event in it, the cable cut, the fault."""

    line: str
    event: str
    broken: str
    fault: str


NARROW: Final = 60  # columns; fewer are narrow
_UNICODE: Final = Marks("\u2502", "\u25cf", "\u254e", "\u2716")
_ASCII: Final = Marks("|", "o", ":", "X")


@dataclass(frozen=True)
class Ink:
    """Makes Text for a console; `ascii`: it can show nothing else; `narrow`: so few columns that
    words beside other columns would have no room.
    """

    ascii: bool
    narrow: bool = False

    @property
    def marks(self) -> Marks:
        return _ASCII if self.ascii else _UNICODE

    def text(self, words: str, style: str = "") -> Text:
        """Words as they are: no markup, no highlighting, folded where they do not fit."""
        return Text(ascii_only(words) if self.ascii else words, style=style, overflow="fold")

    def outcome(self, outcome: Outcome, before: str = "", after: str = "") -> Text:
        """PASS, UNKNOWN or FAIL, with words around it."""
        word = self.text(outcome.value, OUTCOME_STYLE[outcome])
        return Text.assemble(self.text(before), word, self.text(after), overflow="fold")

    def told(self, words: str, style: str, reason: str) -> Text:
        """What happened, and after it why."""
        why = self.text(f" - {reason}" if reason else "", "dim")
        return Text.assemble(self.text(words, style), why, overflow="fold")
