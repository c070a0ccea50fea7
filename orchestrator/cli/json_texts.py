"""Reads JSON that stands on the command line, and refuses what no message can carry."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from orchestrator.errors import RequestError

__all__ = ["loaded"]

_HALF = re.compile(r"[\ud800-\udfff]")
_LONGEST_PLACE = 120
_DEEPEST = 200
"""Lists and objects within one another: what writes a message takes 255, and there are some around what is read."""


def loaded(where: str, text: str) -> Any:
    """The JSON value that ``text`` holds.

    Args:
        where: What it stands in, for messages: ``--input``.
        text: The JSON.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deeply to be read, or to be sent.
        RequestError: A text in it holds half a character, as the escapes of JSON can write; names the place.
    """
    value = json.loads(text, parse_constant=_no_constant)
    for place, part in _texts(value):
        if _HALF.search(part):
            shown = ascii(place)[1:-1][:_LONGEST_PLACE]
            raise RequestError(
                f"{where} holds half a character (a lone surrogate){f' in {shown}' if shown else ''}: write the "
                "character itself, or both halves of its escape"
            )
    return value


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in a value, names too, each with its place such as ``ms[0]``.

    Raises:
        RecursionError: It is nested too deeply.
    """
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        place, part, depth = waiting.pop()
        if depth > _DEEPEST:
            raise RecursionError("it is nested too deeply")
        if isinstance(part, str):
            yield place, part
        elif isinstance(part, list):
            waiting += [(f"{place}[{number}]", item, depth + 1) for number, item in enumerate(cast("list[Any]", part))]
        elif isinstance(part, dict):
            for name, item in cast("dict[str, Any]", part).items():
                inner = f"{place}.{name}" if place else name
                yield inner, name
                waiting.append((inner, item, depth + 1))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
