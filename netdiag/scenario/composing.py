"""YAML text -> a tree of nodes that know their places. YAML 1.2, safe, duplicate keys are errors.

The rule this file guards: whatever the bytes are, the answer is a tree or a list of mistakes, soon.
Size, depth and the number of values (aliases counted as often as they are used) are bounded, and
scalars are resolved by the small table here, not by a library's idea of dates and base 60.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from netdiag.scenario.nodes import (
    Entry,
    Leaf,
    Listing,
    Mistake,
    Node,
    Place,
    Table,
    Unreadable,
)
from netdiag.units import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_VALUES = 20_000

_STR_TAGS = (None, "", "!", "tag:yaml.org,2002:str")
_BAD_CHARACTER = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029\ufeff]")
_HINTS = (
    ("\\t", "indent with spaces, never with tabs"),
    ("mapping values are not allowed", "quote text that contains ': '"),
    ("expected <block end>", "lines of one block begin in the same column"),
    ("could not find expected ':'", "write 'key: value'"),
    ("undefined alias", "an anchor stands before its aliases"),
    ("found unexpected end of stream", "close the quote"),
)


def compose(raw: bytes, file: str) -> tuple[Node, list[Mistake]]:
    """Bytes of a file -> its tree, and the mistakes that did not keep it from being read (keys
    written twice: the first one stays; tags). Raises Unreadable with the one that did."""
    composer = _Composer(_decode(raw, file), file)
    return composer.document(), composer.mistakes


def _decode(raw: bytes, file: str) -> str:
    start = Place(file, 1, 1)
    if len(raw) > MAX_BYTES:
        raise Unreadable(Mistake(start, f"the file has {len(raw)} bytes; a scenario has at most "
                                        f"{MAX_BYTES}"))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        before = raw[:err.start]
        place = Place(file, before.count(b"\n") + 1,
                      len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1)
        raise Unreadable(Mistake(place, f"byte 0x{raw[err.start]:02x} is not UTF-8; "
                                        "save the file as UTF-8")) from None
    bad = _BAD_CHARACTER.search(text)
    if bad:
        before_bad = text[:bad.start()]
        place = Place(file, before_bad.count("\n") + 1, len(before_bad.rpartition("\n")[2]) + 1)
        raise Unreadable(Mistake(place, f"control character U+{ord(bad[0]):04X}; remove it"))
    return text


_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = {word: value for value in (True, False)
         for word in (str(value).lower(), str(value), str(value).upper())}
_NUMBERS = (
    (re.compile(r"[-+]?[0-9]{1,18}"), int),
    (re.compile(r"0o[0-7]{1,20}"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]{1,15}"), lambda text: int(text[2:], 16)),
    (re.compile(r"(?=.*[.eE])[-+]?(\.[0-9]{1,300}|[0-9]{1,300}(\.[0-9]{0,300})?)([eE][-+]?[0-9]{1,3})?"),
     float),
)


def resolve(text: str) -> str | int | float | bool | None:
    """A plain scalar by the YAML 1.2 core schema, without infinities and NaN."""
    if _NULL.fullmatch(text):
        return None
    if text in _BOOL:
        return _BOOL[text]
    for pattern, read in _NUMBERS:
        if pattern.fullmatch(text):
            number: int | float = read(text)
            return number if math.isfinite(number) else text
    return text


class _Composer:
    """Builds the tree from ruamel's events, counting as it goes."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.events = self._events(text)
        self.anchors: dict[str, Node | None] = {}
        self.mistakes: list[Mistake] = []

    def _events(self, text: str) -> Iterator[ev.Event]:
        yaml = YAML(typ="safe", pure=True)
        try:
            yield from yaml.parse(text)
        except MarkedYAMLError as err:
            raise Unreadable(Mistake(self._at(err.problem_mark or err.context_mark),
                                     _sentence(err))) from None
        except (YAMLError, ValueError, IndexError, AttributeError, AssertionError,
                TypeError, KeyError, OverflowError) as err:
            # ruamel's scanner answers some hostile bytes with Python's own errors
            what = str(err).splitlines()[0][:80] if str(err) else type(err).__name__
            raise Unreadable(Mistake(Place(self.file, 1, 1),
                                     f"not YAML: {what}; see yaml.org/spec/1.2.2")) from None

    def _at(self, mark: Any) -> Place:  # noqa: ANN401  (ruamel's marks are untyped)
        return Place(self.file, mark.line + 1, mark.column + 1) if mark else \
            Place(self.file, 1, 1)

    def _fail(self, event: ev.Event, what: str) -> Unreadable:
        return Unreadable(Mistake(self._at(event.start_mark), what))

    def document(self) -> Node:
        """The one document of the stream."""
        root: Node | None = None
        for event in self.events:
            if isinstance(event, ev.DocumentStartEvent) and root is not None:
                raise self._fail(event, "a second document begins; keep one scenario in a file")
            if isinstance(event, ev.ScalarEvent | ev.AliasEvent | ev.CollectionStartEvent):
                root = self._node(event, 0)
        if root is None:
            raise Unreadable(Mistake(Place(self.file, 1, 1), "the file is empty; begin with "
                                                             "'name: my-scenario'"))
        return root

    def _node(self, event: Any, depth: int) -> Node:  # noqa: ANN401
        if isinstance(event, ev.AliasEvent):
            node = self.anchors.get(event.anchor)
            if node is None:
                inside = "stands inside its own anchor" if event.anchor in self.anchors else \
                    "has no anchor before it"
                raise self._fail(event, f"alias '*{event.anchor[:40]}' {inside}; "
                                        "define the anchor first")
            if depth + node.depth > MAX_DEPTH:
                raise self._fail(event, f"nested deeper than {MAX_DEPTH} levels; make it flatter")
            return node
        if depth > MAX_DEPTH:
            raise self._fail(event, f"nested deeper than {MAX_DEPTH} levels; make it flatter")
        if event.anchor:
            self.anchors[event.anchor] = None
        node = self._leaf(event) if isinstance(event, ev.ScalarEvent) else \
            self._listing(event, depth) if isinstance(event, ev.SequenceStartEvent) else \
            self._table(event, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _leaf(self, event: Any) -> Leaf:  # noqa: ANN401
        text: str = event.value
        tag = event.ctag.uri if hasattr(event.ctag, "uri") else event.tag
        if str(tag or "") not in [t or "" for t in _STR_TAGS]:
            self.mistakes.append(self._fail(event, f"tag {shown(str(tag))} has no meaning here; "
                                                   "write the plain value").mistake)
        if _BAD_CHARACTER.search(text):
            raise self._fail(event, "the text holds a control character; remove it")
        quoted = bool(tag) or event.style is not None
        return Leaf(text if quoted else resolve(text), text, self._at(event.start_mark))

    def _next(self) -> Any:  # noqa: ANN401
        return next(self.events)

    def _counted(self, event: Any, size: int) -> int:  # noqa: ANN401
        if size > MAX_VALUES:
            raise self._fail(event, f"more than {MAX_VALUES} values, aliases counted as often as "
                                    "they are used; make it smaller")
        return size

    def _listing(self, event: Any, depth: int) -> Listing:  # noqa: ANN401
        items: list[Node] = []
        size = 1
        while not isinstance(one := self._next(), ev.SequenceEndEvent):
            items.append(self._node(one, depth + 1))
            size = self._counted(one, size + items[-1].size)
        deepest = max((item.depth for item in items), default=0)
        return Listing(tuple(items), self._at(event.start_mark), size, deepest + 1)

    def _table(self, event: Any, depth: int) -> Table:  # noqa: ANN401
        entries: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        size = 1
        while not isinstance(one := self._next(), ev.MappingEndEvent):
            key = self._node(one, depth + 1)
            if not isinstance(key, Leaf):
                raise self._fail(one, "a key is a list or a mapping; write a word")
            value = self._node(self._next(), depth + 1)
            size = self._counted(one, size + 1 + value.size)
            place = self._at(one.start_mark)
            if key.text == "<<" and one.style is None:
                merged.update({k: e for k, e in self._merged(value).items() if k not in merged})
            elif key.text in entries:
                self.mistakes.append(Mistake(place, f"key {shown(key.text)} is already in line "
                                                    f"{entries[key.text].key.line}; keep one"))
            else:
                entries[key.text] = Entry(place, value)
        entries = {**{k: e for k, e in merged.items() if k not in entries}, **entries}
        size = self._counted(event, max(size, 1 + sum(1 + e.node.size for e in entries.values())))
        deepest = max((entry.node.depth for entry in entries.values()), default=0)
        return Table(entries, self._at(event.start_mark), size, deepest + 1)

    def _merged(self, value: Node) -> dict[str, Entry]:
        """What `<<: *base` or `<<: [*one, *two]` brings in; earlier ones win."""
        tables = value.items if isinstance(value, Listing) else (value,)
        found: dict[str, Entry] = {}
        for table in tables:
            if not isinstance(table, Table):
                raise Unreadable(Mistake(value.place, "'<<' takes a mapping, or a list of them; "
                                                      "write <<: *anchor"))
            found.update({k: e for k, e in table.entries.items() if k not in found})
        return found


def _sentence(err: MarkedYAMLError) -> str:
    problem = " ".join(str(err.problem or err.context or "not YAML").split())[:100]
    hint = next((hint for sign, hint in _HINTS if sign in problem),
                "see yaml.org/spec/1.2.2 for how it is written")
    return f"not YAML: {problem}; {hint}"
