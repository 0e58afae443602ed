"""The closed schema of a scenario file, assembled from the catalogue and the faults.

The rule this file guards: what may be written is declared once, on the values themselves; this
file puts them together, and the same declaration gives the checks, the messages' list of known
keys, and the JSON Schema that editors use.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema, core_schema

from netdiag.catalogue.clients import Client, ClientField  # noqa: TC001
from netdiag.catalogue.findings import FINDINGS
from netdiag.catalogue.hosts import Sysctls  # noqa: TC001  (pydantic reads annotations)
from netdiag.catalogue.redis_py import RedisPyClient
from netdiag.catalogue.servers import RedisServer, ServerField
from netdiag.faults.fault import Fault  # noqa: TC001
from netdiag.scenario.bounds import parse_bound, text_of
from netdiag.scenario.expectation import (
    KINDS,
    ErrorIs,
    Expectation,
    ExpectationKind,
    Findings,
    Flag,
    WhereTold,
)
from netdiag.scenario.workload import LabSettings, Workload
from netdiag.tcp.labels import NAMES as LABELS
from netdiag.units import did_you_mean, shown
from netdiag.written import CLOSED, Count, Duration, Name, Written, one_of

HOSTS = ("client", "server")
Bounds = Mapping[str, Any]
WHERE_TOLD = "where_told"


def _about(raw: object) -> str:
    if isinstance(raw, str):
        return raw.strip()
    raise ValueError(f"{shown(raw)} is not text; write a sentence or two")


def _flag(raw: object) -> Flag:
    if isinstance(raw, bool):
        return Flag(raw)
    raise ValueError(f"{shown(raw)} is neither true nor false; write true")


def _as_predicted(raw: object) -> Flag | WhereTold:
    if raw == WHERE_TOLD:
        return WhereTold()
    if isinstance(raw, bool):
        return Flag(raw)
    raise ValueError(f"{shown(raw)} says nothing of a prediction; write true, or {WHERE_TOLD} to "
                     "pass cells of which nothing can be foretold")


def _errno(raw: object) -> str:
    if isinstance(raw, int) and raw in errno.errorcode:
        return errno.errorcode[raw]
    if isinstance(raw, str) and raw in errno.errorcode.values():
        return raw
    raise ValueError(f"errno {shown(raw)} is not known; "
                     f"{did_you_mean(raw, ('ETIMEDOUT', 'ECONNRESET', 'EHOSTUNREACH', 'EPIPE'))}")


def _error(raw: object) -> ErrorIs:
    how = "write none, a class such as TimeoutError, or {type: TimeoutError, errno: ETIMEDOUT}"
    if raw in ("none", None):
        return ErrorIs()
    asked = {"type": raw} if isinstance(raw, str) else raw
    if not isinstance(asked, Mapping) or not asked or set(asked) - {"type", "errno"}:
        raise ValueError(f"{shown(raw)} is not an error; {how}")
    kind = asked.get("type")
    if "type" in asked and not (isinstance(kind, str) and re.fullmatch(r"[A-Za-z_][\w.]{0,80}",
                                                                      kind, re.ASCII)):
        raise ValueError(f"{shown(kind)} is not an exception's class; {how}")
    return ErrorIs(kind, _errno(asked["errno"]) if "errno" in asked else None)


def _findings(raw: object) -> Findings:
    if raw in ("none", None):
        return Findings(())
    names: list[str] = []
    for name in raw if isinstance(raw, list | tuple) else [raw]:
        if name not in FINDINGS:
            raise ValueError(f"{shown(name)} is not a finding; {did_you_mean(name, FINDINGS)}")
        names.append(str(name))
    if not names:
        raise ValueError("an empty list of findings expects nothing; name one, or leave it out")
    return Findings(tuple(names))


_BOUND_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": ["number", "string"]},
              {"type": "array", "items": {"type": ["number", "string"]},
               "minItems": 2, "maxItems": 2}],
    "description": "3s, '<= read_timeout + 1s', 2s .. 4s, [2s, 4s], any, never"}
_OTHER: dict[str, tuple[Callable[[object], Any], dict[str, Any]]] = {
    "no_false_timeout": (_flag, {"type": "boolean"}),
    "as_predicted": (_as_predicted, {"anyOf": [{"type": "boolean"}, {"const": WHERE_TOLD}]}),
    "error": (_error, {"anyOf": [
        {"type": ["string", "null"]},
        {"type": "object", "properties": {"type": {"type": "string"},
                                          "errno": {"type": ["string", "integer"]}},
         "additionalProperties": False}]}),
    "finding": (_findings, {"anyOf": [
        {"enum": ["none", *FINDINGS, None]},
        {"type": "array", "items": {"enum": list(FINDINGS)}, "minItems": 1}]}),
}
_SEVERAL: dict[str, tuple[str, ...]] = {"zombies": ("total", *HOSTS), "packets": LABELS}


def _written(kind: str, row: ExpectationKind) -> Written:
    """How a bound of this kind is written; it is parsed to an Expectation."""
    parse, schema = _OTHER.get(kind, (lambda raw: parse_bound(raw, row), _BOUND_SCHEMA))
    return Written(lambda raw: Expectation(kind=kind, bound=parse(raw), text=text_of(raw)), schema)


def _with_total(raw: object) -> object:
    return raw if isinstance(raw, Mapping) else {"total": raw}


class _ExpectShape:
    """Teaches pydantic one entry of `expect`: `when`, and one key for every row of KINDS."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        fields: dict[str, CoreSchema] = {
            "when": core_schema.dict_schema(core_schema.str_schema(strict=True))}
        for kind, row in KINDS.items():
            bound = handler.generate_schema(Annotated[Any, _written(kind, row)])
            if kind in _SEVERAL:
                keys = handler.generate_schema(Annotated[str, one_of(*_SEVERAL[kind])])
                bound = core_schema.dict_schema(keys, bound)
            if "total" in _SEVERAL.get(kind, ()):
                bound = core_schema.no_info_before_validator_function(_with_total, bound)
            fields[kind] = bound
        return core_schema.typed_dict_schema({
            name: core_schema.typed_dict_field(one, required=False, metadata={
                "pydantic_js_updates": {"description": KINDS[name].about if name in KINDS else
                                        "the cells that are meant: axis or path -> value"}})
            for name, one in fields.items()}, extra_behavior="forbid")

    def __get_pydantic_json_schema__(
        self, core: Any, handler: Any  # noqa: ANN401  (pydantic's contract)
    ) -> dict[str, Any]:
        schema: dict[str, Any] = handler(core)
        fields = schema["properties"]
        for kind, words in _SEVERAL.items():
            keyed = _closed_keys(fields[kind], words)
            either = {"anyOf": [_BOUND_SCHEMA, keyed]} if "total" in words else keyed
            fields[kind] = {**either, "description": KINDS[kind].about}
        return schema


