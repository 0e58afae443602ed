"""Whole runs in containers: verdicts as in namespaces, Docker's own faults, a team's stack.

Real engine, real images; skipped, with the reason, where there are none.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from netdiag.lab.docker.compose import command
from netdiag.lab.offload import switched_on
from netdiag.process import CLONE_NEWNET, setns
from netdiag.scenario.shelf import compose_shelf
from tests.lab.docker.machine import engine_or_skip, listing, unchanged, wait_for_journal
from tests.run.running import Home, until

VERBS = """
name: verbs
client:
  settings: {keepalive: {idle: 2s, interval: 1s, count: 3}, read_timeout: null, retry: 0}
workload:
  pattern: brpop
  produce: [{at: {event: healed, after: 3s}, count: 1}]
faults: [{name: cut, at: blocked, do: {docker: pause}, for: 7s}]
matrix:
  faults.cut.do:
    disconnect: {docker: network_disconnect}
    client: {docker: {verb: network_disconnect, host: client}}
    pause: {docker: pause}
    kill: {docker: kill}
    blackhole: blackhole
expect: {lost: any}
duration: 14s
"""
SHORT = """
name: short
client: {settings: {keepalive: {idle: 2s, interval: 1s, count: 3}, read_timeout: null, retry: 0}}
hosts: {client: {net.ipv4.tcp_retries2: 9}, server: {net.ipv4.tcp_retries2: 8}}
workload: {pattern: brpop}
faults: [{name: cut, at: blocked, do: blackhole}]
expect: {detected_within: 6s}
duration: 8s
"""
TWICE = SHORT + "matrix: {client.settings.retry: [0, 1]}\n"


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def run(home: Home, text: str, *arguments: str) -> dict[str, dict]:
    with home.start("run", home.write(text), "--out", home.out, "--lab", "docker", "--json",
                    *arguments) as process:
        out, err = process.communicate(timeout=240)
    assert out, err.decode()
    return {cell["id"]: cell for cell in json.loads(out)["cells"]}


def test_every_verb_is_done_and_seen_and_what_it_does_to_the_client_is_its_own(home):
    engine_or_skip("redis", "redis-py")
    before = listing()
    cells = run(home, VERBS)
    assert [cell["outcome"] for cell in cells.values()] == ["PASS"] * 5, {
        name: cell["unknown"] for name, cell in cells.items()}
    acts = {name: " ".join(cell["faults"][0]["acts"]) for name, cell in cells.items()}
    assert "no link any more" in acts["disconnect"]
    assert "a new link" in acts["disconnect"]
    assert "paused" in acts["pause"]
    assert "running again" in acts["pause"]
    assert "exited with code 137" in acts["kill"]
    assert "started anew" in acts["kill"]
    # the link is gone: probes go out to nobody; the path is gone: the cable takes them
    asked = {name: cell["reach"] for name, cell in cells.items()}
    assert asked["disconnect"]["probes"] == asked["blackhole"]["probes"] == 3
    assert (asked["disconnect"]["taken"], asked["blackhole"]["taken"] >= 4) == (0, True)
    assert asked["client"]["probes"] == 0, "without a link of its own nothing leaves the client"
    noticed = {name: cell["noticed"] for name, cell in cells.items()}
    assert noticed["pause"] is None, "a paused server's kernel answers keepalive"
    assert noticed["kill"]["t"] < 1.5, "its kernel closes the connection"
    assert noticed["disconnect"]["errno"] == noticed["blackhole"]["errno"]
    assert unchanged(before)


def in_both_labs(home: Home, scenario: str) -> tuple[dict, dict]:
    """The scenario's cell in namespaces and in containers."""
    told = []
    for lab in ("namespaces", "docker"):
        with home.start("run", scenario, "--out", home.root / lab, "--json", "--lab",
                        lab) as process:
            out, err = process.communicate(timeout=240)
        assert out, err.decode()
        told += json.loads(out)["cells"]
    ours, theirs = told
    return ours, theirs


