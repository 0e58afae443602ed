"""Environments with another version of a library: made, named, found, removed; without network."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from netdiag.catalogue import RedisPyClient
from netdiag.clients.environments import add, environments, interpreter, place, remove
from netdiag.clients.redis_py import require
from netdiag.clients.start import library_version
from netdiag.errors import LabError, ScenarioError
from tests.cli.calling import call

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = {
    "redis/__init__.py": "__version__ = '0.1.2'\n",
    "redis-0.1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: redis\nVersion: 0.1.2\n",
    "redis-0.1.2.dist-info/WHEEL":
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "redis-0.1.2.dist-info/RECORD": "",
}


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data directory of our own, and an index that holds one wheel."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with zipfile.ZipFile(tmp_path / "redis-0.1.2-py3-none-any.whl", "w") as wheel:
        for name, text in WHEEL.items():
            wheel.writestr(name, text)


def test_an_environment_is_made_named_listed_and_removed(tmp_path: Path) -> None:
    added = call("clients", "add", "redis-py==0.1.2")
    assert (added.code, added.error) == (0, "")
    assert added.out.startswith("redis-py==0.1.2: version 0.1.2, Python 3.")
    [made] = environments()
    assert interpreter("redis-py==0.1.2") == str(made.interpreter)
    client = RedisPyClient(python="redis-py==0.1.2")
    require(client)
    assert library_version(client) == "0.1.2"
    assert "redis-py==0.1.2  0.1.2" in call("clients", "list").out
    assert call("clients", "remove", "redis-py==0.1.2").out == "redis-py==0.1.2: removed\n"
    assert environments() == ()
    assert list(place().iterdir()) == []


def test_a_version_that_does_not_exist_leaves_nothing_behind() -> None:
    with pytest.raises(LabError, match=r"redis==9\.9\.9 cannot be installed: .*9\.9\.9"):
        add("redis-py==9.9.9")
    assert list(place().iterdir()) == []


def test_one_that_works_stays_until_another_has_taken_its_place(tmp_path: Path) -> None:
    made = add("redis-py==0.1.2")
    wheel = tmp_path / "redis-0.1.2-py3-none-any.whl"
    text = wheel.read_bytes()
    wheel.unlink()
    with pytest.raises(LabError, match="cannot be installed"):
        add("redis-py==0.1.2")
    assert environments() == (made,)
    require(RedisPyClient(python="redis-py==0.1.2"))
    assert [one.name for one in place().iterdir()] == ["redis-py==0.1.2"]
    made.directory.rename(place() / ".redis-py==0.1.2")  # as an `add` that was killed leaves it
    (made.directory / "bin").mkdir(parents=True)
    with pytest.raises(LabError, match="cannot be installed"):
        add("redis-py==0.1.2")
    assert environments() == (made,)
    wheel.write_bytes(text)
    (made.directory / "old").touch()
    assert add("redis-py==0.1.2") == made
    assert not (made.directory / "old").exists()
    assert [one.name for one in place().iterdir()] == ["redis-py==0.1.2"]


@pytest.mark.parametrize("arguments", [["add", "redis==5.0"], ["remove", "nope"],
                                       ["remove", "redis-py==9.9"]])
def test_a_mistake_in_the_name_is_64(arguments: list[str]) -> None:
    assert call("clients", *arguments).code == 64


def test_an_environment_that_is_not_whole_is_none() -> None:
    (place() / "redis-py==1.0" / "bin").mkdir(parents=True)
    assert environments() == ()
    with pytest.raises(LabError, match=r"no environment redis-py==1.0; `netdiag clients add redis"):
        interpreter("redis-py==1.0")
    remove("redis-py==1.0")
    assert not (place() / "redis-py==1.0").exists()


@pytest.mark.parametrize("name", ["redis", "redis-py", "redis-py==", "redis-py==../x",
                                  "phpredis==5", "redis-py==1.0 --index-url=http://x", "../a==1"])
def test_what_is_no_client_with_a_version_is_refused(name: str) -> None:
    for act in (add, remove):
        with pytest.raises(ScenarioError, match="is no client with a version; write one such as"):
            act(name)


@pytest.mark.parametrize(("python", "why"), [
    ("/no/such/python", "cannot be found; give an interpreter's path"),
    ("redis-py==2.10", "there is no environment redis-py==2.10"),
    ("true", "has no redis-py that can be imported"),
])
def test_a_python_that_cannot_be_used_is_a_sentence(python: str, why: str) -> None:
    with pytest.raises(LabError, match=why):
        require(RedisPyClient(python=python))
