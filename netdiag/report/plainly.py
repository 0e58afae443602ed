"""Parts of a report -> a Console that is injected, the one way all reports are printed.

The rule this file guards: lines of plain text end without blanks, so that reports in files can be
compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType


def print_parts(parts: Iterable[RenderableType], console: Console) -> None:
    """Print them from top to bottom."""
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    text = captured.get()
    if console.color_system is None:
        text = "\n".join(line.rstrip() for line in text.split("\n"))
    console.out(text.rstrip("\n"), highlight=False)
