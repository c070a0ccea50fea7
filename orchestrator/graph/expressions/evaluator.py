"""Evaluates expression trees over JSON values, within a step budget."""

from collections.abc import Mapping
from functools import lru_cache
from json import dumps, loads
from typing import Any

from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions.compiler import Compiler, weight
from orchestrator.graph.expressions.nodes import Ast
from orchestrator.graph.expressions.runtime import (
    Env,
    MissingError,
    as_json,
    charge,
)

__all__ = ["DEFAULT_BUDGET", "Program", "evaluate"]

DEFAULT_BUDGET = 100_000
"""Steps of one evaluation."""


class Program:
    """An expression ready to be evaluated many times; safe to share between threads.

    Args:
        ast: The tree that ``parser.parse`` gave.

    Raises:
        ExpressionError: ``ast`` is no such tree.
    """

    __slots__ = ("_run", "_slots", "_weight")

    def __init__(self, ast: Ast) -> None:
        compiler = Compiler()
        try:
            self._run = compiler.compile(ast, {})
            self._weight = weight(ast)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise ExpressionError("this is not the tree of an expression: parse its text again") from error
        self._slots: list[Any] = [None] * (compiler.slots + 1)

    def evaluate(self, bindings: Mapping[str, Any], *, budget: int = DEFAULT_BUDGET) -> Any:
        """The value of the expression, as JSON; it may share parts with ``bindings``.

        Args:
            bindings: The variables: JSON values by name.
            budget: The steps it may take.

        Raises:
            ExpressionError: It has no value: something is missing, or of the wrong type.
            ExpressionBudgetError: It takes too many steps, or its value is too large.
        """
        return self.measure(bindings, budget)[0]

    def measure(self, bindings: Mapping[str, Any], budget: int) -> tuple[Any, int]:
        """The value of the expression, and how many steps it took.

        Raises:
            ExpressionError: As ``evaluate``.
        """
        env: Env = [budget - self._weight, bindings, *self._slots]
        try:
            if env[0] < 0:
                charge(env, 0)
            value = self._run(env)
            return (value if type(value) is bool else as_json(value)), budget - env[0]
        except MissingError as error:
            raise error.explained() from None


def evaluate(ast: Ast, bindings: Mapping[str, Any], *, budget: int = DEFAULT_BUDGET) -> Any:
    """As ``Program(ast).evaluate(bindings)``, with the program of an equal tree used again.

    Raises:
        ExpressionError: See ``Program``.
    """
    try:
        key = dumps(ast)
    except (ValueError, TypeError, RecursionError) as error:
        raise ExpressionError("this is not the tree of an expression: parse its text again") from error
    return _program(key).evaluate(bindings, budget=budget)


@lru_cache(maxsize=2_048)
def _program(key: str) -> Program:
    return Program(loads(key))
