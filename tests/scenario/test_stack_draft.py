"""A team's compose file becomes a scenario that loads: who consumes, who serves, who fills."""

from __future__ import annotations

import pytest

from netdiag.errors import ScenarioError
from netdiag.scenario import expand, loads
from netdiag.scenario.stack_draft import stack_draft, stack_in

CELERY = """
x-app: &app {build: ./project, env_file: .env}
services:
  web: {<<: *app, command: uvicorn main:app, ports: ["8000:8000"]}
  beat: {<<: *app, command: celery -A app beat}
  dashboard: {<<: *app, command: celery flower, ports: ["5555:5555"]}
  celery_worker: {<<: *app, command: [celery, -A, app, worker, -Q, mails]}
  cache: {image: "redis:7-alpine"}
  redis-commander: {image: rediscommander/redis-commander}
  db: {image: "postgres:15", ports: ["5432:5432"]}
"""
SIDEKIQ = """
services:
  app: {image: shop}
  jobs: {image: shop, command: bundle exec sidekiq}
  broker: {image: valkey/valkey}
"""
RQ = "services: {q: {image: x, command: rq worker}, redis: {image: redis}}"


def stack(tmp_path, text, **asked):
    file = tmp_path / "compose.yml"
    file.write_text(text)
    return stack_in(file, **{"client": None, "server": None, **asked})


@pytest.mark.parametrize(("text", "client", "server", "key", "maker"), [
    pytest.param(CELERY, "celery_worker", "cache", "mails", "web", id="celery"),
    pytest.param(SIDEKIQ, "jobs", "broker", "queue:default", None, id="sidekiq"),
    pytest.param(RQ, "q", "redis", "rq:queue:default", None, id="rq"),
])
def test_who_is_who_is_proposed_and_the_draft_loads(tmp_path, text, client, server, key, maker):
    made = stack(tmp_path, text)
    assert (made.client, made.server, made.key, made.maker) == (client, server, key, maker)
    (cell,) = expand(loads(stack_draft("worker", made))).cells
    assert (cell.lab.client, cell.lab.server, cell.workload.key) == (client, server, key)
    assert [entry.by.service for entry in cell.workload.produce if entry.by] == (
        [maker] if maker and "celery" in text else [])


def test_who_is_named_is_taken_and_a_name_that_is_not_there_is_refused(tmp_path):
    assert stack(tmp_path, CELERY, client="beat", server="db").client == "beat"
    with pytest.raises(ScenarioError, match="no service is called 'wroker'"):
        stack(tmp_path, CELERY, client="wroker")


@pytest.mark.parametrize(("text", "sentence"), [
    ("services: {web: {image: x}, redis: {image: redis}}", "which service consumes"),
    ("services: {worker: {image: x}}", "which service is the Redis server"),
    ("services: [", "is no YAML"),
    ("{a: 1}", "no services are in it"),
    ("services: {1: {}}", "no services are in it"),
    ('services: {"a: b": {image: redis}}', "no services are in it"),
    ("services: {worker: null, redis: 7}", None),
    ("&a [*a]", "no services are in it"),
])
def test_what_cannot_be_read_or_told_is_a_sentence(tmp_path, text, sentence):
    if sentence is None:
        assert stack(tmp_path, text).client == "worker"
        return
    with pytest.raises(ScenarioError, match=sentence) as refusal:
        stack(tmp_path, text)
    assert "\n" not in str(refusal.value)
