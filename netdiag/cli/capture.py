"""`netdiag capture`: one interface, recorded; for machines without tcpdump."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netdiag.packet_filter import MOST, MOST_PORTS
from netdiag.units import parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netdiag.capturing import Outcome, SocketEar


def _quantity(parse: Callable[[str], float]) -> Callable[..., float | None]:
    def convert(
        context: click.Context, parameter: click.Parameter, value: str | None
    ) -> float | None:
        if value is None:
            return None
        try:
            found = parse(value)
        except ValueError as err:
            raise click.BadParameter(str(err)) from err
        if found <= 0:
            raise click.BadParameter(f"more than nothing, not {value}")
        return found

    return convert


@click.command("capture")
@click.option("-i", "--interface", required=True, metavar="NAME", help="Where to listen, as eth0.")
@click.option(
    "--port", "ports", type=click.IntRange(1, 65535), multiple=True,
    help="Only this TCP port, on either side; may be given again.",
)  # fmt: skip
@click.option(
    "--snaplen", type=click.IntRange(64, MOST), default=MOST, metavar="BYTES",
    help="Keep this much of a frame; 128 keeps the headers.",
)  # fmt: skip
@click.option("--count", type=click.IntRange(1), help="End after this many frames.")
@click.option(
    "--duration", callback=_quantity(parse_duration), metavar="TIME", help="End after it, as 90s."
)
@click.option(
    "--rotate-size", callback=_quantity(parse_size), metavar="SIZE",
    help="Begin another file at this size, as 100MB: NAME-00001.pcapng, ...",
)  # fmt: skip
@click.option(
    "--rotate-count", type=click.IntRange(1), metavar="N", help="Keep the last N files only."
)
@click.option("--promiscuous", is_flag=True, help="Hear frames that are for others too.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(  # noqa: PLR0913 - one argument an option
    *,
    interface: str,
    ports: tuple[int, ...],
    snaplen: int,
    count: int | None,
    duration: float | None,
    rotate_size: float | None,
    rotate_count: int | None,
    promiscuous: bool,
    file: Path,
) -> int:
    """Record the TCP frames of an interface in FILE until Ctrl-C: .pcap, or else pcapng.

    What the kernel dropped is counted, said at the end and written into a pcapng. Show the file
    with `netdiag analyse FILE`. It takes the right to open packet sockets (sudo).

    Exit code: 0 recorded, 3 not permitted, 64 bad arguments or no such interface.
    """
    from netdiag.capturing import Files, Limits, listening, record  # noqa: PLC0415 - when called

    if rotate_count is not None and rotate_size is None:
        raise click.UsageError("--rotate-count needs --rotate-size")
    if len(ports) > MOST_PORTS:
        raise click.UsageError(f"--port: at most {MOST_PORTS} of them")
    limits = Limits(
        frames=count,
        seconds=duration,
        file_bytes=None if rotate_size is None else int(rotate_size),
        files=rotate_count,
    )
    with _ending() as ending, listening(interface, ports, promiscuous=promiscuous) as ear:
        files = Files(file, link=ear.link, interface=interface, snaplen=snaplen, limits=limits)
        click.echo(f"capturing on {interface}; Ctrl-C ends it", err=True)
        outcome = record(ear, files, limits, wait=_waiting(ear, ending), clock=time.monotonic)
        _tell(outcome, files.paths, files.removed)
    return 0


@contextmanager
def _ending() -> Iterator[int]:
    """A file descriptor that becomes readable when a person (Ctrl-C) or a program ends us."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    before = {
        number: signal.signal(number, lambda *_: _poke(writer))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield reader
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _poke(writer: int) -> None:
    with suppress(BlockingIOError):  # full: it was said often enough
        os.write(writer, b".")


def _waiting(ear: SocketEar, ending: int) -> Callable[[float], bool]:
    """Wait for a frame or for the end; True at the end."""

    def wait(seconds: float) -> bool:
        ready, _, _ = select.select([ear.fileno(), ending], [], [], seconds)
        return ending in ready

    return wait


def _tell(outcome: Outcome, paths: tuple[Path, ...], removed: int) -> None:
    where = str(paths[-1]) if len(paths) == 1 else f"{len(paths)} files, the last {paths[-1]}"
    older = f" ({removed} older removed)" if removed else ""
    click.echo(
        f"{outcome.frames} frames, {outcome.bytes} bytes in {outcome.seconds:.1f} s, "
        f"{outcome.dropped} dropped by the kernel -> {where}{older}",
        err=True,
    )
    if outcome.dropped:
        click.echo("netdiag: the capture has gaps; --port and --snaplen make it cheaper", err=True)
