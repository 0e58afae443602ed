"""Text -> a formula's tree: arithmetic over a cell's settings, and nothing else.

The rule this file guards: a formula is parsed by this grammar and never by eval; length and depth
are bounded.

    expression = term (("+" | "-") term)*          term = factor (("*" | "/") factor)*
    factor = number | duration | name | ("min" | "max") "(" expression ("," expression)* ")"
           | "(" expression ")"
"""

from __future__ import annotations

import re

from netdiag.scenario.formula import (
    FUNCTIONS,
    NAMES,
    Call,
    Number,
    Operation,
    Setting,
    Tree,
    dimension,
)
from netdiag.units import did_you_mean, parse_duration, shown

_MAX_LENGTH = 200
_MAX_DEPTH = 20
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d{1,12}(?:\.\d{1,9})?(?:ms|us|[dhms])(?![a-z_]))+"
    r"|\d{1,12}(?:\.\d{1,9})?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_.-]*[A-Za-z0-9_]|[A-Za-z_])|(?P<sign>[-+*/(),]))")


def parse_formula(text: str) -> Tree:
    """Text -> tree. Raises ValueError that says what is wrong and what would be right."""
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"the formula {shown(text)} has {len(text)} characters; "
                         f"write at most {_MAX_LENGTH}")
    parser = _Parser(_tokens(text), text)
    tree = parser.expression(0)
    parser.end()
    dimension(tree)
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ValueError(f"{shown(text[at:].strip())} cannot be read; write a formula such as "
                             "read_timeout + 1s")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *signs: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at] in [("sign", s) for s in signs]:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def need(self, sign: str) -> None:
        if not self.take(sign):
            found = shown(self.peek()) if self.peek() else "the end"
            raise ValueError(f"{found} stands in {shown(self.text)} where '{sign}' should be; "
                             "close what was opened")

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise ValueError(f"{shown(self.peek())} is left over in {shown(self.text)}; write a "
                             "formula such as read_timeout + 1s")

    def expression(self, depth: int) -> Tree:
        if depth > _MAX_DEPTH:
            raise ValueError(f"the formula is nested deeper than {_MAX_DEPTH}; make it simpler")
        tree = self.term(depth)
        while sign := self.take("+", "-"):
            tree = Operation(sign, tree, self.term(depth))
        return tree

    def term(self, depth: int) -> Tree:
        tree = self.factor(depth)
        while sign := self.take("*", "/"):
            tree = Operation(sign, tree, self.factor(depth))
        return tree

    def factor(self, depth: int) -> Tree:
        if self.take("("):
            tree = self.expression(depth + 1)
            self.need(")")
            return tree
        if self.at >= len(self.tokens) or self.tokens[self.at][0] == "sign":
            found = shown(self.peek()) if self.peek() else "the end"
            raise ValueError(f"{found} stands in {shown(self.text)} where a value should be; write "
                             "a number, a duration or a setting")
        group, word = self.tokens[self.at]
        self.at += 1
        if group == "number":
            timed = word[-1].isalpha()
            return Number(parse_duration(word), "seconds") if timed else Number(float(word))
        if word in FUNCTIONS and self.take("("):
            arguments = [self.expression(depth + 1)]
            while self.take(","):
                arguments.append(self.expression(depth + 1))
            self.need(")")
            return Call(word, tuple(arguments))
        if word not in NAMES:
            raise ValueError(f"{shown(word)} is no setting that a formula can use; "
                             f"{did_you_mean(word, tuple(NAMES))}")
        return Setting(word)
