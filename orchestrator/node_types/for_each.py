"""ForEach: runs a graph once for each item of a list, several at a time."""

from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, WithJsonSchema

from orchestrator.node_types.base import CelMark, NodeType, VerbatimMark
from orchestrator.node_types.bodied import BodiedConfig


def _listed(value: Any) -> Any:
    if not isinstance(value, (str, list)):
        raise ValueError("must be an expression that gives a list, or a list")  # noqa: TRY004 - pydantic's protocol
    if not cast("str | list[Any]", value):
        raise ValueError("must not be empty")
    return cast("Any", value)


class ForEachConfig(BodiedConfig):
    """The items, what is done with each, and how."""

    items: Annotated[
        Any,
        CelMark(),
        AfterValidator(_listed),
        WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "minItems": 1}]}),
    ]
    """A CEL expression that gives a list; or a list, whose texts may be templates."""
    concurrency: Annotated[int, VerbatimMark()] = Field(default=10, ge=1, le=1_000)
    """How many items are under way at the same time."""
    on_item_error: Annotated[Literal["fail", "collect"], VerbatimMark()] = "fail"
    """``fail``: an item that fails for good fails the node; ``collect``: it is recorded, and the others go on."""
    max_items: Annotated[int, VerbatimMark()] = Field(default=10_000, ge=1, le=100_000)
    """More items than this fail the node."""


FOR_EACH = NodeType(
    name="ForEach",
    summary="Runs a graph once for each item of a list, and gives the list of what came out.",
    tier="control",
    config=ForEachConfig,
    outputs=("results", "errors", "count"),
    has_body=True,
    body_roots=("item", "index"),
)
