"""Turns a JSON Schema into the part of it that Anthropic's structured output takes, where that says the same."""

from collections.abc import Mapping
from typing import Any, cast

import anthropic

__all__ = ["structured"]


def structured(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """``schema`` as structured output takes it, its finer rules as words in descriptions; none: it cannot say it.

    Structured output has no open objects: where the schema has one, it would allow less than was asked for.
    """
    if not _closed(schema):
        return None
    try:
        return anthropic.transform_schema(dict(schema))
    except (ValueError, TypeError, AttributeError, AssertionError):
        return None


def _closed(part: Any) -> bool:
    if isinstance(part, list):
        return all(_closed(inner) for inner in cast("list[Any]", part))
    if not isinstance(part, Mapping):
        return True
    words = cast("Mapping[str, Any]", part)
    kind = words.get("type")
    if isinstance(kind, list) or "definitions" in words or "patternProperties" in words:
        return False
    if kind == "object" and ("properties" not in words or words.get("additionalProperties", False) is not False):
        return False
    return all(_closed(inner) for inner in words.values())
