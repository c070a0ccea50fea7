"""Transform: one operation on data, from a fixed table."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions import parser, references
from orchestrator.node_types.base import CelMark, ConfigModel, NodeType
from orchestrator.node_types.closed_pattern import closed_pattern
from orchestrator.node_types.operations import OPERATIONS
from orchestrator.node_types.trust import Trust

__all__ = ["OPERATIONS", "TRANSFORM", "TransformConfig"]

_CLOSED_TYPES: Final = ("bool", "int", "double", "null")
_CLOSING: Final = frozenset({"average", "count", "matches", "sha256", "sum", "to_boolean", "to_number", "word_count"})
"""Operations whose result is a number, a truth value or a digest, whatever they work on."""


def _known(name: str) -> str:
    if name in OPERATIONS:
        return name
    near = get_close_matches(name, OPERATIONS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "docs/authoring.md lists them"
    raise ValueError(f"there is no operation {name[:100]!r}; {hint}")


OperationName = Annotated[str, AfterValidator(_known), WithJsonSchema({"enum": list(OPERATIONS)})]


class TransformConfig(ConfigModel):
    """The operation, what it works on, and its options."""

    operation: OperationName
    input: Any
    where: Annotated[str | None, CelMark(names=("item", "index"))] = None
    """A CEL expression over ``item`` and ``index``, true for the items to keep."""
    expression: Annotated[str | None, CelMark(names=("item", "index", "input"))] = None
    """A CEL expression: over ``item`` and ``index`` for ``map``, over ``input`` for ``expression``."""
    fields: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=1_000)
    """Names of fields, or of columns."""
    names: dict[str, str] | None = Field(default=None, min_length=1, max_length=1_000)
    """Name of a field: its new name."""
    values: dict[str, Any] | None = Field(default=None, min_length=1, max_length=1_000)
    """Name of a field: its value."""
    path: str | None = Field(default=None, min_length=1, max_length=1_000)
    """Names of fields and numbers of items, counted from 0, with dots between them."""
    default: Any = None
    by: str | None = None
    """Name of a field."""
    descending: bool | None = None
    deep: bool | None = None
    depth: int | None = Field(default=None, ge=1, le=100)
    start: int | None = None
    end: int | None = None
    size: int | None = Field(default=None, ge=1)
    """Characters or items of a piece."""
    overlap: int | None = Field(default=None, ge=0)
    """Characters or items that a piece has in common with the one before; less than ``size``."""
    separator: str | None = None
    find: str | None = Field(default=None, min_length=1)
    """Text to look for."""
    replacement: str | None = None
    pattern: str | None = Field(default=None, min_length=1, max_length=1_000)
    """A regular expression (RE2)."""
    length: int | None = Field(default=None, ge=0)
    """The most characters."""
    ending: str | None = None
    """What text that was cut ends with; ``…`` if left out."""
    header: bool | None = None
    """The first line of the CSV text has the names of the columns; true if left out."""
    indent: int | None = Field(default=None, ge=0, le=8)

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        operation = OPERATIONS[self.operation]
        given = self.model_fields_set - {"operation", "input"}
        if missing := [name for name in operation.needs if name not in given]:
            raise ValueError(f"operation {self.operation!r} needs {', '.join(missing)}")
        if extra := sorted(given - {*operation.needs, *operation.takes}):
            raise ValueError(f"operation {self.operation!r} does not take {', '.join(extra)}")
        return self


def _closes(config: Mapping[str, Any]) -> bool:
    """Whether the result is a number or a truth value, or a text that stands in the definition or in its pattern."""
    operation, expression, pattern = config.get("operation"), config.get("expression"), config.get("pattern")
    if operation in ("expression", "map") and isinstance(expression, str):
        try:
            return _chosen(parser.parse(expression))
        except ExpressionError:
            return False  # DEF051 says it
    if operation in ("extract", "extract_all") and isinstance(pattern, str):
        return closed_pattern(pattern, anchored=False)
    return operation in _CLOSING


def _chosen(ast: Any) -> bool:
    match ast:
        case str():
            return True
        case ["?", _, then, other]:
            return _chosen(then) and _chosen(other)
        case _:
            return references.result_type(ast) in _CLOSED_TYPES


TRANSFORM = NodeType(
    name="Transform",
    summary="Applies one operation to `input`: merge, filter, sort, parse JSON, compute an expression, and so on.",
    tier="quick",
    config=TransformConfig,
    outputs=("result",),
    timeout=5.0,
    trust=Trust(closes=_closes),
)