def _closed_keys(schema: dict[str, Any], words: tuple[str, ...]) -> dict[str, Any]:
    """A mapping's JSON Schema that knows its keys: pydantic writes only what its values are."""
    return {"type": "object", "properties": dict.fromkeys(words, schema["additionalProperties"]),
            "additionalProperties": False}


class _HostKeys:
    def __get_pydantic_json_schema__(
        self, core: Any, handler: Any  # noqa: ANN401  (pydantic's contract)
    ) -> dict[str, Any]:
        return _closed_keys(handler(core), HOSTS)


class _OneOrMore:
    """A list of entries, or the only entry itself."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda raw: [raw] if isinstance(raw, Mapping) else raw,
            handler.generate_schema(tuple[Annotated[Bounds, _ExpectShape()], ...]))

    def __get_pydantic_json_schema__(
        self, core: Any, handler: Any  # noqa: ANN401  (pydantic's contract)
    ) -> dict[str, Any]:
        several: dict[str, Any] = handler(core["schema"])
        return {"anyOf": [several, several["items"]]}


def expectations(entry: Bounds) -> tuple[Expectation, ...]:
    """The expectations of one entry, flat: one for every label and every side."""
    found: list[Expectation] = []
    for kind, held in entry.items():
        if kind in _SEVERAL:
            found += [replace(one, of=None if of == "total" else of) for of, one in held.items()]
        elif kind in KINDS:
            found.append(held)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class CellFile:
    """What one cell is made of: a scenario file without its matrix and its expectations."""

    __pydantic_config__ = CLOSED

    name: Name
    """The scenario's name."""
    about: Annotated[str, Written(_about, {"type": "string"})] = ""
    """What it shows, in a sentence or a few."""
    lab: LabSettings = field(default_factory=LabSettings)
    """What the lab is like."""
    server: ServerField = field(default_factory=RedisServer)
    """The server under test."""
    client: ClientField | None = None
    """The client under test."""
    clients: dict[Name, ClientField] | None = None
    """Several clients by name, each with its own cable."""
    workload: Workload = field(default_factory=Workload)
    """What the consumer does, and what it is sent."""
    hosts: Annotated[dict[Annotated[str, one_of(*HOSTS)], Sysctls], _HostKeys()] = field(
        default_factory=dict)
    """sysctls of each host."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong, and when."""
    duration: Duration = 30.0
    """How long a cell lasts at the most, from the client's first SYN."""
    seed: Count = 1
    """Where the pauses begin that libraries draw between their retries: the same seed, the same
    pauses."""

    @property
    def all_clients(self) -> dict[str, Client]:
        """name -> client; a single one is called `client`."""
        return self.clients or {"client": self.client or RedisPyClient()}


@dataclass(frozen=True, kw_only=True)
class ScenarioFile(CellFile):
    """A scenario: a client, a server, what goes wrong between them, and what is expected."""

    __pydantic_config__ = CLOSED

    matrix: Annotated[Any, Written(lambda raw: raw, {
        "type": "object",
        "properties": {"exclude": {"type": "array", "items": {"type": "object"}}},
        "additionalProperties": {"type": ["array", "object"]}})] = None
    """Axes: a path and its values (a list, or name -> value); `zip`; `exclude`."""
    expect: Annotated[tuple[Bounds, ...], _OneOrMore()] = ()
    """What is expected of every cell, or of those that `when` names."""
    extends: Annotated[Any, Written(lambda raw: raw, {"type": "string"})] = None
    """A scenario file that this one changes."""


@cache
def cell_adapter() -> TypeAdapter[CellFile]:
    """Validates what a cell is made of."""
    return TypeAdapter(CellFile)


@cache
def expect_adapter() -> TypeAdapter[tuple[Bounds, ...]]:
    """Validates the entries of `expect`."""
    return TypeAdapter(Annotated[tuple[Bounds, ...], _OneOrMore()])


class _Quiet(GenerateJsonSchema):
    """Defaults that JSON cannot hold (unset) are simply not shown."""

    ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file; `x-...` keys are free."""
    schema = TypeAdapter(ScenarioFile).json_schema(schema_generator=_Quiet)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "netdiag scenario", **{k: v for k, v in schema.items() if k != "title"},
            "patternProperties": {"^x-": {}}}
