"""The command line: one file a command; the only code of netdiag that prints and exits."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Entry point of the `netdiag` command."""
    from netdiag.cli.root import entry  # noqa: PLC0415 - `import netdiag.cli` costs nothing

    entry()
