"""Every scenario that ships, in one command: its expectations hold, and its messages add up."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from netdiag.catalogue import PhpRedisClient
from netdiag.clients.environments import environments, place
from netdiag.clients.phpredis import version
from netdiag.errors import LabError
from netdiag.lab.uml.kernels import choose
from netdiag.scenario import expand, find_all, load
from tests.run.running import Home, ended, needs_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_lab
PLACES = ("ids", "processing", "pending", "ungrouped")
"""Where a message can lie at a server when the cell ends."""
SHIPPED = [path for path in find_all(["scenarios"]) if expand(load(path)).place != "docker"]
"""Containers need an engine; the tests of the Docker lab run those where there is one."""


def lacking() -> str:
    """What this machine lacks to run all of them; .ci/run installs it."""
    try:
        choose()
        version(PhpRedisClient())
    except LabError as err:
        return str(err)
    made = {one.name for one in environments()}
    missing = {"redis-py==3.5.3", "redis-py==5.0.0"} - made
    return f"no {', '.join(sorted(missing))}; netdiag clients add makes them" if missing else ""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    reason = lacking()
    if reason:
        pytest.skip(reason)
    home = Home(tmp_path_factory.mktemp("shipped"))
    arguments = ("run", *(path.absolute() for path in SHIPPED), "--jobs", "12", "--out", home.out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(place().parent.parent))  # this HOME has no environments,
        patch.setenv("NETDIAG_KERNEL", str(choose().path))  # and no kernel
        with home.start(*arguments) as process:
            done = ended(process, 400)
    assert done.code == 0, done.out + done.err
    assert f"PASS ({len(SHIPPED)} scenarios: {len(SHIPPED)} PASS)" in done.out
    return home


def cells(home: Home) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """Each cell's name, its directory and its analysis (of several clients: the first one's)."""
    for scenario in sorted(home.out.iterdir()):
        root = (scenario / "latest").resolve()
        plan = json.loads((root / "plan.json").read_text())
        analysis = json.loads((root / "analysis.json").read_text())
        views = {one["id"]: one for one in analysis["cells"]}
        for cell in plan["cells"]:
            first = views.get(cell["id"]) or next(
                view for name, view in views.items() if name.startswith(f"{cell['id']}."))
            yield f"{scenario.name}/{cell['id']}", root / "cells" / cell["id"], first


def test_in_every_cell_the_messages_add_up_to_what_was_produced(home: Home) -> None:
    """Counted from the raw events: each message that was produced has one fate, and no other."""
    number = 0
    for name, directory, analysis in cells(home):
        lines = (directory / "events.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        made = [one["data"]["id"] for one in events
                if (one["what"], one["outcome"]) in (("push", "start"), ("call", "start"),
                                                     ("error", "fail"))
                and "id" in one["data"]]
        told = Counter(message["id"] for message in analysis["messages"])
        assert told == Counter(dict.fromkeys(made, 1)), name
        assert "unexpected" not in {message["fate"] for message in analysis["messages"]}, name
        received, finished = (
            {one["data"]["id"] for one in events if one["what"] == what}
            for what in ("got", "processed"))
        left = [one["data"] for one in events if one["what"] == "left"]
        held = {message for places in left for place in PLACES for message in places.get(place, ())}
        for message in analysis["messages"]:
            where, fate = (name, message), message["fate"]
            if fate in ("delivered", "late", "duplicated"):
                assert message["id"] in received, where
            if fate in ("lost", "zombie"):
                assert message["id"] not in held | finished, where
                assert left, where
            assert (fate == "stuck") == (message["id"] in held - finished), where
        number += len(made)
    assert number > 100


def test_acknowledged_patterns_lose_nothing_where_a_pop_loses_one_message_per_zombie(home) -> None:
    """The table of patterns, phases and fates."""
    fates = {name.removeprefix("fates/"): [message["fate"] for message in analysis["messages"]]
             for name, _, analysis in cells(home) if name.startswith("fates/")}
    assert fates["brpop.idle"] == fates["bzpopmin.idle"] == ["zombie", "delivered"]
    assert fates["brpop.reply"] == ["lost", "delivered"]
    for fault in ("idle", "request", "reply", "ack", "crash"):
        for pattern in ("blmove", "blmove-reaper", "xreadgroup", "xreadgroup-claim"):
            assert not {"lost", "zombie"} & set(fates[f"{pattern}.{fault}"]), (pattern, fault)