def test_a_scenario_of_the_spine_ends_as_in_namespaces(home):
    engine_or_skip("redis", "redis-py")
    for _ in range(2):  # once more where something else has held one of them up
        ours, theirs = in_both_labs(home, "reply-lost")
        least, most = sorted((ours["noticed"]["t"], theirs["noticed"]["t"]))
        near = most <= least * 1.05 + 0.1
        if near:
            break
    for part in ("outcome", "unknown"):
        assert ours[part] == theirs[part]
    assert [one["outcome"] for one in ours["verdicts"]] == [
        one["outcome"] for one in theirs["verdicts"]]
    assert [one["fate"] for one in ours["messages"]] == [one["fate"] for one in theirs["messages"]]
    assert near, (least, most)


def test_over_ipv6_and_with_sysctls_on_both_hosts(home):
    engine_or_skip("redis", "redis-py")
    (cell,) = run(home, SHORT, "--set", "lab.ip=6").values()
    assert cell["outcome"] == "PASS", cell["unknown"]
    assert cell["beliefs_at"].startswith("[fd")


def test_a_killed_run_is_cleaned_by_command_and_by_the_next_run(home):
    engine_or_skip("redis", "redis-py")
    before = listing()
    for clean in ("clean", "run"):
        with home.start("run", home.write(SHORT), "--out", home.out, "--lab", "docker") as process:
            wait_for_journal(set())
            assert until(lambda: b"fault" in home.events("short"), 60)
            for pid in (*home.processes(), process.pid):  # the warden too: nobody can tidy up
                with suppress(ProcessLookupError):  # it has gone with its namespace
                    os.kill(pid, signal.SIGKILL)
        assert listing() != before
        if clean == "clean":
            done = home.run("clean")
            assert "removed" in done.out, done.err
        else:
            run(home, SHORT)
        assert unchanged(before)
        shutil.rmtree(home.out)


def test_when_only_the_front_is_killed_its_warden_tidies_up(home):
    engine_or_skip("redis", "redis-py")
    before = listing()
    with home.start("run", home.write(SHORT), "--out", home.out, "--lab", "docker") as process:
        assert until(lambda: b"fault" in home.events("short"), 60)
        process.kill()
    assert unchanged(before)


def state_of(project: str, service: str) -> object:
    """What a container's kernel holds that a run may change: sysctls, offloads, neighbours."""
    asked = subprocess.run(
        ["docker", "ps", "-q", "--filter", f"label=com.docker.compose.project={project}",
         "--filter", f"label=com.docker.compose.service={service}"],
        capture_output=True, text=True, check=True)
    pid = subprocess.run(["docker", "inspect", "-f", "{{.State.Pid}}", asked.stdout.strip()],
                         capture_output=True, text=True, check=True).stdout.strip()
    here, there = (os.open(f"/proc/{one}/ns/net", os.O_RDONLY) for one in ("self", pid))
    try:
        setns(there, CLONE_NEWNET)
        retries = Path("/proc/sys/net/ipv4/tcp_retries2").read_text(encoding="ascii")
        neighbours = subprocess.run(["ip", "neigh", "show", "nud", "permanent"],
                                    capture_output=True, text=True, check=True).stdout
        return pid, retries, neighbours, switched_on("eth0")
    finally:
        setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


@pytest.mark.parametrize("end", ["by itself", "killed"])
def test_an_attached_stack_is_left_as_it_was(home, end):
    engine_or_skip("redis", "redis-py")
    project = f"netdiagtest{os.getpid()}"
    compose = [*command(), "--project-name", project, "--file",
               str(compose_shelf() / "redis-consumer.yml")]
    subprocess.run([*compose, "up", "--detach", "--no-build"], check=True, capture_output=True)
    try:
        states = [state_of(project, service) for service in ("client", "redis")]
        before = listing()
        if end == "by itself":
            cells = run(home, TWICE, "--attach", project)  # the second finds what the first found
            assert [cell["outcome"] for cell in cells.values()] == ["PASS"] * 2, cells
        else:
            with home.start("run", home.write(SHORT), "--out", home.out, "--lab", "docker",
                            "--attach", project) as process:
                assert until(lambda: b"fault" in home.events("short"), 60)
                for pid in (*home.processes(), process.pid):
                    os.kill(pid, signal.SIGKILL)
            assert home.run("clean").code == 0
        assert unchanged(before)
        assert [state_of(project, service) for service in ("client", "redis")] == states
    finally:
        subprocess.run([*compose, "down"], check=True, capture_output=True)


