"""The graph of a run as rows of a table: nodes in topological order, those of bodies below the node that runs them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Row", "outline", "row_key"]

_ITEM = re.compile(r"(?:#\d+)?\[\d+\]|#\d+")
_DEEPEST = 10
_ROLES = {"finally": "at the end", "compensate": "undoes"}


@dataclass(frozen=True, slots=True)
class Row:
    """One node of the graph. ``key`` stands for its visits in all items; ``depth`` counts the bodies around it."""

    key: str
    name: str
    type: str
    depth: int = 0
    note: str = ""


def row_key(path: str) -> str:
    """The row that a place belongs to: ``items[3].ask#2`` is ``items.ask``."""
    return _ITEM.sub("", path)


def outline(definition: Mapping[str, Any]) -> list[Row]:
    """The rows of a run, from what its ``definition`` query answers; none before it is resolved."""
    return list(_rows(definition, definition.get("bodies", {}), "", 0))


def _rows(plan: Mapping[str, Any], bodies: Mapping[str, Any], before: str, depth: int) -> Iterator[Row]:
    for node in plan.get("nodes", ()):
        name, body = str(node["id"]), node.get("body")
        yield Row(f"{before}{name}", name, str(node["type"]), depth, _ROLES.get(node.get("role", ""), ""))
        if body in bodies and depth < _DEEPEST:
            yield from _rows(bodies[body], bodies, f"{before}{name}.", depth + 1)
