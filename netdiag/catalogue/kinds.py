"""A value whose model is named by its `kind`: {kind: redis-py, settings: ...} -> RedisPyClient.

The rule this file guards: the kind is read first, so that every other mistake is reported against
that kind's own model, and unknown kinds are answered with the known ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netdiag.units import shown
from netdiag.written import one_of

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class ByKind:
    """`Annotated[A | B, ByKind({"a": A, "b": B}, default="a")]`: teaches pydantic the choice."""

    def __init__(self, models: Mapping[str, type[Any]], *, default: str) -> None:
        self.models = models
        self.default = default

    def _with_kind(self, raw: object) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            raise ValueError(f"{shown(raw)} is not a mapping; write {{kind: {self.default}}}")
        return {"kind": self.default, **raw}

    def _kind(self, raw: Mapping[str, Any]) -> str:
        kind = raw["kind"]
        return kind if isinstance(kind, str) and kind in self.models else ""

    def _unknown(self) -> CoreSchema:
        """An unknown kind is reported at its key, and nothing else of that value is."""
        from pydantic_core import core_schema  # noqa: PLC0415  (only where a schema is built)

        return core_schema.typed_dict_schema({"kind": core_schema.typed_dict_field(
            core_schema.no_info_plain_validator_function(one_of(*self.models).parse))})

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415  (only where a schema is built)

        choices = {kind: handler.generate_schema(model) for kind, model in self.models.items()}
        choices[""] = self._unknown()
        return core_schema.no_info_before_validator_function(
            self._with_kind, core_schema.tagged_union_schema(choices, self._kind))

    def __get_pydantic_json_schema__(
        self, core: Any, handler: Any  # noqa: ANN401  (pydantic's contract)
    ) -> dict[str, Any]:
        return {"anyOf": [handler(one) for kind, one in core["schema"]["choices"].items() if kind]}
