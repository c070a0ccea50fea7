"""Moves a run's state from one plan to another, where everything that has been decided means the same in both."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.errors import InputError, MigrationError
from orchestrator.graph.index import Edge, Graph, Node
from orchestrator.graph.inputs import filled_inputs
from orchestrator.graph.marking import EdgeStatus, Marking, NodeStatus
from orchestrator.graph.plan import NodeId, Plan

__all__ = ["moved_inputs", "translated"]

_SETTLED = (NodeStatus.COMPLETED, NodeStatus.SKIPPED, NodeStatus.CANCELLED)


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
        MigrationError: Something that has happened has no place in the new plan, or the inputs do not fit it; says what
            and where.
    """
    return _Move(dumped, old, new, path).done()


def moved_inputs(plan: Plan, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a scope for another plan: those that it declares, and its defaults for new ones.

    Raises:
        InputError: A new one has no default, or one does not fit any more.
    """
    kept = {name: value for name, value in inputs.items() if name in plan.inputs}
    return filled_inputs(plan.inputs, kept, f"{plan.name}@{plan.version}")


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
        self._check_loops()
        self._check_edges()
        self._move()
        running = [[self._number(number), self._running(number, kept)] for number, kept in self._dumped["running"]]
        return {
            **self._dumped,
            "inputs": self._inputs(),
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
        """Old edges to new ones: the same ends, kind, direction and place among those."""
        places = {key: edge.index for edge, key in _keyed(self._new)}
        return {edge.index: places[key] for edge, key in _keyed(self._old) if key in places}

    def _begun(self, number: int) -> bool:
        return self._was.visits[number] > 0 or self._was.node[number] != NodeStatus.PENDING

    def _check_nodes(self) -> None:
        for node in self._old.nodes:
            if not self._begun(node.index):
                continue
            number = self._nodes[node.index]
            if self._was.node[node.index] == NodeStatus.SKIPPED and self._was.visits[node.index] == 0:
                if number is not None and not self._new.nodes[number].ins:
                    raise self._misfit(node.plan.id, "was passed over, and begins the graph in the new definition")
            elif number is None:
                raise self._misfit(node.plan.id, "has run, and the new definition has no such node")
            else:
                self._check_node(node, self._new.nodes[number])

    def _check_node(self, old: Node, new: Node) -> None:
        was, now = old.plan, new.plan
        if (now.type, now.role) != (was.type, was.role):
            raise self._misfit(was.id, f"is of type {was.type}, and of type {now.type} in the new one")
        if self._was.node[old.index] == NodeStatus.PENDING:
            return
        if (now.join, now.cancel_others) != (was.join, was.cancel_others):
            raise self._misfit(was.id, "has begun, and joins its ways in otherwise in the new definition")
        if self._cancelled(old.index, new.index):
            raise self._misfit(was.id, "has begun, and its start would cancel other nodes in the new definition")

    def _cancelled(self, old: int, new: int) -> bool:
        """Whether the start of a node cancels others than before."""
        before = {self._name(number) for number in self._old.nodes[old].cancels}
        return before != {self._new.nodes[number].plan.id for number in self._new.nodes[new].cancels}

    def _check_loops(self) -> None:
        """What has begun must turn with the same nodes as before, and be turned by the same."""
        for old, new in self._nodes.items():
            if new is not None and self._begun(old):  # even one that was passed over
                before, after = _loops(self._old, old), _loops(self._new, new)
                if before != after:
                    raise self._misfit(self._name(old), "has begun, and stands in other loops in the new definition")

    def _check_edges(self) -> None:
        paired = set(self._edges.values())
        for edge in self._old.edges:
            taken = self._was.edge[edge.index] == EdgeStatus.TAKEN
            if taken and edge.index not in self._edges:
                raise self._misfit(self._name(edge.source), f"led to `{self._name(edge.target)}`, and no longer does")
        for edge in self._new.edges:
            if edge.index not in paired:
                self._check_new(edge)

    def _check_new(self, edge: Edge) -> None:
        source, target = self._was_of(edge.source), self._was_of(edge.target)
        before, after = (self._new.nodes[number].plan.id for number in (edge.source, edge.target))
        if edge.loop is None and target is not None and self._begun(target):
            raise self._misfit(after, f"has begun, and now comes after `{before}`")
        if source is None:
            return
        status = self._was.node[source]
        ended = status == NodeStatus.COMPLETED and (edge.kind == "normal" or edge.loop is not None)
        # In a loop it may not be the last word that a node has ended.
        if ended or (status in _SETTLED and self._new.nodes[edge.source].loops):
            raise self._misfit(before, f"has ended, and now leads to `{after}` too")

    def _was_of(self, number: int) -> int | None:
        return self._old.numbers.get(self._new.nodes[number].plan.id)

    def _move(self) -> None:
        was, now = self._was, self._now
        for old, new in self._nodes.items():
            if new is not None:
                now.node[new], now.visits[new], now.level[new] = was.node[old], was.visits[old], was.level[old]
        for old, new in self._edges.items():
            now.edge[new], now.edge_level[new] = was.edge[old], was.edge_level[old]
        self._move_loops()
        now.ready = [self._number(number) for number in was.ready]
        now.running, now.steps = was.running, was.steps
        if self._dumped["begun"]:
            self._begin_new()
        paired = set(self._edges.values())
        for node in self._new.nodes:  # in the order of the ways, so that what is skipped skips what comes after it
            self._count(node)
            self._pass_over(node)
            if now.node[node.index] in _SETTLED:
                for index in node.outs:
                    if index not in paired:
                        now.edge[index], now.edge_level[index] = EdgeStatus.DEAD, now.level[node.index]

    def _count(self, node: Node) -> None:
        states = [self._now.edge[index] for index in node.ins]
        self._now.unresolved[node.index] = states.count(EdgeStatus.PENDING) + states.count(EdgeStatus.HELD)
        self._now.taken[node.index] = states.count(EdgeStatus.TAKEN)

    def _pass_over(self, node: Node) -> None:
        """See to a node that waits for ways in which are all known now; what would start by that does not fit."""
        now, number = self._now, node.index
        if now.node[number] != NodeStatus.PENDING or node.plan.role != "main" or not self._dumped["begun"]:
            return
        ways = now.taken[number]
        if now.unresolved[number] > 0 and not (ways and node.plan.join == "any"):
            return
        if ways or not node.ins or node.loops:
            raise self._misfit(node.plan.id, "waits no longer for what it waited for, and would start out of its turn")
        now.node[number] = NodeStatus.SKIPPED
        now.level[number] = 1 + max(now.edge_level[index] for index in node.ins)
        for index in node.outs:
            now.edge[index], now.edge_level[index] = EdgeStatus.DEAD, now.level[number]

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
        if other.body is None:
            raise self._misfit(node.id, "is under way, and runs no graph of its own in the new definition")
        old, new = self._old.bodies[node.body or ""], self._new.bodies[other.body]
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
        return {**data, "channels": kept, "nodes": self._outputs(data["nodes"])}

    def _inputs(self) -> dict[str, Any]:
        try:
            return moved_inputs(self._new.plan, self._dumped["inputs"])
        except InputError as error:
            raise self._misfit("inputs", error.message) from error

    def _outputs(self, nodes: Mapping[str, Any]) -> dict[str, Any]:
        outputs = dict(nodes)
        for old, new in self._nodes.items():
            if new is None or self._name(old) not in outputs or not self._new.nodes[new].plan.keep_visits:
                continue
            name, output = self._name(old), outputs[self._name(old)]
            if self._old.nodes[old].plan.keep_visits:
                continue
            if self._was.visits[old] > 1:
                raise self._misfit(
                    name, "has run more than once, and only its last output was kept; `visits` needs all"
                )
            outputs[name] = {**output, "visits": [output]}
        return outputs

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


def _keyed(graph: Graph) -> Iterator[tuple[Edge, tuple[str, str, str, bool, int]]]:
    """The edges, each with what it is known by in any version of the definition."""
    seen: Counter[tuple[str, str, str, bool]] = Counter()
    for edge in graph.edges:
        plan = graph.plan.edges[edge.index]
        key = (plan.source, plan.target, plan.kind, edge.loop is not None)
        yield edge, (*key, seen[key])
        seen[key] += 1


def _loops(graph: Graph, number: int) -> list[tuple[str, frozenset[str]]]:
    """The loops around a node: their heads, and the nodes that turn them."""
    loops = (graph.loops[index] for index in graph.nodes[number].loops)
    return [
        (graph.nodes[loop.head].plan.id, frozenset(graph.nodes[latch].plan.id for latch in loop.latches))
        for loop in loops
    ]
