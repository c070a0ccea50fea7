"""Arithmetic, comparison, membership and access over JSON values, as CEL defines them but with mixed numbers."""

from collections.abc import Callable
from math import fmod, inf, nan
from typing import Any, cast

from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions.runtime import (
    MAX_INT,
    MIN_INT,
    Env,
    MissingError,
    article,
    as_key,
    charge,
    equal,
    from_key,
    in_storage,
    integer,
    less,
)

__all__ = ["OPERATORS", "field", "has", "index", "negate"]

_NUMBERS = (int, float)


def _both_numbers(left: Any, right: Any) -> bool:
    return type(left) in _NUMBERS and type(right) in _NUMBERS


def _checked(value: Any) -> Any:
    if type(value) is int and not MIN_INT <= value <= MAX_INT:
        raise ExpressionError("the result of an integer operation does not fit 64 bits; double(…) gives more room")
    return value


def _refuse(sign: str, left: Any, right: Any) -> ExpressionError:
    return ExpressionError(f"`{sign}` cannot be used between {article(left)} and {article(right)}")


def _numeric(operation: Callable[[Any, Any], Any], sign: str, left: Any, right: Any) -> Any:
    if not _both_numbers(left, right):
        raise _refuse(sign, left, right)
    try:
        return _checked(operation(left, right))
    except OverflowError:
        raise ExpressionError(f"a number is too large for `{sign}`") from None


def _add(env: Env, left: Any, right: Any) -> Any:
    if type(left) is str and type(right) is str:
        charge(env, (len(left) + len(right)) // 10)
        return left + right
    if type(left) is list and type(right) is list:
        charge(env, len(cast("list[Any]", left)) + len(cast("list[Any]", right)))
        return cast("list[Any]", left) + cast("list[Any]", right)
    return _numeric(lambda one, other: one + other, "+", left, right)


def _subtract(_env: Env, left: Any, right: Any) -> Any:
    return _numeric(lambda one, other: one - other, "-", left, right)


def _multiply(_env: Env, left: Any, right: Any) -> Any:
    return _numeric(lambda one, other: one * other, "*", left, right)


def _quotient(left: Any, right: Any) -> Any:
    if type(left) is int and type(right) is int:
        if right == 0:
            raise ExpressionError("division by zero")
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    if right != 0:
        return left / right
    negative = (str(float(right))[0] == "-") != (left < 0)
    return nan if left == 0 or left != left else -inf if negative else inf  # noqa: PLR0124 -- the test for NaN


def _divide(_env: Env, left: Any, right: Any) -> Any:
    return _numeric(_quotient, "/", left, right)


def _remains(left: Any, right: Any) -> Any:
    if right == 0:
        raise ExpressionError("modulo by zero")
    if type(left) is int and type(right) is int:
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    try:
        return fmod(left, right)
    except ValueError:
        return nan


def _modulo(_env: Env, left: Any, right: Any) -> Any:
    return _numeric(_remains, "%", left, right)


def negate(value: Any) -> Any:
    """``-value``.

    Raises:
        ExpressionError: It is no number, or the smallest integer.
    """
    if type(value) not in _NUMBERS:
        raise ExpressionError(f"`-` needs a number, not {article(value)}")
    return _checked(-value)


def _contained(env: Env, left: Any, right: Any) -> bool:
    if type(right) is list:
        items = cast("list[Any]", right)
        charge(env, len(items))
        return any(equal(env, left, item) for item in items)
    if type(right) is dict:
        if stored := in_storage(right, "what is on the right of `in`"):
            raise stored
        key = as_key(left)
        return key is not None and key in right
    raise ExpressionError(f"`in` needs a list or a map on its right, not {article(right)}")


def _not_above(env: Env, left: Any, right: Any, sign: str) -> bool:
    return less(env, left, right, sign) or left == right


OPERATORS: dict[str, Callable[[Env, Any, Any], Any]] = {
    "==": equal,
    "!=": lambda env, left, right: not equal(env, left, right),
    "<": lambda env, left, right: less(env, left, right, "<"),
    "<=": lambda env, left, right: _not_above(env, left, right, "<="),
    ">": lambda env, left, right: less(env, right, left, ">"),
    ">=": lambda env, left, right: _not_above(env, right, left, ">="),
    "in": _contained,
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
}
"""Each operator of two sides."""


def field(base: Any, name: str, where: str) -> Any:
    """The field ``name`` of ``base``, which the author wrote as ``where``.

    Raises:
        ExpressionError: ``base`` is no map, or has no such field.
    """
    if isinstance(base, dict):
        fields = cast("dict[str, Any]", base)
        if name in fields:
            return fields[name]
        raise in_storage(fields, where) or MissingError(f"{where} has no field `{name}`", name, fields)
    raise ExpressionError(f"{where} is {article(base)} and has no fields, so no `{name}`")


def has(base: Any, name: str, where: str) -> bool:
    """Whether ``base`` has the field ``name``.

    Raises:
        ExpressionError: ``base`` is no map.
    """
    if isinstance(base, dict):
        fields = cast("dict[str, Any]", base)
        if name not in fields and (stored := in_storage(fields, where)):
            raise stored
        return name in fields
    raise ExpressionError(f"{where} is {article(base)} and has no fields, so no `{name}`")


def index(base: Any, key: Any, where: str) -> Any:
    """The element of ``base`` at ``key``.

    Raises:
        ExpressionError: There is none.
    """
    if isinstance(base, list):
        items, position = cast("list[Any]", base), integer(key, "the index of a list")
        if 0 <= position < len(items):
            return items[position]
        raise ExpressionError(f"{where} has {len(items)} elements, so none at index {position}")
    if isinstance(base, dict):
        entries, wanted = cast("dict[Any, Any]", base), as_key(key)
        if wanted is None:
            raise ExpressionError(f"{article(key)} cannot be the key of a map")
        if wanted in entries:
            return entries[wanted]
        shown = str(from_key(wanted))
        raise in_storage(entries, where) or MissingError(f"{where} has no key `{shown[:64]}`", shown, entries)
    raise ExpressionError(f"{where} is {article(base)} and has no elements")
