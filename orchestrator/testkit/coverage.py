"""Which nodes and ways of a definition its cases have gone through.

What a run tells are its events. A way counts as taken when its source ended as the way asks, and: a router says where
it went; a way without a condition is always taken; one with a condition leads to a node that started because of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.contracts import Event
from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions import Program
from orchestrator.graph.plan import Plan, PlanEdge, PlanNode
from orchestrator.testkit.labels import nodes_under, place_of, without_indexes
from orchestrator.testkit.outcome import Outcome

__all__ = ["Coverage", "Covered"]

_BEGUN = frozenset({"STARTED", "COMPLETED"})
_ENDS: Mapping[str, frozenset[str]] = {
    "normal": frozenset({"COMPLETED"}),
    "error": frozenset({"ERROR"}),
    "expiry": frozenset({"EXPIRED"}),
    "reject": frozenset({"COMPLETED", "ERROR"}),
}
"""Kind of a way to the events with which its source may have ended to open it."""


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
        by_scope: dict[str, list[Event]] = {}
        for event in outcome.events:
            if event.type == "COMPENSATED":
                self._nodes.add(without_indexes(str(event.data.get("by", ""))))
            elif event.node is not None:
                by_scope.setdefault(place_of(event.node)[0], []).append(event)
                if event.type in _BEGUN:
                    self._nodes.add(without_indexes(event.node))
        for scope, events in by_scope.items():
            place = without_indexes(scope)
            plan = self._plan_of(place)
            if plan is not None:
                known = _Known(plan, events, {} if scope else _values(outcome))
                self._edges.update((place, index) for index in known.taken())

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

    def _plan_of(self, place: str) -> Plan | None:
        return self.plan if not place else dict(self._bodies()).get(place)


def _spelled(place: str, edge: PlanEdge) -> str:
    around = f"{place}." if place else ""
    how = f" ({edge.kind})" if edge.kind != "normal" else ""
    when = f" when {' '.join(edge.when.text.split())}" if edge.when else ""
    return f"{around}{edge.source} -> {around}{edge.target}{how}{when}"


def _values(outcome: Outcome) -> dict[str, Any]:
    state = outcome.state
    nodes = {name: node.output for name, node in state.nodes.items() if node.output is not None}
    return {"inputs": state.inputs, "nodes": nodes, "state": state.state}


class _Known:
    """What the events of one scope say about its ways."""

    def __init__(self, plan: Plan, events: Sequence[Event], values: Mapping[str, Any]) -> None:
        self._plan = plan
        self._events = [(event, place_of(event.node or "")[1]) for event in events]
        self._values = values
        self._nodes: dict[str, PlanNode] = {node.id: node for node in plan.nodes}

    def taken(self) -> Iterator[int]:
        """Indexes of the ways that were taken."""
        for index, edge in enumerate(self._plan.edges):
            ends = _ENDS[edge.kind]
            for number, (event, node) in enumerate(self._events):
                if node == edge.source and event.type in ends and self._took(edge, event, number):
                    yield index
                    break

    def _took(self, edge: PlanEdge, end: Event, number: int) -> bool:
        if self._nodes[edge.source].exclusive:
            return end.data.get("to") == edge.target
        if edge.kind == "normal" and edge.when is None:
            return True
        follows = next((event for event, node in self._events[number + 1 :] if node == edge.target), None)
        if follows is None or follows.type != "STARTED":
            return False
        others = [other for other in self._plan.edges if other.target == edge.target and other is not edge]
        if edge.when is None or edge.max_visits is not None or not others or not self._values:
            return True
        return self._holds(edge)

    def _holds(self, edge: PlanEdge) -> bool:
        """Whether the condition of a way into a join holds: that the node started may be another way's doing."""
        assert edge.when is not None  # noqa: S101 - the caller looked
        output = self._values["nodes"].get(edge.source)
        try:
            return Program(edge.when.ast).evaluate({**self._values, "output": output}) is True
        except ExpressionError:
            return False
