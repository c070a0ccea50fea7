"""The table of functions: what each takes and gives, and the function behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions import conversions, lists, mathematics, strings
from orchestrator.graph.expressions.formatting import format_text
from orchestrator.graph.expressions.runtime import Env, article, in_storage, integer, nearest

__all__ = ["FUNCTIONS", "METHODS", "Function", "unknown"]

_TAKEN: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "list": (list,),
    "value with a size": (str, list, dict),
    "string or list": (str, list),
}


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language.

    ``takes`` names the kind of each argument (of a method: its target first); the last ``optional`` of them may be
    left out, and with ``many`` the last may be repeated. ``apply`` gets the environment, for its budget, and the
    arguments. ``gives`` is the type of the result, where it is always the same.
    """

    name: str
    takes: tuple[str, ...]
    apply: Callable[..., Any]
    gives: str | None = None
    optional: int = 0
    many: bool = False
    method: bool = False

    def miscounted(self, count: int) -> str | None:
        """What is wrong with ``count`` arguments (the target counts), or none."""
        most, hidden = len(self.takes), int(self.method)
        if most - self.optional <= count and (self.many or count <= most):
            return None
        fewest = most - self.optional - hidden
        wanted = (
            f"at least {fewest}" if self.many else str(fewest) if not self.optional else f"{fewest} to {most - hidden}"
        )
        plural = "" if fewest == most - hidden == 1 or wanted == "at least 1" else "s"
        return f"`{self.name}` takes {wanted} argument{plural}, not {count - hidden}"

    def checked(self, arguments: list[Any], places: tuple[str, ...]) -> list[Any]:
        """``arguments``, which the author wrote as ``places``, as ``apply`` wants them.

        Raises:
            ExpressionError: One is of the wrong type, or in blob storage.
        """
        for position, value in enumerate(arguments):
            if value.__class__ is dict and (stored := in_storage(value, places[position])):
                raise stored
            wanted = self.takes[min(position, len(self.takes) - 1)]
            if wanted == "int":
                arguments[position] = integer(value, self._which(position))
            elif wanted != "any" and type(value) not in _TAKEN[wanted]:
                raise ExpressionError(f"{self._which(position)} must be a {wanted}, not {article(value)}")
        return arguments

    def _which(self, position: int) -> str:
        if self.method and position == 0:
            return f"what `{self.name}` is called on"
        return f"argument {position + 1 - int(self.method)} of `{self.name}`"


def unknown(name: str, *, method: bool) -> str:
    """The sentence about a function that does not exist, with the nearest that does."""
    table, other = (METHODS, FUNCTIONS) if method else (FUNCTIONS, METHODS)
    if name in other and not method:
        return f"`{name}` is called on a value: write value.{name}(…)"
    if name in other:
        return f"`{name}` is not called on a value: write {name}(value)"
    if name in {"uint", "bytes", "timestamp", "duration"}:
        return f"there is no function `{name}`: its type is not part of this language"
    return f"there is no function `{name}`{nearest(name, table)}"


def _table(*functions: Function) -> dict[str, Function]:
    return {function.name: function for function in functions}


def _method(
    name: str, takes: tuple[str, ...], apply: Callable[..., Any], gives: str | None, optional: int = 0
) -> Function:
    return Function(name, takes, apply, gives, optional, method=True)


def _size(_env: Env, value: Any) -> int:
    return len(value)


def _reverse(env: Env, value: Any) -> Any:
    return strings.reverse(env, value) if isinstance(value, str) else lists.reverse(env, cast("list[Any]", value))


FUNCTIONS = _table(
    Function("size", ("value with a size",), _size, "int"),
    Function("int", ("any",), conversions.to_int, "int"),
    Function("double", ("any",), conversions.to_double, "double"),
    Function("string", ("any",), conversions.to_string, "string"),
    Function("bool", ("any",), conversions.to_bool, "bool"),
    Function("type", ("any",), conversions.type_name, "string"),
    Function("dyn", ("any",), conversions.unchanged),
    Function("matches", ("string", "string"), strings.matches, "bool"),
    Function("strings.quote", ("string",), strings.quote, "string"),
    Function("math.greatest", ("any",), mathematics.greatest, many=True),
    Function("math.least", ("any",), mathematics.least, many=True),
    Function("math.ceil", ("number",), mathematics.ceil),
    Function("math.floor", ("number",), mathematics.floor),
    Function("math.round", ("number",), mathematics.round_half_away),
    Function("math.trunc", ("number",), mathematics.trunc),
    Function("math.abs", ("number",), mathematics.absolute),
    Function("math.sign", ("number",), mathematics.sign),
    Function("math.sqrt", ("number",), mathematics.sqrt, "double"),
    Function("math.isNaN", ("number",), mathematics.is_nan, "bool"),
    Function("math.isInf", ("number",), mathematics.is_inf, "bool"),
    Function("math.isFinite", ("number",), mathematics.is_finite, "bool"),
    Function("math.bitAnd", ("int", "int"), mathematics.bit_and, "int"),
    Function("math.bitOr", ("int", "int"), mathematics.bit_or, "int"),
    Function("math.bitXor", ("int", "int"), mathematics.bit_xor, "int"),
    Function("math.bitNot", ("int",), mathematics.bit_not, "int"),
    Function("math.bitShiftLeft", ("int", "int"), mathematics.shift_left, "int"),
    Function("math.bitShiftRight", ("int", "int"), mathematics.shift_right, "int"),
)
"""Functions called by their name alone."""

METHODS = _table(
    _method("size", ("value with a size",), _size, "int"),
    _method("contains", ("string", "string"), strings.contains, "bool"),
    _method("startsWith", ("string", "string"), strings.starts_with, "bool"),
    _method("endsWith", ("string", "string"), strings.ends_with, "bool"),
    _method("matches", ("string", "string"), strings.matches, "bool"),
    _method("charAt", ("string", "int"), strings.char_at, "string"),
    _method("indexOf", ("string", "string", "int"), strings.index_of, "int", 1),
    _method("lastIndexOf", ("string", "string", "int"), strings.last_index_of, "int", 1),
    _method("lowerAscii", ("string",), strings.lower_ascii, "string"),
    _method("upperAscii", ("string",), strings.upper_ascii, "string"),
    _method("replace", ("string", "string", "string", "int"), strings.replace, "string", 1),
    _method("split", ("string", "string", "int"), strings.split, "list", 1),
    _method("substring", ("string", "int", "int"), strings.substring, "string", 1),
    _method("trim", ("string",), strings.trim, "string"),
    _method("format", ("string", "list"), format_text, "string"),
    _method("reverse", ("string or list",), _reverse, None),
    _method("join", ("list", "string"), lists.join, "string", 1),
    _method("sum", ("list",), lists.total, None),
    _method("min", ("list",), lists.smallest, None),
    _method("max", ("list",), lists.largest, None),
    _method("distinct", ("list",), lists.distinct, "list"),
    _method("sort", ("list",), lists.sort, "list"),
    _method("slice", ("list", "int", "int"), lists.part, "list"),
)
"""Functions called on a value."""
