"""The expression tree: plain JSON, pinned in histories, so a kind may be added but none may change its meaning.

A node is a literal or a list whose first element is its kind:

| node | meaning |
|---|---|
| null, true, 1, 1.5, "a" | the literal itself |
| ["id", name] | a variable |
| [".", x, name] | a field |
| ["[]", x, index] | an element |
| ["has", x, name] | is the field there |
| ["list", x…] | a list |
| ["map", key, value, key, value…] | a map |
| ["&&", x, y…], ["||", x, y…] | logic over two or more |
| ["!", x], ["neg", x] | not, minus |
| ["==" "!=" "<" "<=" ">" ">=" "in" "+" "-" "*" "/" "%", x, y] | operators |
| ["?", condition, x, y] | a choice |
| ["call", name, x…] | a function; the name may have a dot (`math.abs`) |
| ["method", name, target, x…] | a function of its target |
| ["each", kind, range, [variable…], body…] | a comprehension: `all`, `exists`, `exists_one`, `filter`, `map`, |
| | `transformList` or `transformMap`; a last body after a transformation is its filter |
"""

from typing import Any, TypeAlias, cast

__all__ = ["TYPE_NAMES", "Ast", "chain", "children", "describe", "type_of_literal"]

Ast: TypeAlias = Any
"""A literal, or a list as in the table above."""

TYPE_NAMES = ("bool", "double", "int", "list", "map", "null_type", "string")
"""What ``type()`` may answer; each is also a constant of the language, unless a variable has its name."""

_MAX_SHOWN = 60


def children(ast: Ast) -> list[Ast]:
    """The nodes right below ``ast``, in the order of the text."""
    if not isinstance(ast, list):
        return []
    match cast("list[Any]", ast):
        case ["id", *_]:
            return []
        case ["." | "has", base, _]:
            return [base]
        case ["call" | "method", _, *rest]:
            return rest
        case ["each", _, over, _, *body]:
            return [over, *body]
        case node:
            return node[1:]


def chain(ast: Ast) -> tuple[str | int, ...] | None:
    """The path that ``ast`` is (``a.b[0]['c']``), or none when it is anything else."""
    path: list[str | int] = []
    while True:
        match ast:
            case ["id", str(name)]:
                return (name, *reversed(path))
            case [".", base, str(name)]:
                path.append(name)
            case ["[]", base, (str() | int()) as index] if not isinstance(index, bool):
                path.append(index)
            case _:
                return None
        ast = base


def describe(ast: Ast) -> str:  # noqa: PLR0911 -- one answer per kind of node
    """``ast`` as a few words of an error message: the path or literal itself, else what kind of thing it is."""
    path = chain(ast)
    if path is not None:
        text = "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in path)[1:]
        return f"`{text[:_MAX_SHOWN]}`"
    match ast:
        case ["call" | "method", str(name), *_]:
            return f"`{name}(…)`"
        case ["each", str(kind), *_]:
            return f"`{kind}(…)`"
        case [str(kind), *_]:
            return f"the `{_SPOKEN.get(kind, kind)}` expression"
        case None:
            return "`null`"
        case bool():
            return f"`{str(ast).lower()}`"
        case _:
            return f"`{ast!r}`" if not isinstance(ast, str) or len(ast) < _MAX_SHOWN else "the text"


_SPOKEN = {"neg": "-", "[]": "[ ]", "has": "has()", "list": "[…]", "map": "{…}", "?": "? :"}

_LITERALS: dict[type, str] = {bool: "bool", int: "int", float: "double", str: "string", type(None): "null"}


def type_of_literal(ast: Ast) -> str | None:
    """The name of the type of a literal, or none when ``ast`` is not one."""
    return _LITERALS.get(ast.__class__)
