"""`netdiag advise`: a target in, the settings that meet it out, with what each costs and misses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from netdiag.catalogue.clients import CLIENTS
from netdiag.catalogue.patterns import PATTERNS
from netdiag.catalogue.phpredis import PhpRedisClient
from netdiag.catalogue.redis_py import RedisPyClient
from netdiag.cli.predict import installed, kernel_of, library_version, named, words_of
from netdiag.units import format_duration, parse_duration

if TYPE_CHECKING:
    from netdiag.catalogue.clients import Client

_CLIENTS: Final[dict[str, Client]] = {
    "redis-py": RedisPyClient(),
    "redis-py-asyncio": RedisPyClient(mode="asyncio"),
    "phpredis": PhpRedisClient(),
}
_SHORTEST: Final = 1.0
_LONGEST: Final = 86400.0


def _target(_: click.Context, __: click.Parameter, raw: str) -> float:
    try:
        seconds = parse_duration(raw)
    except ValueError as err:
        raise click.BadParameter(str(err)) from err
    if not _SHORTEST <= seconds <= _LONGEST:
        raise click.BadParameter("write a time from 1s to 24h, such as 30s")
    return seconds


@click.command("advise")
@click.option("--detect-within", "within", required=True, callback=_target, metavar="TIME",
              help="How soon the client must notice, such as 30s.")
@click.option("--pattern", type=click.Choice(sorted(PATTERNS)), default="brpop", show_default=True,
              help="What the consumer does all day.")
@click.option("--client", type=click.Choice(sorted(_CLIENTS)), default="redis-py",
              show_default=True, help="With which library.")
@click.option("--library", metavar="VERSION", callback=library_version,
              help="Another version of redis-py than the installed one.")
@click.option("--kernel", "release", metavar="RELEASE", help="Another kernel than this machine's.")
@click.option("--hz", type=click.IntRange(1, 10000), help="Its ticks a second (CONFIG_HZ).")
@click.option("--json", "as_json", is_flag=True, help="The advice, as JSON.")
def command(
    *,
    within: float,
    pattern: str,
    client: str,
    library: str | None,
    release: str | None,
    hz: int | None,
    as_json: bool,
) -> int:
    """Say which settings make a client notice a fault in time, what each set of them costs, and
    which faults it still does not cover.

    Every number comes from the same arithmetic as `netdiag predict`; a setting is as patient as the
    target allows, and what a set does not name stays as the library has it. What a library cannot
    be told becomes a sysctl of its host.

    Exit code: 0, or 64 for a mistake in the arguments, or a target that nothing meets.
    """
    from netdiag.predict.advice import advise, assumed, recommended  # noqa: PLC0415 - imports when called
    from netdiag.predict.knobs import Wish  # noqa: PLC0415

    follows = CLIENTS[_CLIENTS[client].kind].patterns
    if pattern not in follows:
        raise click.UsageError(f"{client} does not follow the pattern {pattern}; choose one of "
                               f"{', '.join(sorted(follows))}")
    redis_py = _CLIENTS[client].kind == "redis-py"
    if library is not None and not redis_py:
        raise click.UsageError(f"{client} is no redis-py; leave --library out")
    kernel, version = kernel_of(release, hz, warp=False), library or installed()
    try:
        advice = advise(Wish(within, _CLIENTS[client], pattern, kernel, version))
    except ValueError as err:
        raise click.UsageError(str(err)) from err
    best = recommended(advice)
    if as_json:
        click.echo(json.dumps({"detect_within": within, "pattern": pattern, "client": client,
                               "recommended": advice.index(best), "assumed": assumed(kernel),
                               "sets": [one.to_json() for one in advice]}, indent=1))
        return 0
    from rich.console import Console  # noqa: PLC0415 - not needed for --json

    from netdiag.report.advice import print_advice  # noqa: PLC0415

    name = f"{client} {named(version)}" if redis_py else client
    click.echo(f"{pattern} with {name}, to notice within {format_duration(within)}, on "
               f"{words_of(kernel)}")
    print_advice(advice, best, Console(markup=False, highlight=False, emoji=False),
                 assumed=assumed(kernel))
    return 0
