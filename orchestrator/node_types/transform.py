"""Transform: one operation on data, from a fixed table."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.node_types.base import CelMark, ConfigModel, NodeType

__all__ = ["OPERATIONS", "TRANSFORM", "Operation", "OperationName", "TransformConfig"]

OperationName = Literal[
    "concat",
    "expression",
    "filter",
    "join",
    "json_dump",
    "json_parse",
    "lowercase",
    "map",
    "merge",
    "pick",
    "sort",
    "split",
    "trim",
    "unique",
    "uppercase",
]


@dataclass(frozen=True, slots=True)
class Operation:
    """What an operation does, the options it must have, and those it may have."""

    summary: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "concat": Operation("Puts a list of lists, or of texts, one after the other."),
        "expression": Operation("Computes a CEL expression over `input`.", needs=("expression",)),
        "filter": Operation("Keeps the items for which the CEL expression `where` is true.", needs=("where",)),
        "join": Operation("Makes one text of a list, `separator` between its items.", takes=("separator",)),
        "json_dump": Operation("Writes a value as JSON text.", takes=("indent",)),
        "json_parse": Operation("Reads JSON text."),
        "lowercase": Operation("Puts text in lower case."),
        "map": Operation("Computes the CEL expression `expression` for each item.", needs=("expression",)),
        "merge": Operation("Makes one map of a list of maps; where two have a key, the later one counts."),
        "pick": Operation("Keeps only `fields` of a map, or of each map in a list.", needs=("fields",)),
        "sort": Operation("Sorts a list, by the field `by` where it holds maps.", takes=("by", "descending")),
        "split": Operation("Cuts text at each `separator`, or at blanks.", takes=("separator",)),
        "trim": Operation("Takes blanks off both ends of text."),
        "unique": Operation("Keeps the first of equal items, or of those equal in the field `by`.", takes=("by",)),
        "uppercase": Operation("Puts text in upper case."),
    }
)


class TransformConfig(ConfigModel):
    """The operation, what it works on, and its options."""

    operation: OperationName
    input: Any
    where: Annotated[str | None, CelMark(names=("item", "index"))] = None
    """A CEL expression over ``item`` and ``index``, true for the items to keep."""
    expression: Annotated[str | None, CelMark(names=("item", "index", "input"))] = None
    """A CEL expression: over ``item`` and ``index`` for ``map``, over ``input`` for ``expression``."""
    fields: tuple[str, ...] | None = Field(default=None, min_length=1)
    by: str | None = None
    descending: bool | None = None
    separator: str | None = None
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


TRANSFORM = NodeType(
    name="Transform",
    summary="Applies one operation to `input`: merge, filter, sort, parse JSON, compute an expression, and so on.",
    tier="quick",
    config=TransformConfig,
    outputs=("result",),
    timeout=5.0,
)
