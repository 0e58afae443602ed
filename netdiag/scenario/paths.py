"""Paths such as `client.settings.read_timeout`: finding them in a tree, and changing it there.

The rule this file guards: changing a tree gives another tree; nodes keep the places where they
were written, so a mistake in a matrix value is reported in the matrix.

A mapping over a mapping is merged (its keys replace); anything else replaces. The values in ATOMIC
mean one thing as a whole, so they are never merged. Faults are found by number or by name.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from netdiag.scenario.nodes import Entry, Leaf, Listing, Mistake, Node, Place, Table
from netdiag.units import shown

ROOTS = ("lab", "server", "client", "clients", "workload", "hosts", "faults", "duration", "seed")
ATOMIC = frozenset({"at", "heal", "do", "after_error"})
_DEPTH = {"hosts": 3}


class Nowhere(Exception):
    """A path leads nowhere."""


def split(path: str) -> tuple[str, ...]:
    """`client.settings.block` -> its steps; a sysctl's own dots stay together."""
    root = path.partition(".")[0]
    return tuple(path.split(".", _DEPTH[root] - 1 if root in _DEPTH else -1))


def _index(listing: Listing, step: str) -> int:
    """The item that is meant: its number, its `name`, or the name it gets by its number (f1)."""
    for number, item in enumerate(listing.items):
        named = item.entries.get("name") if isinstance(item, Table) else None
        name = named.node.text if named and isinstance(named.node, Leaf) else f"f{number + 1}"
        if step in (name, str(number)):
            return number
    raise Nowhere(f"no item is called {shown(step)}; write its number, from 0, or its name")


def look(root: Node, steps: tuple[str, ...]) -> Node | None:
    """The node at a path, or None."""
    node = root
    for step in steps:
        if isinstance(node, Table) and step in node.entries:
            node = node.entries[step].node
        elif isinstance(node, Listing):
            try:
                node = node.items[_index(node, step)]
            except Nowhere:
                return None
        else:
            return None
    return node


def meet(root: Node, one: str, other: str) -> bool:
    """Whether two paths lead to the same place, or one of them to a place above the other's."""
    pairs = zip(_numbered(root, one), _numbered(root, other), strict=False)
    return all(step == beside for step, beside in pairs)


def _numbered(root: Node, path: str) -> tuple[str, ...]:
    """The steps of a path, each item of a list by its number."""
    steps = list(split(path))
    for at, step in enumerate(steps):
        above = look(root, tuple(steps[:at]))
        if isinstance(above, Listing):
            with suppress(Nowhere):
                steps[at] = str(_index(above, step))
    return tuple(steps)


def merge(base: Node, over: Node, *, name: str = "", deep: bool = False) -> Node:
    """What stands there after `over` was written over `base`."""
    if not isinstance(base, Table) or not isinstance(over, Table) or name in ATOMIC:
        return over
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        held = entries.get(key)
        node = merge(held.node, entry.node, name=key, deep=True) if deep and held else entry.node
        entries[key] = Entry(entry.key, node)
    return replace(over, entries=entries)


def put(root: Node, steps: tuple[str, ...], value: Node, place: Place) -> Node:
    """The tree with `value` at the path; place: where the path was written. Raises Nowhere."""
    return _put(root, steps, value, place, "")


def _put(node: Node, steps: tuple[str, ...], value: Node, place: Place, name: str) -> Node:
    if not steps:
        return merge(node, value, name=name)
    step, rest = steps[0], steps[1:]
    if isinstance(node, Leaf) and (node.value is None or node.value == step):
        node = Table({}, node.place)  # `do: blackhole` is {blackhole: {}}, an empty key is {}
    if isinstance(node, Table):
        held = node.entries.get(step)
        below = held.node if held else Leaf(None, "null", place)
        entry = Entry(held.key if held else place, _put(below, rest, value, place, step))
        return replace(node, entries={**node.entries, step: entry})
    if isinstance(node, Listing):
        number = _index(node, step)
        items = list(node.items)
        items[number] = _put(items[number], rest, value, place, "")
        return replace(node, items=tuple(items))
    raise Nowhere(f"{shown(node.value)} stands above '{step}'; only mappings and lists go on")


def without(root: Table, *keys: str) -> Table:
    """The tree without some of its first keys, and without `x-...`."""
    return replace(root, entries={key: entry for key, entry in root.entries.items()
                                  if key not in keys and not key.startswith("x-")})


def misplaced(path: str, place: Place) -> Mistake | None:
    """A mistake when a path begins with nothing that a cell is made of."""
    root = path.partition(".")[0]
    if root in ROOTS and all(split(path)):
        return None
    return Mistake(place, f"path {shown(path)} leads nowhere; begin with one of {', '.join(ROOTS)}")
