"""What the operations of Transform share: input of the right kind, fields of it, and how much they may make."""

import json
from collections.abc import Callable
from typing import Any, NoReturn, cast

from orchestrator.errors import NodeError
from orchestrator.node_types.transform import TransformConfig

__all__ = [
    "MOST_CHARACTERS",
    "Perform",
    "as_text",
    "bounded",
    "each_map",
    "field",
    "identity",
    "kind",
    "list_of",
    "map_of",
    "refuse",
    "text_of",
]

Perform = Callable[[TransformConfig], Any]
"""Performs one operation."""
MOST_CHARACTERS = 50_000_000
"""Characters that an operation may make of less, beyond which a small config could fill the worker's memory."""
_KINDS = ((bool, "a truth value"), (int | float, "a number"), (str, "text"), (list, "a list"), (dict, "a map"))


def list_of(value: Any, what: str = "its input") -> list[Any]:
    """``value``, which must be a list."""
    return cast("list[Any]", value) if isinstance(value, list) else refuse(f"{what} must be a list, not {kind(value)}")


def text_of(value: Any, what: str = "its input") -> str:
    """``value``, which must be text."""
    return value if isinstance(value, str) else refuse(f"{what} must be text, not {kind(value)}")


def map_of(value: Any, what: str = "its input") -> dict[str, Any]:
    """``value``, which must be a map."""
    return (
        cast("dict[str, Any]", value) if isinstance(value, dict) else refuse(f"{what} must be a map, not {kind(value)}")
    )


def each_map(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """``value`` changed, which must be a map, or each map of a list."""
    if isinstance(value, list):
        return [change(map_of(item, "each item of its input")) for item in cast("list[Any]", value)]
    return change(map_of(value, "its input, or each item of it,"))


def field(item: Any, by: str | None) -> Any:
    """The field ``by`` of an item, or the item itself."""
    if by is None:
        return item
    fields = map_of(item, "each item of its input")
    if by not in fields:
        refuse(f"an item has no field {by!r}")
    return fields[by]


def identity(value: Any) -> str:
    """A text that is the same for equal values, and for no others."""
    # Sorted keys, so that two maps are equal whatever the order they were written in.
    return json.dumps(value, sort_keys=True)


def as_text(value: Any) -> str:
    """Text as it is; anything else as its JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def bounded(characters: int) -> None:
    """Refuses to make more than ``MOST_CHARACTERS``."""
    if characters > MOST_CHARACTERS:
        refuse(f"it would make more than {MOST_CHARACTERS:,} characters")


def refuse(reason: str) -> NoReturn:
    """Ends the operation.

    Raises:
        NodeError: Always.
    """
    raise NodeError(reason)


def kind(value: Any) -> str:
    """What sort of JSON value this is, for people."""
    return next((name for kind_of, name in _KINDS if isinstance(value, kind_of)), "null")
