"""Words for people: places, nearest names, and what pydantic found, said plainly."""

import difflib
from collections.abc import Iterable
from typing import Any, Final

from orchestrator.errors import shortened
from orchestrator.graph.plan import Path

__all__ = ["did_you_mean", "explain", "kind", "listed", "spell"]

_LONGEST_STEP: Final = 100
_KINDS: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_LENGTHS: Final = {
    "too_short": "needs at least {} items",
    "too_long": "may have at most {} items",
    "string_too_short": "needs at least {} characters",
    "string_too_long": "may have at most {} characters",
}
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def spell(path: Path) -> str:
    """A path in a definition as people write it: ``nodes[3].config.model``. Very long steps are cut in the middle."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{shortened(step, _LONGEST_STEP)}" for step in path)
    return "".join(steps).removeprefix(".")


def did_you_mean(word: str, known: Iterable[str], *, most: int = 8) -> str | None:
    """A hint with the nearest right name, or else with all of them where they are few."""
    names = list(known)
    near = difflib.get_close_matches(word, names[:3_000], n=1, cutoff=0.6)
    if near:
        return f"Did you mean `{near[0]}`?"
    if names and len(names) <= most:
        return f"There {'is' if len(names) == 1 else 'are'} {listed(f'`{name}`' for name in names)}."
    return None


def listed(words: Iterable[str]) -> str:
    """Words as people list them: ``a``, ``a and b``, ``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def kind(value: Any) -> str:
    """What sort of JSON value this is, for people."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    names = {int: "a whole number", float: "a number", str: "text", list: "a list", tuple: "a list", dict: "a mapping"}
    return next((name for kind_of, name in names.items() if isinstance(value, kind_of)), "something else")


def explain(error: Any) -> str:
    """The end of a sentence that starts with a field's name, for one of pydantic's error details."""
    name, context = error["type"], error.get("ctx", {})
    if name in _KINDS:
        return f"must be {_KINDS[name]}, not {kind(error['input'])}"
    if name in _BOUNDS:
        key, words = _BOUNDS[name]
        return f"must be {words} {context[key]}"
    if name in _LENGTHS:
        bound = context["min_length"] if "min_length" in context else context["max_length"]
        return _LENGTHS[name].format(bound) if bound != 1 or "max_length" in context else "must not be empty"
    if name == "literal_error":
        return f"must be one of {context['expected'].replace(' or ', ', ')}"
    message = str(context["error"]) if name == "value_error" else str(error["msg"])
    return message[:1].lower() + message[1:]
