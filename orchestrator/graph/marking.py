"""Where a run stands in its graph: a value that survives being serialised at any point."""

from dataclasses import asdict, dataclass, field, fields
from enum import IntEnum
from typing import Any

from orchestrator.graph.index import Graph

__all__ = ["EdgeStatus", "Marking", "NodeStatus"]


class NodeStatus(IntEnum):
    """Where a node stands in its present visit."""

    PENDING = 0
    READY = 1
    RUNNING = 2
    COMPLETED = 3
    SKIPPED = 4
    CANCELLED = 5


class EdgeStatus(IntEnum):
    """What is known of an edge. ``HELD``: not taken in this turn of a loop that may still turn again."""

    PENDING = 0
    TAKEN = 1
    DEAD = 2
    HELD = 3


@dataclass(slots=True)
class Marking:
    """Lists run parallel to ``Graph.nodes``, ``Graph.edges`` and ``Graph.loops``."""

    node: list[int]
    visits: list[int]
    unresolved: list[int]
    """Forward ways in of which it is not yet known whether they are taken."""
    taken: list[int]
    level: list[int]
    """Length of the longest chain of visits before this one: orders writes the same way in every run."""
    edge: list[int]
    edge_level: list[int]
    turns: list[int]
    """How often each loop has turned back since it was entered."""
    wanted: list[list[int]]
    """The nodes whose back edge was taken: their loop turns as soon as the rest of its body is done."""
    ready: list[int] = field(default_factory=list[int])
    running: int = 0
    steps: int = 0
    """Visits started so far, all nodes together."""

    @classmethod
    def initial(cls, graph: Graph) -> "Marking":
        """Nothing has started."""
        count, loops = len(graph.nodes), graph.loops
        return cls(
            node=[0] * count,
            visits=[0] * count,
            unresolved=[len(node.ins) for node in graph.nodes],
            taken=[0] * count,
            level=[0] * count,
            edge=[0] * len(graph.edges),
            edge_level=[0] * len(graph.edges),
            turns=[0] * len(loops),
            wanted=[[] for _ in loops],
        )

    def dump(self) -> dict[str, Any]:
        """The marking as JSON."""
        return asdict(self)

    @classmethod
    def restore(cls, data: dict[str, Any]) -> "Marking":
        """The marking that ``dump`` gave."""
        return cls(**{item.name: data[item.name] for item in fields(cls)})
