"""The operations of Transform that compute expressions."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from activities.operations.values import Perform, kind, list_of
from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions.evaluator import DEFAULT_BUDGET, Program
from orchestrator.graph.expressions.parser import parse
from orchestrator.node_types.transform import TransformConfig

__all__ = ["EVALUATING"]

_BUDGET_OF_ALL = 2_000_000
_LEAST_BUDGET = 100


def _filter(config: TransformConfig) -> list[Any]:
    kept: list[Any] = []
    items = list_of(config.input)
    for index, (item, verdict) in enumerate(zip(items, _for_each(config.where, items), strict=True)):
        if not isinstance(verdict, bool):
            raise ExpressionError(f"`where` must be true or false; item {index} gave {kind(verdict)}")
        if verdict:
            kept.append(item)
    return kept


def _map(config: TransformConfig) -> list[Any]:
    return list(_for_each(config.expression, list_of(config.input)))


def _expression(config: TransformConfig) -> Any:
    return _program(config.expression or "").evaluate({"input": config.input})


def _for_each(text: str | None, items: list[Any]) -> Iterator[Any]:
    """The value of the expression for each item; all of them share one budget, since nothing else runs meanwhile."""
    program = _program(text or "")
    budget = min(DEFAULT_BUDGET, max(_BUDGET_OF_ALL // max(len(items), 1), _LEAST_BUDGET))
    for index, item in enumerate(items):
        yield program.evaluate({"item": item, "index": index}, budget=budget)


@lru_cache(maxsize=512)
def _program(text: str) -> Program:
    return Program(parse(text))


EVALUATING: dict[str, Perform] = {"expression": _expression, "filter": _filter, "map": _map}
