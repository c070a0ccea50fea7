"""Functions of lists. Each charges for the elements it reads or makes."""

from typing import Any

from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions.mathematics import best
from orchestrator.graph.expressions.operators import OPERATORS
from orchestrator.graph.expressions.runtime import Env, article, charge, equal

__all__ = ["distinct", "join", "largest", "part", "reverse", "smallest", "sort", "total"]


def join(env: Env, items: list[Any], separator: str = "") -> str:
    """The texts in ``items`` as one, ``separator`` between them."""
    charge(env, 1 + len(items))
    for item in items:
        if type(item) is not str:
            raise ExpressionError(f"`join` needs a list of strings, but one element is {article(item)}")
    charge(env, (sum(map(len, items)) + len(separator) * len(items)) // 10)
    return separator.join(items)


def total(env: Env, items: list[Any]) -> Any:
    """The sum of the numbers in ``items``; 0 for none."""
    charge(env, 3 * len(items))
    result: Any = 0
    for item in items:
        if type(item) not in {int, float}:
            raise ExpressionError(f"`sum` needs a list of numbers, but one element is {article(item)}")
        result = OPERATORS["+"](env, result, item)
    return result


def smallest(env: Env, items: list[Any]) -> Any:
    """The least of the numbers in ``items``."""
    return best(env, items, lambda one, other: one < other, "min")


def largest(env: Env, items: list[Any]) -> Any:
    """The greatest of the numbers in ``items``."""
    return best(env, items, lambda one, other: one > other, "max")


def distinct(env: Env, items: list[Any]) -> list[Any]:
    """``items`` without repetitions, in the order of their first occurrence."""
    charge(env, 2 * len(items))
    seen: set[Any] = set()
    kept: list[Any] = []
    others: list[Any] = []
    for item in items:
        if type(item) in {str, int, float}:
            if item in seen:
                continue
            seen.add(item)
        else:
            charge(env, 2 * len(others))
            if any(equal(env, item, other) for other in others):
                continue
            others.append(item)
        kept.append(item)
    return kept


def sort(env: Env, items: list[Any]) -> list[Any]:
    """``items``, all numbers, all texts or all booleans, from least to greatest; equal ones keep their order."""
    charge(env, 4 * len(items) + sum(len(item) for item in items if type(item) is str) // 10)
    kinds: set[type[Any]] = {float if type(item) is int else type(item) for item in items}
    if len(kinds) > 1 or not kinds <= {float, str, bool}:
        raise ExpressionError("`sort` needs a list of numbers only, of strings only or of booleans only")
    if any(item != item for item in items):  # noqa: PLR0124 -- the test for NaN
        raise ExpressionError("`sort` cannot order NaN")
    return sorted(items)


def reverse(env: Env, items: list[Any]) -> list[Any]:
    """``items`` from the last to the first."""
    charge(env, len(items))
    return items[::-1]


def part(env: Env, items: list[Any], start: int, end: int) -> list[Any]:
    """The elements from ``start`` up to, not including, ``end``; fewer when the list is shorter."""
    if start < 0 or end < start:
        raise ExpressionError(f"`slice` needs 0 <= start <= end, not {start} and {end}")
    chosen = items[start:end]
    charge(env, len(chosen))
    return chosen
