"""What every operation shares: the evaluation's environment and budget, the kinds of values, equality and order."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, TypeAlias, cast

from orchestrator.errors import ExpressionBudgetError, ExpressionError
from orchestrator.graph.blobs import blob_of, describe

__all__ = [
    "BINDINGS",
    "BUDGET",
    "ERROR_COST",
    "FIRST_SLOT",
    "MAX_INT",
    "MIN_INT",
    "REGEXES",
    "BoolKey",
    "Env",
    "MissingError",
    "Thunk",
    "article",
    "as_json",
    "as_key",
    "charge",
    "equal",
    "from_key",
    "in_storage",
    "integer",
    "kind",
    "less",
    "nearest",
]

Env: TypeAlias = list[Any]
"""One evaluation: steps left, the bindings, the regular expressions used so far, a slot per comprehension variable."""

Thunk: TypeAlias = Callable[[Env], Any]

ERROR_COST = 10
"""Steps that an error costs which a choice passes over: raising is dearer than a plain step."""

BUDGET, BINDINGS, REGEXES, FIRST_SLOT = 0, 1, 2, 3
MAX_INT, MIN_INT = 2**63 - 1, -(2**63)
_MAX_RESULT = 1_000_000
_ELEMENT = 4
"""Characters that an element of a result counts for."""
_HARMLESS = frozenset({int, bool, type(None)})
"""What needs no look of its own in a result."""
_MAX_NESTING = 200
_MAX_CANDIDATES = 200

_KINDS: dict[type, str] = {
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    list: "list",
    dict: "map",
    type(None): "null_type",
}


_LARGE_TYPES: dict[type, str] = {str: "string", list: "array", dict: "object"}
"""What a reference to blob storage calls the kinds of value that can be there."""


class MissingError(ExpressionError):
    """A name or field that is not there. The near names are looked up only when the error leaves the evaluation."""

    def __init__(self, message: str, name: str, known: Iterable[Any]) -> None:
        super().__init__(message, details={"missing": name})
        self._name = name
        self._known = known

    def explained(self) -> ExpressionError:
        """The same error with the nearest right name, if one is near."""
        names = [key for key, _ in zip(self._known, range(_MAX_CANDIDATES), strict=False) if isinstance(key, str)]
        return ExpressionError(self.message + nearest(self._name, names), details=self.details)


def nearest(name: str, names: Iterable[str]) -> str:
    """``; did you mean `x`?`` when one of ``names`` is near ``name``, else nothing."""
    found = difflib.get_close_matches(name[:64], [known for known in names if len(known) <= 64], n=1)  # noqa: PLR2004
    return f"; did you mean `{found[0]}`?" if found else ""


def charge(env: Env, steps: int) -> None:
    """Take ``steps`` from the budget.

    Raises:
        ExpressionBudgetError: There are not enough left.
    """
    env[BUDGET] -= steps
    if env[BUDGET] < 0:
        raise ExpressionBudgetError(
            "the expression takes too many steps or makes too large a value: work on a shorter list or text"
        )


def kind(value: Any) -> str:
    """The type of ``value`` as the language calls it."""
    name = _KINDS.get(value.__class__)
    if name is None:
        raise ExpressionError(f"a value of the Python type {value.__class__.__name__} is not JSON")
    return name


def article(value: Any) -> str:
    """The type of ``value`` with its article, for messages."""
    if (blob := blob_of(value)) is not None:
        return describe(blob)
    name = kind(value)
    return "null" if name == "null_type" else f"an {name}" if name == "int" else f"a {name}"


def in_storage(value: Any, where: str) -> ExpressionError | None:
    """The error of looking into ``value``, written as ``where``, when it is in blob storage; else none."""
    blob = blob_of(value)
    if blob is None:
        return None
    return ExpressionError(
        f"{where} is {describe(blob)}, which an expression cannot look into; have a Transform node compute what is "
        "needed of it",
        details={"blob": blob.key},
    )


class BoolKey:
    """A boolean as a map key: in Python ``True`` and ``1`` would be the same key."""

    __slots__ = ("value",)

    def __init__(self, *, value: bool) -> None:
        self.value = value


_TRUE_KEY, _FALSE_KEY = BoolKey(value=True), BoolKey(value=False)


def as_key(value: Any) -> Any:
    """``value`` as the key to look up in a map, or none when no map can have it."""
    if value is True:
        return _TRUE_KEY
    if value is False:
        return _FALSE_KEY
    return value if isinstance(value, (str, int, float)) else None


def from_key(key: Any) -> Any:
    """The value that a key of a map stands for."""
    return key.value if isinstance(key, BoolKey) else key


def integer(value: Any, what: str) -> int:
    """``value`` as an int: doubles without a fraction count, as model output flips between the two.

    Raises:
        ExpressionError: It is no whole number of 64 bits.
    """
    if type(value) is float and isfinite(value) and value == int(value):
        value = int(value)
    if type(value) is not int:
        raise ExpressionError(f"{what} must be a whole number, not {article(value)}")
    if not MIN_INT <= value <= MAX_INT:
        raise ExpressionError(f"{what} does not fit 64 bits")
    return value


def equal(env: Env, left: Any, right: Any, depth: int = 0) -> bool:
    """Whether two values are equal: numbers by value whatever their type, all else only within one type."""
    left_type, right_type = left.__class__, right.__class__
    if left_type in {int, float}:
        return right_type in {int, float} and left == right
    if dict in {left_type, right_type} and (told := _equal_in_storage(left, right)) is not None:
        return told
    if left_type is not right_type:
        return False
    if left_type is not list and left_type is not dict:
        charge(env, len(left) // 100 if left_type is str else 0)
        return left == right
    if depth > _MAX_NESTING:
        raise ExpressionBudgetError(f"values nested more than {_MAX_NESTING} deep cannot be compared")
    if left_type is list:
        charge(env, 1 + min(len(left), len(right)))
        return len(left) == len(right) and all(
            equal(env, one, other, depth + 1) for one, other in zip(left, right, strict=True)
        )
    charge(env, 1 + min(len(left), len(right)))
    return len(left) == len(right) and all(
        key in right and equal(env, value, right[key], depth + 1) for key, value in left.items()
    )


def _equal_in_storage(left: Any, right: Any) -> bool | None:
    """Whether two values are equal of which at least one is in blob storage; none when neither is.

    Raises:
        ExpressionError: It cannot be told from here.
    """
    one, other = blob_of(left), blob_of(right)
    if one is None and other is None:
        return None
    if one == other:
        return True
    types = [blob.type if blob else _LARGE_TYPES.get(value.__class__) for blob, value in ((one, left), (other, right))]
    if types[0] != types[1]:
        return False
    raise ExpressionError(f"{article(left)} cannot be compared with {article(right)}")


def less(env: Env, left: Any, right: Any, sign: str) -> bool:
    """Whether ``left`` comes before ``right``; text by code point, false before true.

    Raises:
        ExpressionError: The two have no common order. ``sign`` is the operator to name.
    """
    left_type, right_type = left.__class__, right.__class__
    if left_type is str and right_type is str:
        charge(env, min(len(left), len(right)) // 100)
        return left < right
    numbers = {int, float}
    if (left_type in numbers and right_type in numbers) or (left_type is bool and right_type is bool):
        return left < right
    raise ExpressionError(f"{article(left)} and {article(right)} cannot be compared with `{sign}`")


def as_json(value: Any) -> Any:
    """The result as JSON: map keys as text, nothing infinite, nothing huge.

    Raises:
        ExpressionError: A number in it is not finite.
        ExpressionBudgetError: It has too many elements and characters, or is nested too deeply.
    """
    plain, size = True, 0
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        item_type = item.__class__
        size += len(item) if item_type is str else _ELEMENT * len(item) if item_type in {list, dict} else 1
        if size > _MAX_RESULT or depth > _MAX_NESTING:
            raise ExpressionBudgetError(
                "the result is too large: at most 250,000 elements, or 1,000,000 characters, are allowed"
            )
        if item_type is float and not isfinite(item):
            raise ExpressionError("the result is not a finite number: check for a division by 0.0 or an overflow")
        if item_type is dict:
            plain = plain and all(type(key) is str for key in item)
            size += sum(len(key) for key in item if type(key) is str)
            waiting.extend([(child, depth + 1) for child in item.values() if child.__class__ not in _HARMLESS])
        elif item_type is list:
            waiting.extend([(child, depth + 1) for child in item if child.__class__ not in _HARMLESS])
        else:
            kind(item)
    return value if plain else _with_text_keys(value)


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_text_keys(item) for item in cast("list[Any]", value)]
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value)
        return {_key_text(key): _with_text_keys(item) for key, item in items.items()}
    return value


def _key_text(key: Any) -> str:
    return str(key.value).lower() if isinstance(key, BoolKey) else str(key)
