"""Turns an expression tree into nested functions of the environment, once for many evaluations.

Steps are not counted one by one: a tree without comprehensions runs in time bounded by its size, so its size is
charged at the start, each turn of a comprehension charges the size of its body, and each operation whose work grows
with a value charges for that.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from orchestrator.errors import ExpressionBudgetError, ExpressionError
from orchestrator.graph.expressions.comprehensions import LOOPS
from orchestrator.graph.expressions.functions import FUNCTIONS, METHODS, Function, unknown
from orchestrator.graph.expressions.nodes import TYPE_NAMES, Ast, chain, children, describe, type_of_literal
from orchestrator.graph.expressions.operators import OPERATORS, field, has, index, negate
from orchestrator.graph.expressions.runtime import (
    BINDINGS,
    ERROR_COST,
    FIRST_SLOT,
    Env,
    MissingError,
    Thunk,
    article,
    as_key,
    charge,
    in_storage,
)

__all__ = ["Compiler", "weight"]

Scope: TypeAlias = dict[str, int]
"""Comprehension variable to its slot in the environment."""


def weight(ast: Ast) -> int:
    """The steps of one pass over ``ast``: its operations, without the bodies of its comprehensions."""
    match ast:
        case ["id", _]:
            return 0
        case ["each", _, over, *_]:
            return 2 + weight(over)
        case _:
            return int(isinstance(ast, list)) + sum(weight(child) for child in children(ast))


class Compiler:
    """Turns nodes into functions of the environment; one instance for one tree."""

    def __init__(self) -> None:
        self.slots = 0

    def compile(self, ast: Ast, scope: Scope) -> Thunk:
        if not isinstance(ast, list):
            if type_of_literal(ast) is None:
                raise ValueError
            return lambda _env: ast
        node = cast("list[Any]", ast)
        path = chain(node)
        if path is not None and len(path) > 1:
            return self._path(node, path, scope)
        rule = _RULES.get(node[0]) if node else None
        if rule is not None:
            return rule(self, node, scope)
        if node and node[0] in OPERATORS:
            return self._operator(node, scope)
        raise ValueError

    def _all(self, nodes: list[Ast], scope: Scope) -> tuple[Thunk, ...]:
        return tuple([self.compile(node, scope) for node in nodes])

    def name(self, node: list[Any], scope: Scope) -> Thunk:
        name = _name(node[1])
        slot = scope.get(name)
        if slot is not None:
            return lambda env: env[slot]

        def variable(env: Env) -> Any:
            bindings = env[BINDINGS]
            if name in bindings:
                return bindings[name]
            if name in TYPE_NAMES:
                return name
            raise MissingError(f"`{name}` is not defined", name, bindings)

        return variable

    def _path(self, node: list[Any], path: tuple[str | int, ...], scope: Scope) -> Thunk:
        """A whole chain at once: the common case in one function, the diagnosis step by step."""
        root, *steps = path
        slowly = _RULES[node[0]](self, node, scope)
        if any(not isinstance(step, str) for step in steps):
            return slowly
        place, start = (scope[root], ()) if root in scope else (BINDINGS, (root,))
        fields = (*start, *steps)

        def walk(env: Env) -> Any:
            value = env[place]
            try:
                for name in fields:
                    value = value[name]
            except (KeyError, TypeError):
                return slowly(env)
            return value

        return walk

    def select(self, node: list[Any], scope: Scope) -> Thunk:
        base_node, name = node[1], _name(node[2])
        base, where = self.compile(base_node, scope), describe(base_node)
        return lambda env: field(base(env), name, where)

    def has(self, node: list[Any], scope: Scope) -> Thunk:
        base_node, name = node[1], _name(node[2])
        base, where = self.compile(base_node, scope), describe(base_node)
        return lambda env: has(base(env), name, where)

    def index(self, node: list[Any], scope: Scope) -> Thunk:
        _, base_node, key_node = node
        base, key, where = self.compile(base_node, scope), self.compile(key_node, scope), describe(base_node)
        return lambda env: index(base(env), key(env), where)

    def make_list(self, node: list[Any], scope: Scope) -> Thunk:
        items = self._all(node[1:], scope)
        return lambda env: [item(env) for item in items]

    def make_map(self, node: list[Any], scope: Scope) -> Thunk:
        keys, values = self._all(node[1::2], scope), self._all(node[2::2], scope)
        entries = tuple(zip(keys, values, strict=True))

        def build(env: Env) -> dict[Any, Any]:
            made: dict[Any, Any] = {}
            for key_of, value_of in entries:
                key = key_of(env)
                if type(key) not in {str, int, bool}:
                    raise ExpressionError(f"{article(key)} cannot be the key of a map")
                wanted = as_key(key)
                if wanted in made:
                    raise ExpressionError(f"the key `{str(key)[:64]}` is there twice")
                made[wanted] = value_of(env)
            return made

        return build

    def choice(self, node: list[Any], scope: Scope) -> Thunk:
        condition, then, other = self._all(node[1:], scope)
        where = describe(node[1])

        def choose(env: Env) -> Any:
            met = condition(env)
            if met is True:
                return then(env)
            if met is False:
                return other(env)
            raise _not_bool("?", where, met)

        return choose

    def invert(self, node: list[Any], scope: Scope) -> Thunk:
        _, operand_node = node
        operand, where = self.compile(operand_node, scope), describe(operand_node)

        def invert(env: Env) -> bool:
            value = operand(env)
            if type(value) is not bool:
                raise _not_bool("!", where, value)
            return not value

        return invert

    def minus(self, node: list[Any], scope: Scope) -> Thunk:
        _, operand_node = node
        operand = self.compile(operand_node, scope)
        return lambda env: negate(operand(env))

    def _operator(self, node: list[Any], scope: Scope) -> Thunk:
        sign, left_node, right_node = node
        operation = OPERATORS[sign]
        left, right = self.compile(left_node, scope), self.compile(right_node, scope)
        if sign == "==" and isinstance(right_node, str):
            return lambda env: left(env) == right_node

        def operate(env: Env) -> Any:
            one, other = left(env), right(env)
            try:
                return operation(env, one, other)
            except ExpressionBudgetError:
                raise
            except ExpressionError as error:
                stored = in_storage(one, describe(left_node)) or in_storage(other, describe(right_node))
                raise stored or error from None

        return operate

    def logic(self, node: list[Any], scope: Scope) -> Thunk:
        """``&&`` and ``||``: one deciding operand settles it, whatever the others are, errors too."""
        sign, *operand_nodes = node
        decides = sign == "||"
        operands = tuple(zip(self._all(operand_nodes, scope), operand_nodes, strict=True))

        def combine(env: Env) -> bool:
            wrong: ExpressionError | None = None
            for operand, operand_node in operands:
                try:
                    value = operand(env)
                except ExpressionBudgetError:
                    raise
                except ExpressionError as error:
                    charge(env, ERROR_COST)
                    wrong = wrong or error
                    continue
                if value is decides:
                    return decides
                if type(value) is not bool:
                    wrong = wrong or _not_bool(sign, describe(operand_node), value)
            if wrong is not None:
                raise wrong
            return not decides

        return combine

    def call(self, node: list[Any], scope: Scope) -> Thunk:
        spelling, name, *argument_nodes = node
        arguments = self._all(argument_nodes, scope)
        function = (METHODS if spelling == "method" else FUNCTIONS).get(name)
        if function is None:
            return _always(unknown(name, method=spelling == "method"))
        return _applied(function, arguments, tuple([describe(argument) for argument in argument_nodes]))

    def each(self, node: list[Any], scope: Scope) -> Thunk:
        _, kind, over_node, names, *body_nodes = node
        if not names:
            raise ValueError
        over = _within_reach(self.compile(over_node, scope), describe(over_node))
        slots = range(FIRST_SLOT + self.slots, FIRST_SLOT + self.slots + len(names))
        self.slots += len(names)
        bodies = self._all(body_nodes, {**scope, **dict(zip(names, slots, strict=True))})
        cost = 1 + sum(weight(body) for body in body_nodes)
        return LOOPS[kind](over, tuple(slots), bodies, cost)


_Rule: TypeAlias = Callable[[Compiler, list[Any], Scope], Thunk]
_RULES: dict[str, _Rule] = {
    "id": Compiler.name,
    ".": Compiler.select,
    "[]": Compiler.index,
    "has": Compiler.has,
    "list": Compiler.make_list,
    "map": Compiler.make_map,
    "?": Compiler.choice,
    "!": Compiler.invert,
    "neg": Compiler.minus,
    "&&": Compiler.logic,
    "||": Compiler.logic,
    "call": Compiler.call,
    "method": Compiler.call,
    "each": Compiler.each,
}


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _not_bool(sign: str, where: str, value: Any) -> ExpressionError:
    return ExpressionError(f"`{sign}` needs true or false, but {where} is {article(value)}")


def _always(message: str) -> Thunk:
    def fail(_env: Env) -> Any:
        raise ExpressionError(message)

    return fail


def _within_reach(over: Thunk, where: str) -> Thunk:
    def reached(env: Env) -> Any:
        value = over(env)
        if stored := in_storage(value, where):
            raise stored
        return value

    return reached


def _applied(function: Function, arguments: tuple[Thunk, ...], places: tuple[str, ...]) -> Thunk:
    wrong = function.miscounted(len(arguments))
    if wrong is not None:
        return _always(wrong)
    apply = function.apply
    return lambda env: apply(env, *function.checked([argument(env) for argument in arguments], places))
