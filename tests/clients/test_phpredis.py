"""phpredis: its settings in the terms of kernels, and what is said when PHP is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import TypeAdapter
from pytest import param

from netdiag.catalogue import PhpRedisClient, PhpRedisSettings
from netdiag.clients import phpredis
from netdiag.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

settings_of = TypeAdapter(PhpRedisSettings).validate_python

TIMEOUTS = [
    param({}, (60.0, 60.0, None), id="php.ini's own 60 s"),
    param({"default_socket_timeout": "5s"}, (5.0, 5.0, None), id="php.ini's"),
    param({"read_timeout": "2s", "default_socket_timeout": "5s"}, (2.0, 5.0, None), id="its own"),
    param({"read_timeout": None, "connect_timeout": None}, (None, 60.0, None), id="for ever"),
    param({"default_socket_timeout": None}, (None, None, None), id="php.ini says for ever"),
    param({"read_timeout": 0, "connect_timeout": "2s"}, (0.0, 2.0, None), id="0 ends at once"),
    param({"keepalive": 10}, (60.0, 60.0, 7875), id="10 is only on"),
    param({"keepalive": "on"}, (60.0, 60.0, 7875), id="on"),
    param({"keepalive": "off"}, (60.0, 60.0, None), id="off"),
]


@pytest.mark.parametrize(("written", "meant"), TIMEOUTS)
def test_settings_mean_what_phpredis_makes_of_them(written, meant) -> None:
    found = PhpRedisClient(settings=settings_of(written)).timeouts("5.3.7")
    total = found.keepalive.total if found.keepalive else None
    assert (found.read_timeout, found.connect_timeout, total) == meant
    assert (found.user_timeout, found.retry, found.health_check_interval) == (None, 0, None)


@pytest.mark.parametrize(("written", "what"), [
    ({"keepalive": "10s"}, "nothing for OPT_TCP_KEEPALIVE; write off, on, or a whole number"),
    ({"keepalive": True}, "nothing for OPT_TCP_KEEPALIVE"),
    ({"keepalive": -1}, "nothing for OPT_TCP_KEEPALIVE"),
    ({"default_socket_timeout": "1500ms"}, "php.ini takes whole seconds"),
    ({"pconnect": "yes"}, "neither true nor false"),
])
def test_what_cannot_be_is_refused_with_a_cure(written, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        settings_of(written)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A PATH of our own, and nothing known of any PHP."""
    monkeypatch.setenv("PATH", str(tmp_path))
    phpredis._versions.cache_clear()
    yield tmp_path
    phpredis._versions.cache_clear()


PHPS = [
    param(None, "needs PHP's command line; on Debian: apt-get install php-cli php-redis",
          id="no PHP"),
    param('echo \'["8.2.0",false]\'', "has no extension redis .phpredis.; on Debian: apt-get",
          id="no extension"),
    param("echo segfault", "cannot say its version; on Debian: apt-get", id="a broken PHP"),
]


@pytest.mark.parametrize(("script", "why"), PHPS)
def test_what_is_missing_is_one_sentence_with_the_packages(programs, script, why) -> None:
    if script is not None:
        (programs / "php").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "php").chmod(0o755)
    with pytest.raises(LabError, match=why) as refusal:
        phpredis.require(PhpRedisClient())
    assert "\n" not in str(refusal.value)
