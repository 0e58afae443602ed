"""How a client's process is started, and the contract as a program in any language keeps it."""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from pytest import param

from netdiag.catalogue import (
    CLIENTS,
    SERVERS,
    ExecClient,
    Keepalive,
    RedisPyClient,
    RedisPySettings,
)
from netdiag.clients.start import client_main, library_version, settings_json
from netdiag.errors import LabError
from netdiag.process import fork
from netdiag.recording import read_events
from netdiag.run.listen import ClientVoice
from netdiag.run.recorder import Recorder

WORKLOAD = {"pattern": "brpop", "key": "jobs", "block": 0.0, "after_error": "exit"}

SETTINGS = [
    param(RedisPySettings(), {}, id="unset is left out"),
    param(RedisPySettings(read_timeout=None), {"read_timeout": None}, id="none is null"),
    param(RedisPySettings(retry=0, connect_timeout=2.0), {"connect_timeout": 2.0, "retry": 0},
          id="numbers"),
    param(RedisPySettings(keepalive=None), {"keepalive": None}, id="keepalive off"),
    param(RedisPySettings(keepalive=Keepalive(idle=2)),
          {"keepalive": {"idle": 2, "interval": None, "count": None}}, id="keepalive"),
    param(RedisPySettings(options={"protocol": 3}), {"options": {"protocol": 3}}, id="options"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "written"), SETTINGS)
def test_settings_are_what_somebody_wrote(settings, written):
    assert settings_json(settings) == written
    assert json.loads(json.dumps(written)) == written


PYTHON = """
import json, os, time
task = json.loads(os.environ["NETDIAG_CLIENT"])
def say(what, outcome, **data):
    row = {"t": time.monotonic_ns(), "what": what, "outcome": outcome, "data": data}
    os.write(int(os.environ["NETDIAG_EVENTS"]), json.dumps(row).encode() + b"\\n")
print("to the log", os.getcwd() == os.environ["PWD"])
say("call", "start", command=task["workload"]["pattern"].upper())
say("got", "ok", id=f"{task['host']}:{task['port']}", settings=task["settings"])
"""
SHELL = r"""
now() { read -r up rest < /proc/uptime; echo "${up%.*}${up#*.}0000000"; }
echo "to the log" >&2
printf '{"t": %s, "what": "call", "outcome": "start"}\n' "$(now)" >&"$NETDIAG_EVENTS"
printf '{"t": %s, "what": "got", "outcome": "ok", "data": %s}\n' "$(now)" \
    "{\"id\": \"10.0.0.2:6379\", \"settings\": {\"retry\": 0}}" >&"$NETDIAG_EVENTS"
"""
PROGRAMS = [
    param((sys.executable, "-c", PYTHON), id="python"),
    param(("bash", "-c", SHELL), id="shell"),
]


@pytest.mark.parametrize("command", PROGRAMS)
def test_any_program_can_keep_the_contract(command, tmp_path):
    client = ExecClient(command=command, settings=RedisPySettings(retry=0))
    code, events, log = run(client, tmp_path)
    assert code == 0
    assert [(event.what, event.outcome) for event in events] == [("call", "start"), ("got", "ok")]
    assert events[1].data == {"id": "10.0.0.2:6379", "settings": {"retry": 0}}
    assert log.startswith("to the log")
    assert library_version(client) is None


def run(client, tmp_path):
    """Start a client as a cell does; its exit code, its events, what it printed."""
    log_path, events_path = tmp_path / "client.log", tmp_path / "events.jsonl"
    reading, writing = os.pipe2(os.O_CLOEXEC)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
    main = client_main(client, WORKLOAD, server=("10.0.0.2", 6379), log=log, events=writing,
                       seed=7)
    child = fork(main, "client")
    os.close(writing)
    os.close(log)
    voice = ClientVoice(reading, Recorder(events_path), lambda _: None)
    while voice.ready():
        pass
    os.close(reading)
    return child.wait(), read_events(events_path), log_path.read_text()


def test_a_program_that_crashes_at_once_leaves_its_words_in_the_log(tmp_path):
    client = ExecClient(command=(sys.executable, "-c", "raise SystemExit('no such queue')"))
    code, events, log = run(client, tmp_path)
    assert (code, events, log) == (1, (), "no such queue\n")


def test_a_program_has_no_descriptor_but_its_own(tmp_path):
    listing = """
import os
print(sorted(map(int, os.listdir("/proc/self/fd"))), os.environ["NETDIAG_EVENTS"])
"""
    ours = {int(one.name) for one in Path("/proc/self/fd").iterdir()}
    inherited = {fd for fd in ours if open_and_inheritable(fd)}
    _, _, log = run(ExecClient(command=(sys.executable, "-c", listing)), tmp_path)
    numbers, events = log.strip().rsplit(" ", 1)
    listing_itself = 3
    assert set(json.loads(numbers)) - {int(events)} - inherited <= {0, 1, 2, listing_itself}


def open_and_inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def test_a_missing_program_is_a_sentence_before_anything_starts():
    with pytest.raises(LabError, match="command: the program 'no-such-app' cannot be found"):
        client_main(
            ExecClient(command=("no-such-app",)), WORKLOAD, server=("h", 1), log=1, events=2,
            seed=7,
        )


def test_the_shipped_client_tells_its_librarys_version():
    assert str(library_version(RedisPyClient())).count(".") >= 1


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_of_the_catalogue_has_its_file(name):
    found = importlib.import_module(f"netdiag.clients.{name.replace('-', '_')}")
    for function in ("require", "warm", "version", "apart", "main"):
        assert callable(getattr(found, function)), function
    model = CLIENTS[name].model
    assert {one.name for one in fields(model)} >= {"kind"}
    assert callable(model.timeouts)


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_of_the_catalogue_has_its_file(name):
    found = importlib.import_module(f"netdiag.servers.{name}")
    assert callable(found.require)
    assert callable(found.server_main)
