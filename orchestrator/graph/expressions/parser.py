"""Reads CEL text into the expression tree of ``nodes``, over the grammar that cel-python ships.

Only the grammar is theirs. Its token patterns backtrack exponentially on some strings and know neither trailing
commas nor quoted fields, so the tokens come from our own ``lexer``.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from lark import Lark, Token, Transformer, Tree
from lark.exceptions import UnexpectedInput

from orchestrator.errors import ExpressionSyntaxError
from orchestrator.graph.expressions.complaints import complaint
from orchestrator.graph.expressions.lexer import MAX_LENGTH, Lexeme, fail, place, scan
from orchestrator.graph.expressions.nodes import Ast, children

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "parse"]

MAX_DEPTH = 64
"""Levels of the tree; keeps every recursion over it, and every JSON reader of it, far from its end."""

_MAX_INT = 2**63 - 1
_TWO, _THREE = 2, 3
_KEYWORDS = {"true": "BOOL_LIT", "false": "BOOL_LIT", "null": "NULL_LIT", "in": "IN"}
_CONSTANTS = {"true": True, "false": False, "null": None}
_RESERVED = frozenset({
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "namespace",
    "package", "return", "var", "void", "while",
})  # fmt: skip
_NAMESPACES = ("math", "strings")
_MACROS: dict[str, tuple[str, int, int, int]] = {
    # spelling: kind, variables, fewest and most bodies
    "all": ("all", 1, 1, 1),
    "exists": ("exists", 1, 1, 1),
    "exists_one": ("exists_one", 1, 1, 1),
    "existsOne": ("exists_one", 1, 1, 1),
    "filter": ("filter", 1, 1, 1),
    "map": ("map", 1, 1, 2),
    "transformList": ("transformList", 2, 1, 2),
    "transformMap": ("transformMap", 2, 1, 2),
}
_ALSO_TWO = frozenset({"all", "exists", "exists_one", "existsOne"})


def parse(text: str) -> Ast:
    """The tree of ``text``: a JSON value, as ``nodes`` describes.

    Raises:
        ExpressionSyntaxError: ``text`` is no expression of the language, or is too long or too deep.
    """
    lexemes = scan(text)
    if not lexemes:
        raise ExpressionSyntaxError("the expression is empty")
    state = cast("Any", _grammar()).parse_interactive("")
    for index, lexeme in enumerate(lexemes):
        token = _token(lexeme, lexemes[index - 1] if index else None, text)
        try:
            state.feed_token(token)
        except UnexpectedInput:
            raise fail(complaint(lexemes, index), text, lexeme.at) from None
    try:
        ast = state.feed_eof()
    except UnexpectedInput:
        raise fail(complaint(lexemes, len(lexemes)), text, len(text.rstrip())) from None
    _check(ast)
    return ast


def _signed(operator: str) -> Callable[[Any, list[Any]], Any]:
    """The rule that has read the left side and the sign."""
    return lambda _builder, found: (operator, found[0])


class _Builder(Transformer[Token, Any]):
    """Turns each finished rule of the grammar into a node; rules not named here pass their only child up."""

    def __default__(self, data: str, children: list[Any], meta: object) -> Any:
        del meta
        if data == "exprlist":
            return tuple(children)
        # The grammar's own repetitions: lark takes their children out again.
        return Tree(data, children) if data.startswith("_") else children[0]

    def expr(self, found: list[Any]) -> Ast:
        return found[0] if len(found) == 1 else ["?", *found]

    def conditionalor(self, found: list[Any]) -> Ast:
        return _flat("||", found)

    def conditionaland(self, found: list[Any]) -> Ast:
        return _flat("&&", found)

    def relation(self, found: list[Any]) -> Ast:
        if len(found) == 1:
            return found[0]
        (operator, left), right = found
        return [operator, left, right]

    addition = multiplication = relation
    relation_lt, relation_le = _signed("<"), _signed("<=")
    relation_gt, relation_ge = _signed(">"), _signed(">=")
    relation_eq, relation_ne = _signed("=="), _signed("!=")
    relation_in = _signed("in")
    addition_add, addition_sub = _signed("+"), _signed("-")
    multiplication_mul, multiplication_div, multiplication_mod = _signed("*"), _signed("/"), _signed("%")

    def unary(self, found: list[Any]) -> Ast:
        if len(found) == 1:
            return found[0]
        operator, operand = found
        if operator == "neg" and _is_number(operand) and -operand <= _MAX_INT:
            return -operand
        return [operator, operand]

    def unary_not(self, _found: list[Any]) -> str:
        return "!"

    def unary_neg(self, _found: list[Any]) -> str:
        return "neg"

    def member_dot(self, found: list[Any]) -> Ast:
        return [".", found[0], found[1].value]

    def member_dot_arg(self, found: list[Any]) -> Ast:
        target, name, arguments = found[0], found[1], found[2] if len(found) > _TWO else ()
        if target in [["id", space] for space in _NAMESPACES]:
            return ["call", f"{target[1]}.{name.value}", *arguments]
        if name.value in _MACROS:
            return _macro(name, target, arguments)
        return ["method", name.value, target, *arguments]

    def member_index(self, found: list[Any]) -> Ast:
        return ["[]", *found]

    def member_object(self, _found: list[Any]) -> Ast:
        raise ExpressionSyntaxError("messages, as in Name{field: value}, are not part of the language: write a map")

    def dot_ident(self, found: list[Any]) -> Ast:
        raise _at(found[0], f"write {found[0].value} without the leading dot")

    dot_ident_arg = dot_ident

    def ident(self, found: list[Any]) -> Ast:
        return ["id", _free_name(found[0])]

    def ident_arg(self, found: list[Any]) -> Ast:
        name, arguments = found[0], found[1] if len(found) > 1 else ()
        if name.value == "has":
            return _has(name, arguments)
        return ["call", _free_name(name), *arguments]

    def list_lit(self, found: list[Any]) -> Ast:
        return ["list", *(found[0] if found else ())]

    def map_lit(self, found: list[Any]) -> Ast:
        return ["map", *(found[0] if found else ())]

    def mapinits(self, found: list[Any]) -> tuple[Any, ...]:
        return tuple(found)

    def fieldinits(self, found: list[Any]) -> tuple[Any, ...]:
        return tuple(found)

    def literal(self, found: list[Any]) -> Ast:
        return found[0].value


def _flat(operator: str, found: list[Any]) -> Ast:
    """Chains of ``&&`` and ``||`` are one node each: nesting would cost depth, and means the same."""
    if len(found) == 1:
        return found[0]
    left, right = found
    if isinstance(left, list) and left[0] == operator:
        return [*cast("list[Any]", left), right]
    return [operator, left, right]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _at(token: Token, message: str) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(message, line=token.line or 1, column=token.column or 1)


def _free_name(token: Token) -> str:
    name = str(token.value)
    if name in _RESERVED:
        raise _at(token, f"'{name}' is a reserved word and cannot be a name here")
    return name


def _has(name: Token, arguments: tuple[Any, ...]) -> Ast:
    match arguments:
        case ([".", base, field],):
            return ["has", base, field]
        case _:
            raise _at(name, "has() takes one field, as in has(nodes.a.label); for any other key write 'key' in map")


def _macro(name: Token, target: Ast, arguments: tuple[Any, ...]) -> Ast:
    kind, variables, fewest, most = _MACROS[name.value]
    if name.value in _ALSO_TWO and len(arguments) == _THREE:
        variables = _TWO
    if not fewest <= len(arguments) - variables <= most:
        example = f"{name.value}(x, …)" if variables == 1 else f"{name.value}(key, value, …)"
        raise _at(name, f"{name.value}() takes {_counts(name.value)} arguments, as in list.{example}")
    names: list[str] = []
    for argument in arguments[:variables]:
        match argument:
            case ["id", str(variable)] if variable not in names and variable not in _NAMESPACES:
                names.append(variable)
            case _:
                raise _at(
                    name, f"the first arguments of {name.value}() are new names for its variables, each different"
                )
    body = list(arguments[variables:])
    return ["each", kind, target, names, *(reversed(body) if len(body) == _TWO else body)]


def _counts(macro: str) -> str:
    _, variables, fewest, most = _MACROS[macro]
    counts = {variables + fewest, variables + most}
    if macro in _ALSO_TWO:
        counts.add(_THREE)
    return " or ".join(str(count) for count in sorted(counts))


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    package = find_spec("celpy")
    if package is None or package.origin is None:
        raise ExpressionSyntaxError("cel-python is not installed: its grammar is needed to read expressions")
    text = (Path(package.origin).parent / "cel.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", start="expr", maybe_placeholders=False, transformer=_Builder())


@lru_cache(maxsize=1)
def _operator_names() -> dict[str, str]:
    """The grammar's own names of its operators."""
    return {str(terminal.pattern.value): terminal.name for terminal in _grammar().terminals}


def _token(lexeme: Lexeme, before: Lexeme | None, text: str) -> Token:
    line, column = place(text, lexeme.at)
    kind, value = lexeme.kind, lexeme.value
    field = before is not None and before.kind == "."
    if kind == "quoted" and not field:
        raise fail("a name between '`' can only be a field, after a dot", text, lexeme.at)
    if kind == "name" and not field and lexeme.text in _KEYWORDS:
        kind, value = _KEYWORDS[lexeme.text], _CONSTANTS.get(lexeme.text)
    else:
        plain = {"name": "IDENT", "quoted": "IDENT", "string": "STRING_LIT", "int": "INT_LIT", "double": "FLOAT_LIT"}
        kind = plain.get(kind) or _operator_names()[kind]
    return Token(kind, value, line=line, column=column)


def _check(ast: Ast) -> None:
    """Refuse trees too deep to walk, and the one integer that has only a negative form."""
    waiting = [(ast, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ExpressionSyntaxError(f"the expression is nested too deeply: at most {MAX_DEPTH} levels are allowed")
        if _is_number(node) and node > _MAX_INT and isinstance(node, int):
            raise ExpressionSyntaxError(f"the integer {node} does not fit 64 bits")
        waiting.extend((child, depth + 1) for child in children(node))
