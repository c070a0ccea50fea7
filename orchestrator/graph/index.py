"""A Plan indexed for running: nodes and edges by number, ways in and out, loops. Built once per plan and process."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from orchestrator.graph.expressions import Program
from orchestrator.graph.plan import EdgeKind, NodeId, Plan, PlanNode

__all__ = ["Edge", "Graph", "Loop", "Node"]


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge by number. ``loop`` is set on a back edge; ``leaves`` are the loops it goes out of, inner first."""

    index: int
    source: int
    target: int
    max_visits: int | None
    loop: int | None
    leaves: tuple[int, ...]
    kind: EdgeKind


@dataclass(frozen=True, slots=True)
class Node:
    """A node by number. ``ins`` and ``outs`` are forward edges, ``backs`` back edges, ``ways`` both, as written."""

    index: int
    plan: PlanNode
    ins: tuple[int, ...]
    outs: tuple[int, ...]
    backs: tuple[int, ...]
    ways: tuple[int, ...]
    loops: tuple[int, ...]
    """The loops whose body has it, outer first."""
    cancels: tuple[int, ...]
    """What its start cancels: nodes all of whose ways out lead here."""
    kinds: frozenset[EdgeKind]
    """The kinds of its ways out."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop by number. ``inner`` edges stay in the body; ``exits`` leave it; ``nested`` are the loops inside."""

    index: int
    head: int
    body: tuple[int, ...]
    latches: tuple[int, ...]
    inner: tuple[int, ...]
    exits: tuple[int, ...]
    nested: tuple[int, ...]
    reopened_by: tuple[int, ...]
    """Of the nested loops, those whose body has a latch of this one: their turn makes it decide anew."""


class Graph:
    """A plan, indexed.

    Args:
        plan: The plan.
        bodies: The bodies of the root plan, when this is the plan of one of them.
    """

    def __init__(self, plan: Plan, bodies: "dict[str, Graph] | None" = None) -> None:
        self.plan = plan
        self.bodies: dict[str, Graph] = {} if bodies is None else bodies
        """What a ForEach or an inline Subworkflow runs, by key; the same mapping for every plan of a run."""
        for key, body in plan.bodies.items():
            self.bodies[key] = Graph(body, self.bodies)
        self.numbers = {node.id: number for number, node in enumerate(plan.nodes)}
        self._bodies = [frozenset(self.numbers[name] for name in loop.body) for loop in plan.loops]
        self._around: list[list[int]] = [[] for _ in plan.nodes]
        for loop in sorted(range(len(plan.loops)), key=lambda k: -len(plan.loops[k].body)):
            for node in self._bodies[loop]:
                self._around[node].append(loop)
        loop_of = {index: number for number, loop in enumerate(plan.loops) for index in loop.back_edges}
        self.edges = tuple(self._edge(index, loop_of.get(index)) for index in range(len(plan.edges)))
        self.nodes = self._nodes()
        self.loops = tuple(self._loop(number) for number in range(len(plan.loops)))
        self.has_control_nodes = any(node.tier == "control" for node in plan.nodes)

    def node(self, name: str) -> PlanNode:
        """The node with this id."""
        return self.plan.nodes[self.numbers[NodeId(name)]]

    @cached_property
    def entries(self) -> tuple[int, ...]:
        """The nodes of the graph that nothing leads to: where a run starts."""
        return tuple(node.index for node in self.nodes if not node.ins and node.plan.role == "main")

    @cached_property
    def programs(self) -> tuple[Program | None, ...]:
        """The condition of each edge, ready to evaluate."""
        return tuple(None if edge.when is None else Program(edge.when.ast) for edge in self.plan.edges)

    def _edge(self, index: int, loop: int | None) -> Edge:
        edge = self.plan.edges[index]
        source, target = self.numbers[edge.source], self.numbers[edge.target]
        leaves = tuple(k for k in reversed(self._around[source]) if target not in self._bodies[k])
        return Edge(index, source, target, edge.max_visits, loop, leaves, edge.kind)

    def _nodes(self) -> tuple[Node, ...]:
        ins: list[list[int]] = [[] for _ in self.plan.nodes]
        ways: list[list[int]] = [[] for _ in self.plan.nodes]
        for edge in self.edges:
            ways[edge.source].append(edge.index)
            if edge.loop is None:
                ins[edge.target].append(edge.index)
        outs = [tuple(i for i in way if self.edges[i].loop is None) for way in ways]
        return tuple(
            Node(
                index=index,
                plan=plan,
                ins=tuple(ins[index]),
                outs=outs[index],
                backs=tuple(i for i in ways[index] if self.edges[i].loop is not None),
                ways=tuple(ways[index]),
                loops=tuple(self._around[index]),
                cancels=self._cancels(index, outs) if plan.cancel_others else (),
                kinds=frozenset(self.edges[i].kind for i in ways[index]),
            )
            for index, plan in enumerate(self.plan.nodes)
        )

    def _cancels(self, target: int, outs: list[tuple[int, ...]]) -> tuple[int, ...]:
        doomed = {target}
        for index in range(target - 1, -1, -1):  # nodes are in topological order
            if outs[index] and all(self.edges[i].target in doomed for i in outs[index]):
                doomed.add(index)
        return tuple(sorted(doomed - {target}))

    def _loop(self, number: int) -> Loop:
        plan, body = self.plan.loops[number], self._bodies[number]
        forward = [index for node in sorted(body) for index in self.nodes[node].outs]
        latches = _unique(self.edges[i].source for i in plan.back_edges)
        nested = _unique(k for node in sorted(body) for k in self._around[node] if self._bodies[k] < body)
        return Loop(
            index=number,
            head=self.numbers[plan.head],
            body=tuple(sorted(body)),
            latches=latches,
            inner=tuple(index for index in forward if self.edges[index].target in body),
            exits=tuple(index for index in forward if self.edges[index].target not in body),
            nested=nested,
            reopened_by=tuple(k for k in nested if not self._bodies[k].isdisjoint(latches)),
        )


def _unique(items: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(items))
