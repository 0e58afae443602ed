"""Baselines: the meaning of a run, as a small file that is committed beside a scenario.

    <dir>/<scenario>.json    sorted, one value a line: a diff shows what changed

The rule this file guards: a baseline is certain. A run with an UNKNOWN cell is none, and a file
that says something else than a run's meaning is refused with the place of what is wrong.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from netdiag.analysis.compare import Comparison, compare
from netdiag.analysis.decode import decode
from netdiag.analysis.meaning import Meaning, Meanings, meanings
from netdiag.analysis.model import VERSION as ANALYSIS_VERSION
from netdiag.analysis.model import Analysis, Outcome
from netdiag.errors import RecordingError
from netdiag.recording import read_object

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = 1
_KIND: Final = "netdiag baseline"
_DEFAULTS: Final = {
    one.name: one.default_factory() if callable(one.default_factory) else one.default
    for one in fields(Meaning)
}


def save_baseline(directory: Path, analysis: Analysis) -> Path:
    """Write `<directory>/<scenario>.json` and return it; an older one is replaced.

    Raises RecordingError when a cell is UNKNOWN, or when nothing can be written.
    """
    for cell in analysis.cells:
        if cell.outcome is Outcome.UNKNOWN:
            why = "; ".join(cell.unknown) or "an expectation could not be measured"
            raise RecordingError(
                f"cell {cell.id} is UNKNOWN ({why}), so it is no baseline; run the scenario again"
            )
    path = directory / f"{analysis.scenario}.json"
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        fresh.write_text(dump_baseline(meanings(analysis)), encoding="utf-8")
        fresh.replace(path)
    except OSError as err:
        raise RecordingError(
            f"cannot write {path}: {err.strerror}; give another directory"
        ) from err
    return path


def dump_baseline(held: Meanings) -> str:
    """The text of a baseline; the same for the same meaning, and without what is as usual."""
    cells = {name: [_short(run) for run in runs] for name, runs in held.cells.items()}
    whole = {"kind": _KIND, "version": VERSION, "scenario": held.scenario, "cells": cells}
    return json.dumps(whole, indent=1, sort_keys=True) + "\n"


def _short(run: Meaning) -> dict[str, Any]:
    plain = asdict(run, dict_factory=_plain)
    return {name: value for name, value in plain.items() if value != _DEFAULTS[name]}


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value.value if isinstance(value, Enum) else value for key, value in pairs}


def read_meanings(path: Path) -> Meanings:
    """The meaning in a file: a baseline, or a recording's analysis.json.

    Raises RecordingError when it is neither, or of a version that this netdiag does not read.
    """
    plain = read_object(path)
    try:
        return _baseline(plain) if plain.get("kind") == _KIND else meanings(read_analysis(plain))
    except ValueError as err:
        raise RecordingError(
            f"{path}: neither a baseline nor an analysis ({err}); "
            "save it again with `netdiag baseline save`"
        ) from err


def _baseline(plain: Mapping[str, Any]) -> Meanings:
    _check_version(plain, VERSION)
    scenario, cells = plain.get("scenario"), plain.get("cells")
    if not isinstance(scenario, str) or not isinstance(cells, Mapping):
        raise ValueError("scenario or cells are missing")
    held = {}
    for name, runs in cells.items():
        if not isinstance(runs, list) or not runs:
            raise ValueError(f"cells.{name} is no list of runs")
        held[name] = tuple(
            decode(Meaning, run, f"cells.{name}[{index}]") for index, run in enumerate(runs)
        )
    return Meanings(scenario, held)


def read_analysis(plain: Mapping[str, Any]) -> Analysis:
    """What `Analysis.to_json` gave -> the same Analysis. Raises ValueError."""
    _check_version(plain, ANALYSIS_VERSION)
    return decode(Analysis, plain)


def _check_version(plain: Mapping[str, Any], known: int) -> None:
    version = plain.get("version")
    if version != known:
        raise ValueError(f"version {version!r}, this netdiag reads {known}")


def compare_with_baseline(directory: Path, analysis: Analysis) -> Comparison:
    """Compare an analysis with the baseline of its scenario in `directory` (or with that file).

    Raises RecordingError when there is none, or when it cannot be read.
    """
    return compare(read_baseline(directory, analysis.scenario), meanings(analysis))


def read_baseline(directory: Path, scenario: str) -> Meanings:
    """The baseline of a scenario in `directory`, or that file.

    Raises RecordingError when there is none, or when it cannot be read.
    """
    path = directory if directory.is_file() else directory / f"{scenario}.json"
    if not path.is_file():
        raise RecordingError(
            f"{directory} holds no baseline of {scenario} ({path.name}); "
            f"save one with `netdiag baseline save RECORDING {directory}`"
        )
    return read_meanings(path)
