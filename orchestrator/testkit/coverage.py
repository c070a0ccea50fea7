"""Which nodes and ways of a definition its cases have gone through."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.graph.plan import Plan, PlanEdge
from orchestrator.testkit.labels import nodes_under, without_indexes
from orchestrator.testkit.outcome import Outcome

__all__ = ["Coverage", "Covered"]

_BEGUN = frozenset({"STARTED", "COMPLETED"})


@dataclass(frozen=True, slots=True)
class Covered:
    """How many of something were gone through, and which never were."""

    total: int
    never: tuple[str, ...]

    @property
    def taken(self) -> int:
        """How many were gone through."""
        return self.total - len(self.never)

    @property
    def share(self) -> float:
        """From 0 to 1; a definition without ways has been gone through whole."""
        return self.taken / self.total if self.total else 1.0


@dataclass(slots=True)
class Coverage:
    """What cases have gone through of one definition."""

    plan: Plan
    _nodes: set[str] = field(default_factory=set[str])
    _edges: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    def add(self, outcome: Outcome) -> None:
        """Add what a run has gone through."""
        for event in outcome.events:
            if event.type == "COMPENSATED":
                self._nodes.add(without_indexes(str(event.data.get("by", ""))))
            elif event.node is not None and event.type in _BEGUN:
                self._nodes.add(without_indexes(event.node))
        self._edges |= outcome.took

    @property
    def nodes(self) -> Covered:
        """The nodes that started."""
        every = nodes_under(self.plan)
        return Covered(len(every), tuple(place for place in every if place not in self._nodes))

    @property
    def edges(self) -> Covered:
        """The ways that were taken."""
        every = list(self._every_edge())
        never = tuple(_spelled(place, edge) for place, index, edge in every if (place, index) not in self._edges)
        return Covered(len(every), never)

    def _every_edge(self) -> Iterator[tuple[str, int, PlanEdge]]:
        scopes = [("", self.plan), *self._bodies()]
        for place, plan in scopes:
            for index, edge in enumerate(plan.edges):
                yield place, index, edge

    def _bodies(self) -> Iterator[tuple[str, Plan]]:
        for place, (_, node) in nodes_under(self.plan).items():
            if node.body is not None and node.body in self.plan.bodies:
                yield place, self.plan.bodies[node.body]


def _spelled(place: str, edge: PlanEdge) -> str:
    around = f"{place}." if place else ""
    how = f" ({edge.kind})" if edge.kind != "normal" else ""
    when = f" when {' '.join(edge.when.text.split())}" if edge.when else ""
    return f"{around}{edge.source} -> {around}{edge.target}{how}{when}"
