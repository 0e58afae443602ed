"""The command line: one file a command; the only code of netdiag that prints and exits."""

from __future__ import annotations

import os
import signal

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Entry point of the `netdiag` command."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # while Python imports, Ctrl-C has nothing to tidy up and no traceback to show
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from netdiag.cli.root import entry  # noqa: PLC0415 - `import netdiag.cli` costs nothing

    entry()
