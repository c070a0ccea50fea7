"""The `math.` functions. Where the usual ones want a double, these take any number: an int stays an int."""

import math
from collections.abc import Callable
from typing import Any, cast

from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions.runtime import MAX_INT, MIN_INT, Env, article, charge

__all__ = [
    "absolute",
    "bit_and",
    "bit_not",
    "bit_or",
    "bit_xor",
    "ceil",
    "floor",
    "greatest",
    "is_finite",
    "is_inf",
    "is_nan",
    "least",
    "round_half_away",
    "shift_left",
    "shift_right",
    "sign",
    "sqrt",
    "trunc",
]

Number = int | float
_BITS = 64
_MASK = 2**64 - 1


def best(env: Env, values: list[Any], better: Callable[[Any, Any], bool], name: str) -> Any:
    """The first of ``values`` that no other is ``better`` than.

    Raises:
        ExpressionError: There are none, or one is no number.
    """
    charge(env, len(values))
    if not values:
        raise ExpressionError(f"`{name}` needs at least one number")
    chosen: Any = None
    for value in values:
        if type(value) not in {int, float}:
            raise ExpressionError(f"`{name}` needs numbers, not {article(value)}")
        if chosen is None or better(value, chosen):
            chosen = value
    return chosen


def _numbers(arguments: tuple[Any, ...]) -> list[Any]:
    if len(arguments) == 1 and isinstance(arguments[0], list):
        return cast("list[Any]", arguments[0])
    return list(arguments)


def greatest(env: Env, *values: Any) -> Any:
    """The greatest of the arguments, or of the one list given."""
    return best(env, _numbers(values), lambda one, other: one > other, "math.greatest")


def least(env: Env, *values: Any) -> Any:
    """The least of the arguments, or of the one list given."""
    return best(env, _numbers(values), lambda one, other: one < other, "math.least")


def _rounded(value: Number, rounding: Callable[[float], int]) -> Number:
    return value if isinstance(value, int) or not math.isfinite(value) else math.copysign(rounding(value), value)


def ceil(_env: Env, value: Number) -> Number:
    """The next whole number up."""
    return _rounded(value, math.ceil)


def floor(_env: Env, value: Number) -> Number:
    """The next whole number down."""
    return _rounded(value, math.floor)


def trunc(_env: Env, value: Number) -> Number:
    """``value`` without its fraction."""
    return _rounded(value, math.trunc)


def round_half_away(_env: Env, value: Number) -> Number:
    """The nearest whole number; of two, the one away from zero."""
    if isinstance(value, int) or not math.isfinite(value):
        return value
    down = math.trunc(value)
    return math.copysign(abs(down) + (abs(value - down) >= 0.5), value)  # noqa: PLR2004 -- the definition of rounding


def absolute(_env: Env, value: Number) -> Number:
    """``value`` without its sign."""
    if isinstance(value, int) and not MIN_INT < value <= MAX_INT:
        raise ExpressionError("the result of `math.abs` does not fit 64 bits")
    return abs(value)


def sign(_env: Env, value: Number) -> Number:
    """-1, 0 or 1, in the type of ``value``."""
    if value != value:  # noqa: PLR0124 -- the test for NaN
        return value
    return type(value)((value > 0) - (value < 0))


def _double(value: Number) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def sqrt(_env: Env, value: Number) -> float:
    """The square root; NaN below zero."""
    return math.sqrt(_double(value)) if value >= 0 else math.nan


def is_nan(_env: Env, value: Number) -> bool:
    """Whether ``value`` is the result of an impossible calculation."""
    return value != value  # noqa: PLR0124 -- the test for NaN


def is_inf(_env: Env, value: Number) -> bool:
    """Whether ``value`` is infinite."""
    return isinstance(value, float) and math.isinf(value)


def is_finite(_env: Env, value: Number) -> bool:
    """Whether ``value`` is neither infinite nor NaN."""
    return isinstance(value, int) or math.isfinite(value)


def bit_and(_env: Env, left: int, right: int) -> int:
    """The bits that both have."""
    return left & right


def bit_or(_env: Env, left: int, right: int) -> int:
    """The bits that either has."""
    return left | right


def bit_xor(_env: Env, left: int, right: int) -> int:
    """The bits that one of them has."""
    return left ^ right


def bit_not(_env: Env, value: int) -> int:
    """The bits that ``value`` does not have."""
    return ~value


def _signed(bits: int) -> int:
    bits &= _MASK
    return bits - 2**_BITS if bits > MAX_INT else bits


def _places(places: int) -> int:
    if places < 0:
        raise ExpressionError("bits cannot be shifted by a negative number of places")
    return min(places, _BITS)


def shift_left(_env: Env, value: int, places: int) -> int:
    """The bits moved up; those that leave the 64 are lost."""
    return _signed(value << _places(places))


def shift_right(_env: Env, value: int, places: int) -> int:
    """The bits moved down; zeros come in, also for negative numbers."""
    return _signed((value & _MASK) >> _places(places))
