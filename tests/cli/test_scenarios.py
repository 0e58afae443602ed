"""`netdiag scenarios` and `netdiag completion`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from netdiag.cli.completion import LINES

from .calling import call

SHIPPED = sorted(path.stem for path in (Path(__file__).parents[2] / "scenarios").glob("*.yaml"))


def test_one_line_each() -> None:
    called = call("scenarios")
    lines = called.out.splitlines()
    assert called.code == 0
    assert [line.split()[0] for line in lines] == SHIPPED
    assert all(line.endswith(".") and len(line.split()) > 4 for line in lines)


def test_json_has_the_whole_text() -> None:
    held = json.loads(call("scenarios", "--json").out)
    assert [one["name"] for one in held] == SHIPPED
    assert all(one["about"] for one in held)


@pytest.mark.parametrize("shell", LINES)
def test_completion_prints_the_line_of_a_shell(shell: str) -> None:
    called = call("completion", shell)
    comment, line = called.out.splitlines()
    assert (called.code, comment[:5]) == (0, "# in ")
    assert f"_NETDIAG_COMPLETE={shell}_source netdiag" in line


def test_completion_takes_the_shell_that_one_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for shell, expected in (("/usr/bin/fish", "fish"), ("/bin/dash", "bash"), ("", "bash")):
        monkeypatch.setenv("SHELL", shell)
        assert f"={expected}_source" in call("completion").out


@pytest.mark.parametrize(("words", "found"), [
    ("netdiag val", {"validate"}), ("netdiag baseline ", {"save"}),
    ("netdiag schema --an", {"--analysis"}), ("netdiag completion z", {"zsh"}),
    ("netdiag plan brp", {"brpop-zombie"}), ("netdiag validate ./x", {"./x"}),
])
def test_a_shell_completes(words: str, found: set[str]) -> None:
    """What bash is told when a person presses the tabulator key."""
    parts = words.split(" ")
    environment = {**os.environ, "_NETDIAG_COMPLETE": "bash_complete", "COMP_WORDS": words,
                   "COMP_CWORD": str(len(parts) - 1)}
    start = "import sys; sys.argv[0] = 'netdiag'; from netdiag.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", start], env=environment, capture_output=True,
                          text=True, check=True)
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == found
