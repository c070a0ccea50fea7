"""What a node type does with text that nobody of ours wrote: where it gives some, and what it must not decide."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from orchestrator.node_types.closed_pattern import closed_pattern

__all__ = ["Trust", "closed"]

_CLOSED_TYPES: Final = frozenset({"number", "integer", "boolean", "null"})


def _never(_config: Mapping[str, Any]) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How untrusted text passes through a node of one type. What is not said here passes on what the node reads.

    Attributes:
        gives: Field of the output: where the text in it comes from, in words.
        clean: Fields of the output that hold no text of others, whatever the node reads.
        fits: Field of the output: the field of the config that holds its JSON Schema.
        acts: Field of the config: what it decides, in words. Untrusted text must not reach it.
        arguments: Fields of the config that are arguments of an action, or content; which of the two nobody can tell.
        changes: Whether, by its config, the node changes something, so that it has arguments at all.
        closes: Whether, by its config, what the node gives is closed: numbers, truth values, texts of the author's.
        addresses: Those of ``acts`` that are web addresses, of which a part that is encoded decides nothing.
        approves: Fields of the config that a person is shown and says yes to.
    """

    gives: Mapping[str, str] = field(default_factory=dict[str, str])
    clean: tuple[str, ...] = ()
    fits: Mapping[str, str] = field(default_factory=dict[str, str])
    acts: Mapping[str, str] = field(default_factory=dict[str, str])
    arguments: tuple[str, ...] = ()
    changes: Callable[[Mapping[str, Any]], bool] = _never
    closes: Callable[[Mapping[str, Any]], bool] = _never
    addresses: tuple[str, ...] = ()
    approves: tuple[str, ...] = ()


def closed(schema: Any, path: tuple[str | int, ...] = ()) -> bool:
    """Whether what fits a JSON Schema holds, at ``path``, no text but what the schema's author foresaw.

    That are numbers, truth values and null, an ``enum`` or ``const``, and text with a closed and anchored pattern; and
    lists and maps of nothing else.
    """
    if not isinstance(schema, dict):
        return False
    words = cast("dict[str, Any]", schema)
    if "const" in words or isinstance(words.get("enum"), list):
        return True
    choices = next((words[word] for word in ("anyOf", "oneOf") if isinstance(words.get(word), list)), None)
    if choices is not None:
        return all(closed(choice, path) for choice in choices)
    named = words.get("type")
    types: list[Any] = cast("list[Any]", named) if isinstance(named, list) else [named]
    return all(_closed_type(str(name), words, path) for name in types)


def _closed_type(name: str, words: dict[str, Any], path: tuple[str | int, ...]) -> bool:
    if name in _CLOSED_TYPES:
        return True
    if name == "string":
        pattern = words.get("pattern")
        return isinstance(pattern, str) and closed_pattern(pattern)
    if name == "array":
        return "prefixItems" not in words and closed(words.get("items"), path[1:])
    if name != "object" or "patternProperties" in words:
        return False
    properties: dict[str, Any] = words.get("properties", {})
    if path:
        return isinstance(path[0], str) and closed(properties.get(path[0]), path[1:])
    return words.get("additionalProperties") is False and all(closed(item) for item in properties.values())
