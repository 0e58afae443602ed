"""Messages -> how many met each fate, in safe words and in one order, for every report.

The rule this file guards: a fate that this netdiag does not know (another's analysis) is shown as
it is, behind the known ones, so that the parts still add up.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from netdiag.analysis.model import FATES
from netdiag.report.words import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from netdiag.analysis.model import Message


def fates(messages: Iterable[Message], *, but: Collection[str] = ()) -> list[tuple[int, str]]:
    """`[(2, "delivered"), (1, "taken by a zombie")]`, without the fates in `but`."""
    counts = Counter(message.fate for message in messages if message.fate not in but)
    order = [*FATES, *sorted(set(counts) - set(FATES))]
    return [(counts[fate], plain(FATES.get(fate, fate))) for fate in order if counts[fate]]
