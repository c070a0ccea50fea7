"""JSON Schema (2020-12) checks that take bounded time and fetch nothing."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NoReturn

import jsonschema_rs
from pydantic_core import to_json

from orchestrator.errors import InputError, shortened

__all__ = ["check_schema", "problems"]

_MOST_PROBLEMS = 20
_LONGEST_PROBLEM = 300
_LONGEST_PLACE = 100


def check_schema(schema: Any) -> None:
    """Raise when ``schema`` is not a JSON Schema this project can use.

    Raises:
        InputError: It is not valid JSON Schema, or refers to another document.
    """
    _compile(schema)


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with ``value``, one sentence each with the place in it first; empty when all is well.

    At most 20. ``value`` is a JSON value.
    """
    found: list[str] = []
    for error in _compile(schema).iter_errors(value):
        place = _spelled(error.instance_path)
        # The library quotes the whole value, which comes first; what is wrong with it comes last.
        message = shortened(error.message, _LONGEST_PROBLEM)
        found.append(f"{place}: {message}" if place else message)
        if len(found) == _MOST_PROBLEMS:
            break
    return found


def _spelled(path: Iterable[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{shortened(step, _LONGEST_PLACE)}" for step in path)
    return shortened("".join(steps).removeprefix("."), _LONGEST_PLACE)


def _compile(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return _compiled(to_json(schema))


@lru_cache(maxsize=512)
def _compiled(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(
            schema.decode(),
            retriever=_refuse,
            # The default engine backtracks; a workflow task that hangs on a pattern never ends.
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        # The library's own error quotes the whole schema, so it is not handed on as the cause.
        raise InputError(f"not a usable JSON Schema: {shortened(reason, _LONGEST_PROBLEM)}") from None


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"refers to another document ({uri}); put the schema in place")
