"""Moves a run's state from one plan to another, where everything that has been decided means the same in both."""

from collections.abc import Mapping
from typing import Any

from orchestrator.errors import MigrationError
from orchestrator.graph.index import Edge, Graph
from orchestrator.graph.marking import EdgeStatus, Marking, NodeStatus
from orchestrator.graph.plan import NodeId

__all__ = ["translated"]


def translated(dumped: Mapping[str, Any], old: Graph, new: Graph, path: str = "") -> dict[str, Any]:
    """The state of a scope for another plan.

    Args:
        dumped: What ``Scope.dump`` gave.
        old: The plan it belongs to.
        new: The plan to move it to.
        path: The scope's path, for errors.

    Returns:
        What ``Scope`` takes for the new plan.

    Raises:
        MigrationError: Something that has happened has no place in the new plan; says what and where.
    """
    return _Move(dumped, old, new, path).done()


class _Move:
    def __init__(self, dumped: Mapping[str, Any], old: Graph, new: Graph, path: str) -> None:
        self._dumped = dumped
        self._old = old
        self._new = new
        self._path = path
        self._was = Marking.restore(dumped["marking"])
        self._now = Marking.initial(new)
        self._nodes = {node.index: new.numbers.get(NodeId(node.plan.id)) for node in old.nodes}
        self._edges = self._paired()

    def done(self) -> dict[str, Any]:
        self._check_nodes()
        self._check_edges()
        self._move()
        running = [[self._number(number), self._running(number, kept)] for number, kept in self._dumped["running"]]
        return {
            **self._dumped,
            "marking": self._now.dump(),
            "running": running,
            "data": self._data(),
            "closed": 0 if self._dumped["closed"] == 0 else self._closed(),
        }

    def _number(self, old: int) -> int:
        found = self._nodes[old]
        assert found is not None  # noqa: S101 - ``_check_nodes`` saw to it
        return found

    def _paired(self) -> dict[int, int]:
        """Old edges to new ones: the same ends, kind and place among those."""
        places: dict[tuple[str, str, str, int], int] = {}
        for edge in self._new.edges:
            places[self._key(self._new, edge, places)] = edge.index
        known: dict[tuple[str, str, str, int], int] = {}
        found: dict[int, int] = {}
        for edge in self._old.edges:
            key = self._key(self._old, edge, known)
            known[key] = edge.index
            if key in places:
                found[edge.index] = places[key]
        return found

    @staticmethod
    def _key(graph: Graph, edge: Edge, before: Mapping[tuple[str, str, str, int], int]) -> tuple[str, str, str, int]:
        plan = graph.plan.edges[edge.index]
        count = 0
        while (plan.source, plan.target, plan.kind, count) in before:
            count += 1
        return plan.source, plan.target, plan.kind, count

    def _begun(self, number: int) -> bool:
        return self._was.visits[number] > 0 or self._was.node[number] != NodeStatus.PENDING

    def _check_nodes(self) -> None:
        for node in self._old.nodes:
            if not self._begun(node.index):
                continue
            number = self._nodes[node.index]
            if number is None:
                raise self._misfit(node.plan.id, "has run, and the new definition has no such node")
            other = self._new.nodes[number].plan
            if other.type != node.plan.type or other.role != node.plan.role:
                raise self._misfit(
                    node.plan.id, f"is of type {node.plan.type}, and of type {other.type} in the new one"
                )
            if self._was.node[node.index] in (NodeStatus.READY, NodeStatus.RUNNING) and other.join != node.plan.join:
                raise self._misfit(node.plan.id, "waits, and joins its ways in otherwise in the new definition")

    def _check_edges(self) -> None:
        paired = set(self._edges.values())
        for edge in self._old.edges:
            decided = self._was.edge[edge.index] != EdgeStatus.PENDING
            if decided and edge.index not in self._edges:
                raise self._misfit(self._name(edge.source), f"led to `{self._name(edge.target)}`, and no longer does")
        for edge in self._new.edges:
            if edge.index in paired or edge.loop is not None:
                continue
            source = self._was_of(edge.source)
            target = self._was_of(edge.target)
            if target is not None and self._begun(target):
                name = self._new.nodes[edge.target].plan.id
                raise self._misfit(name, f"has begun, and now comes after `{self._new.nodes[edge.source].plan.id}`")
            if source is not None and self._was.node[source] == NodeStatus.COMPLETED and edge.kind == "normal":
                name = self._new.nodes[edge.source].plan.id
                raise self._misfit(name, f"has finished, and now leads to `{self._new.nodes[edge.target].plan.id}` too")

    def _was_of(self, number: int) -> int | None:
        return self._old.numbers.get(self._new.nodes[number].plan.id)

    def _move(self) -> None:
        was, now = self._was, self._now
        for old, new in self._nodes.items():
            if new is not None:
                now.node[new], now.visits[new], now.level[new] = was.node[old], was.visits[old], was.level[old]
        for old, new in self._edges.items():
            now.edge[new], now.edge_level[new] = was.edge[old], was.edge_level[old]
        for edge in self._new.edges:
            source = self._was_of(edge.source)
            gone = source is not None and was.node[source] in (
                NodeStatus.COMPLETED,
                NodeStatus.SKIPPED,
                NodeStatus.CANCELLED,
            )
            if gone and now.edge[edge.index] == EdgeStatus.PENDING and edge.loop is None:
                now.edge[edge.index] = EdgeStatus.DEAD
        self._move_loops()
        now.ready = [self._number(number) for number in was.ready]
        now.running, now.steps = was.running, was.steps
        if self._dumped["begun"]:
            self._begin_new()
        for node in self._new.nodes:
            states = [now.edge[index] for index in node.ins]
            now.unresolved[node.index] = states.count(EdgeStatus.PENDING) + states.count(EdgeStatus.HELD)
            now.taken[node.index] = states.count(EdgeStatus.TAKEN)

    def _begin_new(self) -> None:
        for number in self._new.entries:
            if self._was_of(number) is None:
                self._now.node[number] = NodeStatus.READY
                self._now.ready.append(number)

    def _move_loops(self) -> None:
        heads = {self._new.nodes[loop.head].plan.id: loop.index for loop in self._new.loops}
        for loop in self._old.loops:
            name = self._old.nodes[loop.head].plan.id
            turns, wanted = self._was.turns[loop.index], self._was.wanted[loop.index]
            if name in heads:
                self._now.turns[heads[name]] = turns
                self._now.wanted[heads[name]] = [self._number(number) for number in wanted]
            elif turns or wanted:
                raise self._misfit(name, "is the head of a loop that has turned, and is none in the new definition")

    def _running(self, number: int, kept: Mapping[str, Any]) -> dict[str, Any]:
        fan = kept["fan"]
        if fan is None:
            return dict(kept)
        node, other = self._old.nodes[number].plan, self._new.nodes[self._number(number)].plan
        old, new = self._old.bodies[node.body or ""], self._new.bodies[other.body or ""]
        moved: list[list[Any]] = []
        for index, scope in fan["open"]:
            step = fan["label"] if fan["items"] is None else f"{fan['label']}[{index}]"
            moved.append([index, translated(scope, old, new, f"{self._path}{step}.")])
        return {**kept, "fan": {**fan, "open": moved}}

    def _data(self) -> dict[str, Any]:
        data = self._dumped["data"]
        channels = self._new.plan.state
        kept = {name: slot for name, slot in data["channels"].items() if name in channels}
        for name, slot in kept.items():
            was, now = self._old.plan.state[name], channels[name]
            if (was.type, was.reducer) != (now.type, now.reducer):
                raise self._misfit(f"state.{name}", "has another type or reducer in the new definition")
            # The place of a write names its node by number.
            kept[name] = {**slot, "recent": [self._write(entry) for entry in slot["recent"]]}
        return {**data, "channels": kept}

    def _write(self, entry: Any) -> Any:
        (level, number, visit), value = entry
        return [[level, self._number(number), visit], value]

    def _closed(self) -> int:
        if self._old.plan.closing == self._new.plan.closing:
            return self._dumped["closed"]
        raise self._misfit("finally", "has begun to run, and differs in the new definition")

    def _name(self, number: int) -> str:
        return self._old.nodes[number].plan.id

    def _misfit(self, name: str, reason: str) -> MigrationError:
        return MigrationError(
            f"`{self._path}{name}` {reason}", details={"node": f"{self._path}{name}", "reason": reason}
        )