@pytest.mark.parametrize(("more", "sentence"), [
    ("server: {config: {tcp-keepalive: 6}}\n", "would change the attached stack's server"),
    ("", "no compose project of that name has containers here"),
])
def test_a_stack_that_cannot_be_attached_to_is_refused_before_anything_starts(home, more, sentence):
    engine_or_skip("redis", "redis-py")
    done = home.run("run", home.write(SHORT + more), "--out", home.out, "--lab", "docker",
                    "--attach", "nosuchproject")
    assert done.code == 3
    assert sentence in done.err
    assert not list(home.out.glob("*/*"))


def test_somebody_elses_compose_file_runs_unchanged_and_its_worker_consumes_again(home):
    engine_or_skip("redis", "shop")
    with home.start("run", "celery-worker", "--out", home.out, "--lab", "docker", "--json") as one:
        out, _ = one.communicate(timeout=240)
    (cell,) = json.loads(out)["cells"]
    assert cell["outcome"] == "PASS", (cell["unknown"], cell["verdicts"])
    lengths = [int(one["text"].split()[0]) for one in cell["timeline"] if "in the queue" in
               one["text"]]
    assert max(lengths) >= 8, "two orders a second, and nobody takes them for twelve seconds"
    assert lengths[-1] < max(lengths) / 2, "the worker has caught up"


def test_docker_faults_need_the_docker_lab(home):
    done = home.record(VERBS, "--only", "pause", "--lab", "namespaces")
    assert done.code == 64
    assert "run it with --lab docker" in done.err


HABITS = """
services:
  redis:
    image: netdiag/redis
    container_name: the-broker
    command: sh -c 'redis-server --port 6400 --requirepass "s3cret" --bind 0.0.0.0'
    ports: ["6379:6400"]
    networks: [store]
  worker:
    image: netdiag/redis
    restart: always
    user: nobody
    entrypoint: [timeout, "4"]
    command: [redis-cli, -h, the-broker, -p, "6400", -a, s3cret, BRPOP, jobs, "0"]
    networks: [front, store]
    depends_on: [redis]
  shell:
    image: netdiag/redis
    command: [sleep, infinity]
    networks: [store]
    depends_on: [worker]
  tests:
    image: no-such-image
    profiles: [ci]
networks: {front: {}, store: {}}
"""
QUICK = """
name: habits
lab: {compose: team.yml, client: worker}
client: {kind: service}
workload:
  key: jobs
  produce:
    - {at: {event: healed, after: 1s}, count: 9, rate: 1/s, by: {service: shell, run:
       'redis-cli -h the-broker -p 6400 -a s3cret LPUSH jobs task-$$'}}
faults: [{name: cut, at: blocked, do: blackhole, for: 7s}]
expect: {recovered_within: 14s}
duration: 22s
"""


def test_a_worker_that_dials_at_once_and_is_started_again_meets_the_cable_every_time(home):
    """A broker found by its container's name, another port, a password, a restart policy, two
    networks, a service behind the client's, a profile that nobody asked for.
    """
    engine_or_skip("redis")
    before = listing()
    (home.root / "team.yml").write_text(HABITS)
    for _ in range(3):  # on a busy machine the engine may be faster than we are, and that is told
        (cell,) = run(home, QUICK).values()
        if "passed by the cable" not in str(cell["unknown"]):
            break
    assert cell["outcome"] == "PASS", (cell["unknown"], cell["verdicts"])
    shown = [entry["text"] for entry in cell["timeline"] if entry["lane"] == "client.kernel"]
    assert shown[0].startswith("SYN"), "the cable was there before the first dial"
    taken = cell["faults"][0]["taken"]
    assert {"client syn", "client data", "not tcp"} & taken.keys(), \
        "it was started again behind the cut, and dialled in vain"
    again = [entry for entry in cell["timeline"] if "its restart policy" in entry["reason"]]
    assert again, "its end and its return are told"
    assert any(one["fate"] in ("delivered", "late") for one in cell["messages"])
    assert unchanged(before)
