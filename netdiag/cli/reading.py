"""A capture that is being read -> a bar with rate and remaining time, on a terminal only.

The rule this file guards: standard output holds the report and nothing else.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

WORTH: Final = 32 << 20  # bytes; a smaller file is read before a bar could be looked at


@contextmanager
def reading(
    name: str, size: int | None, console: Console | None = None
) -> Iterator[Callable[[int, int, int], None] | None]:
    """Give what is to be called with (bytes read, bytes in all or 0, frames so far), or None where
    nobody watches.

    `size` is the file's in bytes, None when it is not known (standard input).
    """
    if size is not None and size < WORTH:
        yield None
        return
    from rich.console import Console as Screen  # noqa: PLC0415 - not needed for small files

    where = console if console is not None else Screen(stderr=True)
    if not where.is_terminal or where.is_dumb_terminal:
        yield None
        return
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text  # noqa: PLC0415

    progress = Progress(
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=where,
        transient=True,
    )
    with progress:
        task = progress.add_task("", total=size, name=Text(name).plain, rate="")

        def tell(done: int, total: int, frames: int) -> None:
            passed = progress.tasks[0].elapsed or 0
            rate = f"{frames / passed:,.0f} frames/s" if passed > 0 else ""
            progress.update(task, completed=done, total=total or None, rate=rate)

        yield tell
