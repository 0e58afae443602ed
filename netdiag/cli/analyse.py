"""`netdiag analyse`: a capture explained, or a recording judged again: what PATH is, decides."""

from __future__ import annotations

from pathlib import Path

import click

from netdiag.errors import RecordingError


@click.command("analyse", short_help="Explain a capture, or judge a recording again.")
@click.argument("path", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print only the analysis, as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print one line a connection, as CSV.")
@click.option(
    "--port", "ports", type=click.IntRange(1, 65535), multiple=True,
    help="Only connections with this port; may be given again.",
)  # fmt: skip
@click.option(
    "--host", "hosts", multiple=True, metavar="ADDRESS",
    help="Only connections with this address or network; may be given again.",
)  # fmt: skip
@click.option(
    "--since", metavar="TIME", help="Leave out what is before: 90s from the start, or a date."
)
@click.option("--until", metavar="TIME", help="Leave out what is after it.")
@click.option("--interface", metavar="NAME", help="Only this interface of a pcapng.")
@click.option(
    "--top", type=click.IntRange(0), default=None, metavar="N",
    help="Show this many connections (20).",
)  # fmt: skip
@click.option(
    "--flow", type=click.IntRange(0), default=None, metavar="N",
    help="Show connection N alone, with its timeline.",
)  # fmt: skip
@click.option(
    "--fail-on", "fail_on", multiple=True, metavar="RULE",
    help="Exit with 1 when this was found ('any': anything); may be given again.",
)  # fmt: skip
def command(  # noqa: PLR0913 - one argument an option
    *,
    path: Path,
    as_json: bool,
    as_csv: bool,
    ports: tuple[int, ...],
    hosts: tuple[str, ...],
    since: str | None,
    until: str | None,
    interface: str | None,
    top: int | None,
    flow: int | None,
    fail_on: tuple[str, ...],
) -> int:
    """Explain every TCP connection of the capture PATH, or judge the recording PATH again.

    PATH is a capture (pcap, pcapng; gzip and zstd too), a directory of captures, or - for standard
    input; of a tape.pcapng of netdiag both ends are shown. A recording that `netdiag run` made (or
    a scenario's directory: then its latest one) is judged by this version of netdiag, its
    analysis.json saved, and shown; of the options, --json goes with it.

    Exit code: 0, 1 when a rule of --fail-on was found, else 64 when a file could not be read (of a
    directory the others are told all the same), 64 bad arguments. Of a recording: 0 all PASS, 1 a
    FAIL, 2 an UNKNOWN and no FAIL, 64 not a recording.
    """
    about_captures = ports or hosts or since or until or interface or fail_on or as_csv
    if is_recording(path):
        if about_captures or top is not None or flow is not None:
            raise click.UsageError(
                f"{path} is a recording: of the options only --json goes with it"
            )
        return _judge(path, as_json)
    from netdiag.cli.captures import Wishes, explain  # noqa: PLC0415 - imports when called

    wishes = Wishes(
        ports=frozenset(ports),
        hosts=hosts,
        since=since,
        until=until,
        interface=interface,
        top=top,
        flow=flow,
        fail_on=fail_on,
        as_json=as_json,
        as_csv=as_csv,
    )
    return explain(path, wishes)


def is_recording(path: Path) -> bool:
    """Whether this directory is a recording, or a scenario's directory that holds some.

    Raises RecordingError when there is nothing.
    """
    if str(path) == "-":
        return False
    try:
        if not path.exists():
            raise RecordingError(f"{path}: no such file or directory")
        return path.is_dir() and any(
            (root / "plan.json").exists() for root in (path, path / "latest")
        )
    except OSError as err:
        raise RecordingError(f"{path}: cannot be read: {err.strerror or err}") from err


def _judge(directory: Path, as_json: bool) -> int:
    from netdiag.cli.show import exit_code, show_recording  # noqa: PLC0415
    from netdiag.recording import find  # noqa: PLC0415

    return exit_code(show_recording(find(directory), as_json=as_json, fresh=True))
