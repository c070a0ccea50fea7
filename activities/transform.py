"""Performs Transform: the operations, one function each, in one table."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NoReturn, cast

from pydantic_core import to_json

from activities.strict_json import read_json
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import ExpressionError, NodeError
from orchestrator.graph.expressions.evaluator import DEFAULT_BUDGET, Program
from orchestrator.graph.expressions.parser import parse
from orchestrator.node_types.transform import TransformConfig

__all__ = ["OPERATIONS", "handle"]

_BUDGET_OF_ALL = 2_000_000
_LEAST_BUDGET = 100
_KINDS = ((bool, "a truth value"), (int | float, "a number"), (str, "text"), (list, "a list"), (dict, "a map"))


def handle(config: TransformConfig, call: NodeCall) -> NodeOutput:
    """The result of the operation.

    Raises:
        NodeError: The input is not what the operation works on.
        ExpressionError: An expression could not be evaluated.
    """
    try:
        result = OPERATIONS[config.operation](config)
    except NodeError as error:
        raise NodeError(f"node {call.node!r}, operation {config.operation!r}: {error.message}") from error
    return NodeOutput(output={"result": result})


def _merge(config: TransformConfig) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for item in _list(config.input):
        merged.update(_map_of(item, "each item of its input"))
    return merged


def _concat(config: TransformConfig) -> Any:
    items = _list(config.input)
    if items and all(isinstance(item, str) for item in items):
        return "".join(items)
    if not all(isinstance(item, list) for item in items):
        _refuse("its input must be a list of lists, or a list of texts")
    return [item for part in items for item in part]


def _pick(config: TransformConfig) -> Any:
    value: Any = config.input
    if isinstance(value, list):
        return [_picked(item, config) for item in cast("list[Any]", value)]
    return _picked(value, config)


def _picked(value: Any, config: TransformConfig) -> dict[str, Any]:
    found = _map_of(value, "its input, or each item of it,")
    return {name: found[name] for name in config.fields or () if name in found}


def _filter(config: TransformConfig) -> list[Any]:
    kept: list[Any] = []
    items = _list(config.input)
    for index, (item, verdict) in enumerate(zip(items, _for_each(config.where, items), strict=True)):
        if not isinstance(verdict, bool):
            raise ExpressionError(f"`where` must be true or false; item {index} gave {_kind(verdict)}")
        if verdict:
            kept.append(item)
    return kept


def _map(config: TransformConfig) -> list[Any]:
    return list(_for_each(config.expression, _list(config.input)))


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


def _sort(config: TransformConfig) -> list[Any]:
    items = _list(config.input)
    keys = [_key(item, config.by) for item in items]
    numbers = all(isinstance(key, (int, float)) and not isinstance(key, bool) for key in keys)
    if not numbers and not all(isinstance(key, str) for key in keys):
        _refuse("only numbers, or only texts, can be sorted; name a field of the items with `by`")
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=bool(config.descending))
    return [items[position] for position in order]


def _unique(config: TransformConfig) -> list[Any]:
    first: dict[bytes, Any] = {}
    for item in _list(config.input):
        # Sorted keys, so that two maps are equal whatever the order they were written in.
        first.setdefault(json.dumps(_key(item, config.by), sort_keys=True).encode(), item)
    return list(first.values())


def _key(item: Any, by: str | None) -> Any:
    if by is None:
        return item
    fields = _map_of(item, "each item of its input")
    if by not in fields:
        _refuse(f"an item has no field {by!r}")
    return fields[by]


def _json_parse(config: TransformConfig) -> Any:
    try:
        return read_json(_text(config.input))
    except (ValueError, RecursionError) as error:
        raise NodeError(f"its input is not JSON: {error}") from error


def _json_dump(config: TransformConfig) -> str:
    if config.indent is None:
        return to_json(config.input).decode()
    return json.dumps(config.input, indent=config.indent, ensure_ascii=False)


def _split(config: TransformConfig) -> list[str]:
    return _text(config.input).split(config.separator or None)


def _join(config: TransformConfig) -> str:
    parts = (item if isinstance(item, str) else to_json(item).decode() for item in _list(config.input))
    return (config.separator or "").join(parts)


OPERATIONS: Mapping[str, Callable[[TransformConfig], Any]] = MappingProxyType(
    {
        "concat": _concat,
        "expression": _expression,
        "filter": _filter,
        "join": _join,
        "json_dump": _json_dump,
        "json_parse": _json_parse,
        "lowercase": lambda config: _text(config.input).lower(),
        "map": _map,
        "merge": _merge,
        "pick": _pick,
        "sort": _sort,
        "split": _split,
        "trim": lambda config: _text(config.input).strip(),
        "unique": _unique,
        "uppercase": lambda config: _text(config.input).upper(),
    }
)
"""What each operation does; the names are those of ``orchestrator.node_types.transform``."""


def _list(value: Any) -> list[Any]:
    return (
        cast("list[Any]", value)
        if isinstance(value, list)
        else _refuse(f"its input must be a list, not {_kind(value)}")
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _refuse(f"its input must be text, not {_kind(value)}")


def _map_of(value: Any, what: str) -> dict[str, Any]:
    return (
        cast("dict[str, Any]", value)
        if isinstance(value, dict)
        else _refuse(f"{what} must be a map, not {_kind(value)}")
    )


def _refuse(reason: str) -> NoReturn:
    raise NodeError(reason)


def _kind(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "null")
