"""Reads JSON as its standard has it: Python's own reader also takes NaN, Infinity, and numbers beyond a float."""

import json
import math
from typing import Any, NoReturn

__all__ = ["read_json"]


def read_json(text: str | bytes | bytearray) -> Any:
    """The value that ``text`` holds.

    Raises:
        ValueError: It is not JSON, or has a number that no float can hold.
        RecursionError: It is nested too deeply to be read.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("it has a number that is too large")
    return number
