"""A bound as people write it -> the value: `<= read_timeout + 1s` -> Compare.

Bounds of numbers are written as `3s` (what that means is the kind's row: at most, or exactly),
`<= 3s`, `2s .. 4s`, `[2s, 4s]`, a formula in place of any number, `any`, and, for times, `never`.

The rule this file guards: a bound that was read can be judged; wrong units, unknown settings and
empty ranges end here.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from netdiag.scenario.expectation import (
    Anything,
    Between,
    Bound,
    Compare,
    ExpectationKind,
    Never,
    Sign,
)
from netdiag.scenario.formula import NAMES, Dimension, Number, Tree, dimension
from netdiag.scenario.grammar import parse_formula
from netdiag.units import shown

_SIGNS: dict[str, Sign] = {"<=": "<=", "<": "<", ">=": ">=", ">": ">", "==": "==", "=": "==",
                           "!=": "!="}
_SIGNED = re.compile(r"\s*(<=|>=|==|!=|<|>|=)\s*(.*)", re.DOTALL)


def _tree(raw: object, measures: Dimension) -> Tree:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(f"{shown(raw)} is no bound; {_HOW[measures]}")
    if isinstance(raw, int | float):
        if raw < 0:
            raise ValueError(f"{raw} is less than nothing; {_HOW[measures]}")
        return Number(float(raw))
    if raw.strip().isidentifier() and not get_close_matches(raw.strip(), NAMES):
        raise ValueError(f"{shown(raw)} is no bound; {_HOW[measures]}")
    tree = parse_formula(raw)
    if dimension(tree) not in (measures, "either"):
        raise ValueError(f"{shown(raw)} is in {_NOUN[dimension(tree)]}, but {_NOUN[measures]} are "
                         f"compared here; {_HOW[measures]}")
    return tree


_NOUN: dict[Dimension, str] = {"seconds": "seconds", "count": "counts", "either": "numbers"}
_HOW: dict[Dimension, str] = {
    "seconds": "write a time such as 3s, '<= read_timeout + 1s', 2s .. 4s, never or any",
    "count": "write a number such as 0, '>= 3', 1 .. 3 or any",
    "either": "write a number",
}


def parse_bound(raw: object, kind: ExpectationKind) -> Bound:
    """A bound as it is written -> the value. Raises ValueError."""
    measures = kind.measures or "either"
    if raw == "any":
        return Anything()
    if raw == "never":
        if measures != "seconds":
            raise ValueError(f"'never' belongs to times; {_HOW[measures]}")
        return Never()
    pair = raw if isinstance(raw, list | tuple) else raw.split("..") \
        if isinstance(raw, str) and ".." in raw else None
    if pair is not None:
        if len(pair) != 2:
            raise ValueError(f"a range has two ends and this one {len(pair)}; {_HOW[measures]}")
        low, high = (_tree(end, measures) for end in pair)
        if isinstance(low, Number) and isinstance(high, Number) and low.value > high.value:
            raise ValueError(f"the range {text_of(raw)} ends before it begins; swap its ends")
        return Between(low, high)
    signed = _SIGNED.fullmatch(raw) if isinstance(raw, str) else None
    if signed:
        return Compare(_SIGNS[signed[1]], _tree(signed[2], measures))
    return Compare(kind.sign, _tree(raw, measures))


def text_of(raw: object) -> str:
    """A bound as reports quote it, on one line."""
    if isinstance(raw, dict):
        return ", ".join(f"{key}={text_of(value)}" for key, value in raw.items())
    if isinstance(raw, list | tuple):
        return " .. ".join(text_of(one) for one in raw)
    if raw is None or isinstance(raw, bool):
        return shown(raw)
    return " ".join(str(raw).split())
