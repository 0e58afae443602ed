"""A compose file that somebody else wrote, for users who never heard of netdiag, runs unchanged.

`smartapi init` (smartapi-cli of PyPI, MIT licence) makes a web application, Redis, a Celery worker,
PostgreSQL and Flower. Nothing of it is kept here: it is fetched when the test runs. There is no
registry where CI runs, so the images that it names are made of our own; its files stay as they are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.lab.docker.machine import engine_or_skip, listing, unchanged
from tests.run.running import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GENERATOR = "smartapi-cli==0.1.5"
WEB = ("fastapi", "uvicorn")
INIT = "import sys; sys.argv = ['smartapi', 'init']; from smartapi.cli import main; main()"
JOB = """
from app.core.celery_app import celery_app

@celery_app.task
def receipt(order):
    return order
"""
CUSTOMERS = """
import time, urllib.request
from app.jobs.mail import receipt
for order in range(44):
    urllib.request.urlopen('http://localhost:8000/').read()
    receipt.delay(order)
    time.sleep(0.5)
"""
SCENARIO = f"""
name: others
lab:
  compose: others/docker-compose.yml
  client: worker
  without: [db, flower]
client: {{kind: service}}
workload:
  key: celery
  produce: [{{at: 1s, by: {{service: api, run: [python3, -c, {json.dumps(CUSTOMERS)}]}}}}]
faults: [{{name: cut, at: {{phase: blocked, after: 4s}}, do: blackhole, for: 10s}}]
expect: {{recovered_within: 12s, lost: 0}}
duration: 30s
"""


def run(*words: str | Path, where: Path | None = None, library: Path | None = None) -> str:
    """A command's output; the test fails with its last words."""
    env = {**os.environ, **({"PYTHONPATH": str(library)} if library else {})}
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False,
                          cwd=where, env=env, timeout=120)
    assert done.returncode == 0, done.stderr[-800:]
    return done.stdout


def fetched(*words: str | Path) -> None:
    """Have pip fetch something; the test is skipped where it cannot."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run([*pip, *map(str, words)], capture_output=True, text=True, check=False,
                          timeout=120)
    if done.returncode:
        pytest.skip(f"pip cannot fetch it here: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Home]:
    """The generated project in `others/`, with its images."""
    engine_or_skip("redis", "shop")
    library, home, context = tmp_path / "library", Home(tmp_path), tmp_path / "context"
    fetched("install", "--target", library, GENERATOR)
    fetched("download", "--dest", context / "wheels", "--only-binary", ":all:",
            "--python-version", "3.11", *WEB)
    project = tmp_path / "others"
    project.mkdir()
    run(sys.executable, "-c", INIT, where=project, library=library)
    (project / "app/jobs/mail.py").write_text(JOB)
    (project / "app/jobs/__init__.py").write_text("import app.jobs.mail\n")
    (context / "Dockerfile").write_text(
        "FROM netdiag/shop\nCOPY wheels /more\nWORKDIR /app\n"
        "RUN python3 -m pip install --break-system-packages --no-index --find-links /more "
        f"{' '.join(WEB)}\n"
        'CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000"]\n')
    with ExitStack() as undo:
        for image in ("others_api", "others_worker"):
            run("docker", "build", "--quiet", "--tag", image, context)
            undo.callback(run, "docker", "rmi", image)
        if not run("docker", "images", "--quiet", "redis:7"):
            run("docker", "tag", "netdiag/redis", "redis:7")
            undo.callback(run, "docker", "rmi", "redis:7")
        yield home


def test_its_worker_is_cut_from_redis_and_consumes_again(team: Home) -> None:
    compose = (team.root / "others/docker-compose.yml").read_bytes()
    before = listing()
    with team.start("run", team.write(SCENARIO), "--out", team.out, "--lab", "docker",
                    "--json") as process:
        out, err = process.communicate(timeout=200)
    assert out, err.decode()
    (cell,) = json.loads(out)["cells"]
    assert cell["outcome"] == "PASS", (cell["unknown"], cell["verdicts"])
    full = cell["backlog"]
    assert full["most"] >= 10, "two orders a second, and nobody takes them for ten seconds"
    assert full["last"] < full["most"] / 2
    fates = [one["fate"] for one in cell["messages"]]
    assert len(fates) > full["most"]
    assert set(fates) <= {"delivered", "late", "unknown"}
    assert fates.count("late") >= full["most"] / 2, "they waited in the queue"
    assert all(one["id"].startswith("app.jobs.mail.receipt[") for one in cell["messages"])
    assert (team.root / "others/docker-compose.yml").read_bytes() == compose
    assert unchanged(before)
