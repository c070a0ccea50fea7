"""`format`: values into a text with %s, %d, %f, %e, %b, %o, %x, %X and %%."""

import re
from collections.abc import Callable
from math import isfinite
from typing import Any, cast

from orchestrator.errors import ExpressionBudgetError, ExpressionError
from orchestrator.graph.expressions.conversions import double_text
from orchestrator.graph.expressions.runtime import Env, article, charge, from_key, integer

__all__ = ["format_text"]

_CLAUSE = re.compile(r"%(?:\.([0-9]{1,3}))?(.?)", re.DOTALL | re.ASCII)
_MAX_PRECISION = 100
_DEFAULT_PRECISION = 6
_MAX_NESTING = 100


def format_text(env: Env, template: str, values: list[Any]) -> str:
    """``template`` with each clause filled from ``values`` in order.

    Raises:
        ExpressionError: A clause is unknown, has no value, or one of the wrong type.
    """
    charge(env, 1 + len(template) // 5)
    used = 0
    parts: list[str] = []
    at = 0
    for clause in _CLAUSE.finditer(template):
        parts.append(template[at : clause.start()])
        at = clause.end()
        if clause[0] == "%%":
            parts.append("%")
            continue
        if clause[2] not in _CLAUSES:
            raise ExpressionError(f"`format` does not know the clause {clause[0]!r}")
        if used >= len(values):
            raise ExpressionError(f"`format` has {len(values)} values, too few for its clauses")
        parts.append(_CLAUSES[clause[2]](env, values[used], clause[1]))
        used += 1
        charge(env, 1 + len(parts[-1]) // 10)
    parts.append(template[at:])
    return "".join(parts)


def _text(env: Env, value: Any, precision: str | None) -> str:
    del precision
    return _spelled(env, value, 0)


def _spelled(env: Env, value: Any, depth: int) -> str:
    charge(env, 1)
    if depth > _MAX_NESTING:
        raise ExpressionBudgetError(f"`format` takes values nested at most {_MAX_NESTING} deep")
    if isinstance(value, str):
        charge(env, len(value) // 10)
        return value
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, list):
        return "[" + ", ".join([_spelled(env, item, depth + 1) for item in cast("list[Any]", value)]) + "]"
    if isinstance(value, dict):
        entries = cast("dict[Any, Any]", value)
        pairs = [
            (_spelled(env, from_key(key), depth + 1), _spelled(env, item, depth + 1)) for key, item in entries.items()
        ]
        return "{" + ", ".join(f"{key}: {item}" for key, item in sorted(pairs)) + "}"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(integer(value, "a value of `format`"))


def _decimal(_env: Env, value: Any, precision: str | None) -> str:
    del precision
    if isinstance(value, float) and not isfinite(value):
        return double_text(value)
    return str(integer(value, "the value for %d"))


def _real(style: str) -> Callable[[Env, Any, str | None], str]:
    def write(_env: Env, value: Any, precision: str | None) -> str:
        if type(value) not in {int, float}:
            raise ExpressionError(f"the value for %{style} must be a number, not {article(value)}")
        if isinstance(value, float) and not isfinite(value):
            return double_text(value)
        digits = _DEFAULT_PRECISION if precision is None else int(precision)
        if digits > _MAX_PRECISION:
            raise ExpressionError(f"`format` takes a precision of at most {_MAX_PRECISION}")
        number = integer(value, f"the value for %{style}") if isinstance(value, int) else value
        return f"{number:.{digits}{style}}"

    return write


def _based(style: str) -> Callable[[Env, Any, str | None], str]:
    def write(env: Env, value: Any, precision: str | None) -> str:
        del precision
        if isinstance(value, str) and style in "xX":
            charge(env, len(value) // 3)
            digits = value.encode("utf-8", "surrogatepass").hex()
            return digits.upper() if style == "X" else digits
        if isinstance(value, bool) and style == "b":
            return str(int(value))
        return f"{integer(value, f'the value for %{style}'):{style}}"

    return write


_CLAUSES: dict[str, Callable[[Env, Any, str | None], str]] = {
    "s": _text,
    "d": _decimal,
    "f": _real("f"),
    "e": _real("e"),
    "b": _based("b"),
    "o": _based("o"),
    "x": _based("x"),
    "X": _based("X"),
}
