"""What can be known of an expression without running it: what it refers to, its type, its certain mistakes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from orchestrator.graph.expressions.functions import FUNCTIONS, METHODS, unknown
from orchestrator.graph.expressions.nodes import TYPE_NAMES, Ast, chain, children, describe, type_of_literal

__all__ = ["Reference", "check", "references", "result_type"]

_NODE = 2
"""The segments that name one node: ``nodes`` and its id."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A path the expression reads, as ``("nodes", "search", "documents", 0)``.

    ``guarded``: the same expression asks ``has()`` of the path, of a part of it that names a node or more, or of
    anything below the same node.
    """

    path: tuple[str | int, ...]
    guarded: bool


def references(ast: Ast) -> tuple[Reference, ...]:
    """Every path from a free variable, in the order of the text, once each.

    A path ends where an index is no constant. Variables of comprehensions and type names are not references.
    """
    found = dict.fromkeys(_paths(ast, frozenset()))
    asked = [path for path, in_has in found if in_has]
    paths = dict.fromkeys(path for path, _ in found)
    return tuple(Reference(path, any(_guards(guard, path) for guard in asked)) for path in paths)


def _guards(asked: tuple[str | int, ...], path: tuple[str | int, ...]) -> bool:
    if len(asked) < _NODE:
        return False
    below_same_node = asked[0] == "nodes" and asked[:_NODE] == path[:_NODE]
    return below_same_node or path[: len(asked)] == asked


def _paths(ast: Ast, bound: frozenset[str]) -> Iterator[tuple[tuple[str | int, ...], bool]]:
    """Each path, and whether it stands in ``has()``."""
    asks = isinstance(ast, list) and bool(ast[:1] == ["has"])
    path = chain([".", *ast[1:]] if asks else ast)
    if path is not None:
        if path[0] not in bound and not (len(path) == 1 and path[0] in TYPE_NAMES):
            yield path, asks
        return
    below = children(ast)
    inner = bound
    if isinstance(ast, list) and ast[:1] == ["each"]:
        yield from _paths(below.pop(0), bound)
        inner = bound | frozenset(cast("list[str]", ast[3]))
    for child in below:
        yield from _paths(child, inner)


_NUMERIC = frozenset({"-", "*", "/", "%"})
_BOOLEAN = frozenset({"&&", "||", "!", "==", "!=", "<", "<=", ">", ">=", "in", "has"})
_GIVES = {"all": "bool", "exists": "bool", "exists_one": "bool", "transformMap": "map"}


def result_type(ast: Ast) -> str | None:  # noqa: PLR0911 -- one answer per kind of node
    """The type that the value always has, when it has one: bool, int, double, string, list, map, null; else none."""
    match ast:
        case ["list", *_]:
            return "list"
        case ["map", *_]:
            return "map"
        case [str(sign), *_] if sign in _BOOLEAN:
            return "bool"
        case ["?", _, then, other]:
            one, two = result_type(then), result_type(other)
            return one if one == two else None
        case ["each", str(kind), *_]:
            return _GIVES.get(kind, "list")
        case [("call" | "method") as spelling, str(name), *_]:
            function = (METHODS if spelling == "method" else FUNCTIONS).get(name)
            return function.gives if function else None
        case ["neg", operand]:
            return _only_number(result_type(operand))
        case [("+" | "-" | "*" | "/" | "%"), left, right]:
            return _arithmetic(result_type(left), result_type(right))
        case _:
            return type_of_literal(ast)


def _only_number(name: str | None) -> str | None:
    return name if name in {"int", "double"} else None


def _arithmetic(left: str | None, right: str | None) -> str | None:
    if left is None or right is None:
        return None
    if left == right:
        return left
    return "double" if {left, right} == {"int", "double"} else None


def check(ast: Ast) -> list[str]:
    """Sentences about what is certain to fail: unknown functions, wrong counts, operators on the wrong types."""
    found = [sentence for child in children(ast) for sentence in check(child)]
    match ast:
        case [("call" | "method") as spelling, str(name), *arguments]:
            found += _check_call(name, arguments, method=spelling == "method")
        case [("&&" | "||" | "!") as sign, *operands]:
            found += [_wrong(sign, "true or false", node) for node in operands if _known_other(node, {"bool"})]
        case ["?", condition, _, _] if _known_other(condition, {"bool"}):
            found.append(_wrong("?", "true or false", condition))
        case ["neg", operand] if _known_other(operand, {"int", "double"}):
            found.append(_wrong("-", "a number", operand))
        case [("+" | "-" | "*" | "/" | "%" | "<" | "<=" | ">" | ">=") as sign, left, right]:
            found += _check_sides(sign, left, right)
        case ["in", _, right] if _known_other(right, {"list", "map"}):
            found.append(_wrong("in", "a list or a map on its right", right))
        case _:
            pass
    return list(dict.fromkeys(found))


def _check_call(name: str, arguments: list[Any], *, method: bool) -> list[str]:
    function = (METHODS if method else FUNCTIONS).get(name)
    if function is None:
        return [unknown(name, method=method)]
    wrong = function.miscounted(len(arguments))
    return [wrong] if wrong else []


def _known_other(node: Ast, wanted: set[str]) -> bool:
    name = result_type(node)
    return name is not None and name not in wanted


def _wrong(sign: str, wanted: str, node: Ast) -> str:
    return f"`{sign}` needs {wanted}, but {describe(node)} is {_with_article(result_type(node))}"


def _check_sides(sign: str, left: Ast, right: Ast) -> list[str]:
    one, two = result_type(left), result_type(right)
    numbers = {"int", "double"}
    if one is None or two is None or {one, two} <= numbers:
        return []
    allowed = {"+": {"string", "list"}}.get(sign, set() if sign in _NUMERIC else {"string", "bool"})
    if one == two and one in allowed:
        return []
    return [f"`{sign}` cannot be used between {_with_article(one)} and {_with_article(two)}"]


def _with_article(name: str | None) -> str:
    return "null" if name in {None, "null"} else f"an {name}" if name == "int" else f"a {name}"
