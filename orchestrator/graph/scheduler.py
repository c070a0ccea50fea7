"""Decides what may start, what is skipped and when it is over. Pure: given a marking and what happened, nothing else.

A step costs O(ways of the node that finished), plus O(body) when a loop turns.

Rules, as ``docs/authoring.md`` tells them to authors:

- A node with ``join: all`` starts when every way in is known and at least one is taken; with ``join: any`` when the
  first is taken. When every way in is known and none is taken, it is skipped, and none of its ways out is taken.
- A node with back edges tries them first, in order. The first that holds and whose bound is not reached is taken, and
  nothing else of its ways out is decided in this visit; the loop turns when the rest of its body is done.
- An edge that leaves a loop counts the first time it is taken; that it is not taken is known when the loop is over.
- A visit that does not end well opens only the ways of that kind (``error``, ``expiry``, ``reject``); one that does,
  only the normal ones.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.errors import NodeError
from orchestrator.graph.index import Edge, Graph, Node
from orchestrator.graph.marking import EdgeStatus, Marking, NodeStatus
from orchestrator.graph.plan import EdgeKind

__all__ = ["Effects", "Scheduler"]

_SETTLED = (NodeStatus.COMPLETED, NodeStatus.SKIPPED, NodeStatus.CANCELLED)
_ACTIVE = (NodeStatus.READY, NodeStatus.RUNNING)


@dataclass(slots=True)
class Effects:
    """What a step brought about beside new ready nodes: node numbers, in order."""

    skipped: list[int]
    cancelled: list[int]
    """Nodes that were ready or running and must stop; their results no longer count."""


class Scheduler:
    """Moves a marking through a graph.

    Args:
        graph: The graph.
        marking: Where the run stands; changed in place.
        holds: Says whether an edge's condition is true now. Called once per edge and decision, in order.
    """

    def __init__(self, graph: Graph, marking: Marking, holds: Callable[[Edge], bool]) -> None:
        self._graph = graph
        self._marking = marking
        self._holds = holds
        self._effects = Effects([], [])
        self._arrivals: list[tuple[int, bool]] = []
        self._to_check: list[int] = []
        self.took: tuple[int, ...] = ()
        """The ways out that the node which ended last has taken."""

    @property
    def over(self) -> bool:
        """Nothing runs and nothing can start."""
        return not self._marking.ready and not self._marking.running

    def begin(self) -> Effects:
        """Make the entry nodes ready."""
        for node in self._graph.entries:
            self._make_ready(node, 0)
        return self._finish_step()

    def start(self, number: int) -> None:
        """Start a ready node and count its visit."""
        marking = self._marking
        marking.ready.remove(number)
        marking.node[number] = NodeStatus.RUNNING
        marking.visits[number] += 1
        marking.running += 1
        marking.steps += 1

    def complete(self, number: int, kind: EdgeKind = "normal", *, to: str | None = None) -> tuple[int | None, Effects]:
        """A running node ended: decide its ways out. When a condition raises, the marking is as it was.

        Args:
            number: The node.
            kind: How it ended; only ways of this kind are open.
            to: Of an exclusive node, the node that it leads to, whatever its conditions say.

        Returns:
            The number of the one way that was chosen, where only one can be (a back edge, or any way of an exclusive
            node), and the effects.

        Raises:
            NodeError: No way leads to ``to``, or not again.
        """
        node, marking = self._graph.nodes[number], self._marking
        chosen = (self._choose(node) if to is None else self._led(node, to)) if kind == "normal" else None
        turning = chosen is not None and self._graph.edges[chosen].loop is not None
        decided = () if turning else tuple((index, self._taken(node, index, chosen, kind)) for index in node.outs)
        self.took = tuple(index for index, taken in decided if taken)
        marking.node[number] = NodeStatus.COMPLETED
        marking.running -= 1
        if chosen is not None and (loop := self._graph.edges[chosen].loop) is not None:
            self.took = (chosen,)
            marking.wanted[loop].append(number)
            self._check_turns(node)
        else:
            for index, taken in decided:
                self._decide(self._graph.edges[index], taken=taken)
            self._settled(node)
        return chosen, self._finish_step()

    def skip(self, number: int) -> Effects:
        """A running node is given up: go on as if no way had led to it."""
        node = self._graph.nodes[number]
        self._marking.running -= 1
        self._drop(node, NodeStatus.SKIPPED, self._marking.level[number])
        return self._finish_step()

    def _choose(self, node: Node) -> int | None:
        for index in node.ways if node.plan.exclusive else node.backs:
            edge = self._graph.edges[index]
            if edge.kind == "normal" and self._within_bound(edge) and self._open(index):
                return index
        return None

    def _led(self, node: Node, to: str) -> int:
        for index in node.ways:
            edge = self._graph.edges[index]
            if self._graph.plan.edges[index].target == to and edge.kind == "normal" and self._within_bound(edge):
                return index
        raise NodeError(f"`{node.plan.id}` has no way to `{to}`, or has taken it as often as it may")

    def _taken(self, node: Node, index: int, chosen: int | None, kind: EdgeKind) -> bool:
        if self._graph.edges[index].kind != kind:
            return False
        return index == chosen if node.plan.exclusive and kind == "normal" else self._open(index)

    def _open(self, index: int) -> bool:
        return self._graph.plan.edges[index].when is None or self._holds(self._graph.edges[index])

    def _within_bound(self, edge: Edge) -> bool:
        if edge.loop is None or edge.max_visits is None:
            return True
        return 1 + self._marking.turns[edge.loop] < edge.max_visits

    def _decide(self, edge: Edge, *, taken: bool) -> None:
        marking = self._marking
        if marking.edge[edge.index] == EdgeStatus.TAKEN:  # it left a loop in an earlier turn, which counts
            return
        marking.edge_level[edge.index] = marking.level[edge.source]
        if not taken and not all(self._closed(loop) for loop in edge.leaves):
            marking.edge[edge.index] = EdgeStatus.HELD
        else:
            self._arrivals.append((edge.index, taken))

    def _closed(self, number: int) -> bool:
        """Whether a loop will not turn again: nor will one inside it that could run its latches again."""
        marking, loop = self._marking, self._graph.loops[number]
        return all(
            marking.node[latch] in _SETTLED and latch not in marking.wanted[number] for latch in loop.latches
        ) and all(self._closed(inner) for inner in loop.reopened_by)

    def _settled(self, node: Node) -> None:
        """A node has ended without turning a loop: see which loops that closes, and which may turn now."""
        for loop in node.loops:
            if node.backs and self._closed(loop):
                self._release(loop)
        self._check_turns(node)

    def _check_turns(self, node: Node) -> None:
        """A node came to rest: loops around it may have waited for that."""
        self._to_check.extend(loop for loop in reversed(node.loops) if self._marking.wanted[loop])

    def _release(self, loop: int) -> None:
        """The loop is over: what was not taken is now known."""
        marking = self._marking
        for index in self._graph.loops[loop].exits:
            leaves = self._graph.edges[index].leaves
            if marking.edge[index] == EdgeStatus.HELD and all(self._closed(k) for k in leaves):
                marking.edge[index] = EdgeStatus.DEAD
                self._arrivals.append((index, False))

    def _finish_step(self) -> Effects:
        while True:
            while self._arrivals:
                arrivals, self._arrivals = self._arrivals, []
                for arrival in arrivals:
                    self._arrive(*arrival)
            if not self._to_check:
                break
            self._turn_if_quiet(self._to_check.pop(0))
        effects, self._effects = self._effects, Effects([], [])
        return effects

    def _arrive(self, index: int, taken: bool) -> None:  # noqa: FBT001 - a queue's pair, not a flag for callers
        marking, edge = self._marking, self._graph.edges[index]
        marking.edge[index] = EdgeStatus.TAKEN if taken else EdgeStatus.DEAD
        target = edge.target
        marking.unresolved[target] -= 1
        marking.taken[target] += taken
        if marking.node[target] != NodeStatus.PENDING:
            return
        node = self._graph.nodes[target]
        if taken and node.plan.join == "any":
            self._make_ready(target, marking.edge_level[index] + 1)
        elif marking.unresolved[target] == 0:
            level = 1 + max(marking.edge_level[i] for i in node.ins)
            if marking.taken[target]:
                self._make_ready(target, level)
            else:
                self._drop(node, NodeStatus.SKIPPED, level)

    def _make_ready(self, number: int, level: int) -> None:
        marking = self._marking
        marking.node[number] = NodeStatus.READY
        marking.level[number] = level
        marking.ready.append(number)
        for other in self._graph.nodes[number].cancels:
            self._cancel(self._graph.nodes[other])

    def _cancel(self, node: Node) -> None:
        marking = self._marking
        status = marking.node[node.index]
        if status not in _SETTLED:
            if status == NodeStatus.READY:
                marking.ready.remove(node.index)
            marking.running -= status == NodeStatus.RUNNING
            self._drop(node, NodeStatus.CANCELLED, marking.level[node.index])
        elif wanting := [k for k in node.loops if node.index in marking.wanted[k]]:
            for loop in wanting:
                marking.wanted[loop].remove(node.index)
            self._close_ways(node)

    def _drop(self, node: Node, status: NodeStatus, level: int) -> None:
        """A node that will not finish in this turn: none of its ways out is taken."""
        marking = self._marking
        marking.node[node.index] = status
        marking.level[node.index] = level
        (self._effects.skipped if status == NodeStatus.SKIPPED else self._effects.cancelled).append(node.index)
        self._close_ways(node)

    def _close_ways(self, node: Node) -> None:
        for index in node.outs:
            self._decide(self._graph.edges[index], taken=False)
        self._settled(node)

    def _turn_if_quiet(self, number: int) -> None:
        marking, loop = self._marking, self._graph.loops[number]
        inner_first = any(marking.wanted[inner] for inner in loop.nested)
        if not marking.wanted[number] or inner_first or any(self._busy(node, number) for node in loop.body):
            return
        level = 1 + max(marking.level[node] for node in loop.body)
        turns = marking.turns[number] + 1
        self._reset(number)
        marking.turns[number] = turns
        self._make_ready(loop.head, level)

    def _busy(self, number: int, loop: int) -> bool:
        """Whether a node of the loop's body may still do something in this turn."""
        marking = self._marking
        status = marking.node[number]
        if status != NodeStatus.PENDING:
            return status in _ACTIVE
        body = self._graph.nodes
        return all(
            loop not in body[self._graph.edges[index].source].loops
            for index in body[number].ins
            if marking.edge[index] in (EdgeStatus.PENDING, EdgeStatus.HELD)
        )

    def _reset(self, number: int) -> None:
        marking, graph = self._marking, self._graph
        loop = graph.loops[number]
        for index in loop.inner:
            marking.edge[index] = EdgeStatus.PENDING
        for index in loop.exits:
            if marking.edge[index] == EdgeStatus.HELD:
                marking.edge[index] = EdgeStatus.PENDING
        for index in loop.body:
            states = [marking.edge[i] for i in graph.nodes[index].ins]
            marking.node[index] = NodeStatus.PENDING
            marking.unresolved[index] = states.count(EdgeStatus.PENDING) + states.count(EdgeStatus.HELD)
            marking.taken[index] = states.count(EdgeStatus.TAKEN)
        for k in (number, *loop.nested):
            marking.turns[k] = 0
            marking.wanted[k].clear()
        for k in graph.nodes[loop.head].loops:  # what they wanted is decided anew
            marking.wanted[k] = [latch for latch in marking.wanted[k] if latch not in loop.body]
