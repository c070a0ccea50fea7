"""Plans by the hash of their text, built once per process and shared by its runs."""

from collections import OrderedDict
from threading import Lock
from typing import Any

from orchestrator.graph.index import Graph
from orchestrator.graph.plan import Plan

__all__ = ["graph_of"]

_MOST_KEPT = 128
_kept: OrderedDict[str, Graph] = OrderedDict()
_lock = Lock()  # workflows run in threads


def graph_of(plan_hash: str, plan: dict[str, Any]) -> Graph:
    """The graph of a plan.

    Args:
        plan_hash: SHA-256 of the plan's JSON.
        plan: The plan as JSON.
    """
    with _lock:
        graph = _kept.get(plan_hash)
        if graph is not None:
            _kept.move_to_end(plan_hash)
            return graph
    graph = Graph(Plan.model_validate(plan))
    with _lock:
        _kept[plan_hash] = graph
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return graph
