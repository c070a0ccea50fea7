"""Conversions between the types: `int`, `double`, `string`, `bool`, `type`, `dyn`."""

import re
from math import isfinite
from typing import Any

from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions.runtime import MAX_INT, MIN_INT, Env, article, kind

__all__ = ["double_text", "to_bool", "to_double", "to_int", "to_string", "type_name", "unchanged"]

_INT_TEXT = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_DOUBLE_TEXT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?", re.ASCII)
_SPECIAL = {"NaN": "nan", "Infinity": "inf", "+Infinity": "inf", "-Infinity": "-inf"}
_LONGEST_NUMBER = 400
_BOOLEANS = dict.fromkeys(("1", "t", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "false", "FALSE", "False"), False
)


def to_int(_env: Env, value: Any) -> int:
    """The whole number in ``value``: doubles lose their fraction, text must be decimal digits."""
    whole: int | None = None
    if type(value) is int:
        whole = value
    elif type(value) is float:
        # Both ends excluded: the nearest double to 2**63 is no int of 64 bits.
        whole = int(value) if isfinite(value) and -(2.0**63) < value < 2.0**63 else None
    elif type(value) is str and _INT_TEXT.fullmatch(value):
        whole = int(value)
    if whole is None or not MIN_INT <= whole <= MAX_INT:
        raise ExpressionError(f"int() cannot make a whole number of 64 bits of this {_shown(value)}")
    return whole


def to_double(_env: Env, value: Any) -> float:
    """The number in ``value``; text may also be NaN, Infinity or -Infinity."""
    if type(value) is float:
        return value
    if type(value) is int and MIN_INT <= value <= MAX_INT:
        return float(value)
    if type(value) is str and len(value) <= _LONGEST_NUMBER and (value in _SPECIAL or _DOUBLE_TEXT.fullmatch(value)):
        return float(_SPECIAL.get(value, value))
    raise ExpressionError(f"double() cannot make a number of this {_shown(value)}")


def to_string(_env: Env, value: Any) -> str:
    """``value`` as text: strings, numbers and booleans."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int and MIN_INT <= value <= MAX_INT:
        return str(value)
    if type(value) is float:
        return double_text(value)
    raise ExpressionError(f"string() cannot make text of {article(value)}; '%s'.format([value]) can")


def to_bool(_env: Env, value: Any) -> bool:
    """The truth in ``value``: a boolean, or one of the words true, t, 1, false, f, 0."""
    if type(value) is bool:
        return value
    if type(value) is str and value in _BOOLEANS:
        return _BOOLEANS[value]
    raise ExpressionError(f"bool() cannot make true or false of this {_shown(value)}")


def type_name(_env: Env, value: Any) -> str:
    """The name of the type of ``value``."""
    return kind(value)


def unchanged(_env: Env, value: Any) -> Any:
    """``value`` itself: types are never checked before evaluation here."""
    return value


def double_text(value: float) -> str:
    """The shortest text that reads back as ``value``, without a fraction when there is none."""
    if value != value:  # noqa: PLR0124 -- the test for NaN
        return "NaN"
    if not isfinite(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value).removesuffix(".0")


def _shown(value: Any) -> str:
    return article(value).partition(" ")[2] or "null"
