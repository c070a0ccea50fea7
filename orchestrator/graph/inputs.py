"""Inputs against their declaration: JSON Schema by name, with ``default`` and ``required: false``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orchestrator.errors import InputError, shortened
from orchestrator.graph.schema import problems

__all__ = ["always_there", "filled_inputs", "input_schema"]

_MOST_UNKNOWN = 20
_LONGEST_NAME = 100


def input_schema(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema in an input's declaration: all of it but ``default`` and a ``required`` that is true or false."""
    return {
        key: value
        for key, value in spec.items()
        if key != "default" and not (key == "required" and isinstance(value, bool))
    }


def always_there(spec: Mapping[str, Any]) -> bool:
    """Whether a run has a value for this input whatever its caller leaves out."""
    return "default" in spec or _required(spec)


def _required(spec: Mapping[str, Any]) -> bool:
    return "default" not in spec and spec.get("required") is not False


def filled_inputs(
    declared: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Any],
    owner: str,
    hint: Callable[[str, Iterable[str]], str | None] = lambda _name, _known: None,
) -> dict[str, Any]:
    """``given`` with the defaults filled in, in the order of the declaration.

    Args:
        declared: Name of an input to its declaration.
        given: The inputs.
        owner: The definition's name, for errors.
        hint: Called with an unknown name and the known ones; what to add to the error.

    Raises:
        InputError: Some are missing, unknown or do not fit; the message names them, and of unknown ones the first 20.
    """
    found, wrong = dict[str, Any](), list[str]()
    for name, spec in declared.items():
        if name in given:
            found[name] = given[name]
            wrong.extend(f"`{name}`: {problem}" for problem in problems(input_schema(spec), given[name]))
        elif "default" in spec:
            found[name] = spec["default"]
        elif _required(spec):
            wrong.append(f"`{name}` is missing")
    unknown = [name for name in given if name not in declared]
    for name in unknown[:_MOST_UNKNOWN]:
        more = hint(name, declared)
        shown = shortened(name, _LONGEST_NAME)
        wrong.append(f"`{shown}` is not an input of {owner}" + (f" ({more})" if more else ""))
    if len(unknown) > _MOST_UNKNOWN:
        wrong.append(f"{len(unknown) - _MOST_UNKNOWN} more are not inputs either")
    if wrong:
        raise InputError(f"inputs of {owner}: " + "; ".join(wrong), details={"problems": wrong})
    return found
