"""Plans by the hash of their text, and what runs are pinned to: built once per process and shared by its runs."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, TypeVar

from pydantic_core import to_json

from orchestrator.contracts import Resolved
from orchestrator.graph.index import Graph
from orchestrator.graph.plan import Plan

__all__ = ["graph_of", "resolved_of"]

Key = TypeVar("Key", str, bytes)
Made = TypeVar("Made")
_MOST_KEPT = 128
_graphs: OrderedDict[str, Graph] = OrderedDict()
_resolved: OrderedDict[bytes, Resolved] = OrderedDict()
_lock = Lock()  # workflows run in threads


def graph_of(plan_hash: str, plan: dict[str, Any]) -> Graph:
    """The graph of a plan.

    Args:
        plan_hash: SHA-256 of the plan's JSON.
        plan: The plan as JSON.
    """
    return _shared(_graphs, plan_hash, lambda: Graph(Plan.model_validate(plan)))


def resolved_of(answer: Mapping[str, Any], graph: Graph) -> Resolved:
    """What a run is pinned to, without its inputs, which are its own.

    Args:
        answer: The answer of ``resolve_definition`` as JSON.
        graph: Its plan, indexed.
    """
    about = {name: value for name, value in answer.items() if name not in {"plan", "inputs"}}

    def made() -> Resolved:
        return Resolved.model_validate({**about, "plan": graph.plan, "inputs": {}})

    if about.get("start") is not None or about.get("lineage") is not None:
        return made()  # a fork's alone
    return _shared(_resolved, to_json(about), made)


def _shared(kept: OrderedDict[Key, Made], key: Key, make: Callable[[], Made]) -> Made:
    with _lock:
        found = kept.get(key)
        if found is not None:
            kept.move_to_end(key)
            return found
    made = make()
    with _lock:
        kept[key] = made
        while len(kept) > _MOST_KEPT:
            kept.popitem(last=False)
    return made
