"""The rules of a message that its own client makes: was it done, how often, and was it answered?

Each is told the story that all messages of a cell share, and says a fate with its sentence, or
nothing. The rule this file guards: what only the server knew is gone with its memory, and what was
never sent was never asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdiag.analysis.messages import Told, _Story
    from netdiag.analysis.ways import Way


def shared(story: _Story, way: Way) -> Told | None:
    """A name that several clients gave: whose request the server has done, nobody can tell."""
    if len(way.makers) < 2:
        return None
    return "unknown", (
        f"{' and '.join(way.makers)} made a message of this name, so nobody can tell whose it "
        "is; names begin with what workload.names says"
    )


def executed(story: _Story, way: Way) -> Told | None:
    """A request: done more often than it was made?"""
    if way.executed < 2:
        return None
    return "duplicated", f"executed {way.executed} times"


def answered_in_vain(story: _Story, way: Way) -> Told | None:
    """A request that was done, and whose answer its caller has not got."""
    if not way.executed:
        return None
    if not way.replies:
        return "lost", "executed, but no answer was ever on the wire: lost"
    where = story.handed.where(way.replies[-1])
    return "lost", f"executed, but its answer was not received; {where}: lost"


def unanswered(story: _Story, way: Way) -> Told:
    """A request without an answer: the caller cannot know whether it was done."""
    how = story.handed.failed(way)
    if how is None:
        return "unknown", "not answered when the cell ended"
    if not way.called:
        return "lost", f"never sent: the caller {how} before its call: lost"
    if not story.pattern.keeps:
        return "lost", f"nothing came back, and the caller {how}: lost"
    if not story.ways.looked:
        return "unknown", "nobody could ask the server whether it was executed"
    end = story.handed.server_ended_after(way.pushed)
    if end is not None:
        nobody = f"the server ended {story.at(end)}, so nobody knows whether it was executed"
        return "lost", f"not answered, and the caller {how}; {nobody}: lost"
    return "lost", f"never executed, and the caller {how}: lost"
