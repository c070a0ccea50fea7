"""The comprehensions: `all`, `exists`, `exists_one`, `filter`, `map`, `transformList`, `transformMap`."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast

from orchestrator.errors import ExpressionBudgetError, ExpressionError
from orchestrator.graph.expressions.runtime import ERROR_COST, Env, Thunk, article, charge, from_key

__all__ = ["LOOPS"]

_Loop: TypeAlias = Callable[[Thunk, tuple[int, ...], tuple[Thunk, ...], int], Thunk]
"""Takes the range, the slots of the variables, the bodies and the cost of a turn."""


def _turns(env: Env, over: Thunk, slots: tuple[int, ...], cost: int) -> Iterator[Any]:
    """Sets the variables for each element in turn, and yields the element (of a map: its key)."""
    items = over(env)
    if type(items) not in {list, dict}:
        raise ExpressionError(f"only a list or a map can be gone through, not {article(items)}")
    first = slots[0]
    if len(slots) == 1:
        for item in cast("list[Any]", items):
            charge(env, cost)
            env[first] = from_key(item)
            yield env[first]
        return
    second = slots[1]
    pairs = cast("dict[Any, Any]", items).items() if isinstance(items, dict) else enumerate(cast("list[Any]", items))
    for key, item in pairs:
        charge(env, cost)
        env[first], env[second] = from_key(key), item
        yield key


def _holds(value: Any) -> bool:
    if type(value) is not bool:
        raise ExpressionError(f"the condition of a comprehension must be true or false, not {article(value)}")
    return value


def _until(decides: bool) -> _Loop:  # noqa: FBT001 -- the answer that settles it, not a switch
    """``all`` and ``exists``: one deciding element settles it, whatever the others are, errors too."""

    def make(over: Thunk, slots: tuple[int, ...], bodies: tuple[Thunk, ...], cost: int) -> Thunk:
        (body,) = bodies

        def run(env: Env) -> bool:
            wrong: ExpressionError | None = None
            for _ in _turns(env, over, slots, cost):
                try:
                    if _holds(body(env)) is decides:
                        return decides
                except ExpressionBudgetError:
                    raise
                except ExpressionError as error:
                    charge(env, ERROR_COST)
                    wrong = wrong or error
            if wrong is not None:
                raise wrong
            return not decides

        return run

    return make


def _exists_one(over: Thunk, slots: tuple[int, ...], bodies: tuple[Thunk, ...], cost: int) -> Thunk:
    (body,) = bodies
    return lambda env: sum(1 for _ in _turns(env, over, slots, cost) if _holds(body(env))) == 1


def _filter(over: Thunk, slots: tuple[int, ...], bodies: tuple[Thunk, ...], cost: int) -> Thunk:
    (body,) = bodies
    return lambda env: [item for item in _turns(env, over, slots, cost) if _holds(body(env))]


def _map(over: Thunk, slots: tuple[int, ...], bodies: tuple[Thunk, ...], cost: int) -> Thunk:
    if len(bodies) == 1:
        (body,) = bodies
        return lambda env: [body(env) for _ in _turns(env, over, slots, cost)]
    body, condition = bodies
    return lambda env: [body(env) for _ in _turns(env, over, slots, cost) if _holds(condition(env))]


def _transform_map(over: Thunk, slots: tuple[int, ...], bodies: tuple[Thunk, ...], cost: int) -> Thunk:
    body, *rest = bodies

    def run(env: Env) -> dict[Any, Any]:
        return {
            key: body(env)
            for key in _turns(env, over, slots, cost)
            if all(_holds(condition(env)) for condition in rest)
        }

    return run


LOOPS: dict[str, _Loop] = {
    "all": _until(decides=False),
    "exists": _until(decides=True),
    "exists_one": _exists_one,
    "filter": _filter,
    "map": _map,
    "transformList": _map,
    "transformMap": _transform_map,
}
