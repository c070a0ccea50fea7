"""Which nodes every run visits in which nothing fails, and what the cheapest way through the others costs."""

from collections.abc import Mapping

from orchestrator.definition.certainty import Certainty
from orchestrator.definition.graph import Flow, Link, bits
from orchestrator.definition.outcomes import Outcomes
from orchestrator.graph.index import Graph
from orchestrator.graph.plan import NodeId, Plan, PlanEdge

__all__ = ["Certain"]


class Certain:
    """What is certain of a plan that is run without a failure.

    Args:
        plan: The plan.

    Attributes:
        nodes: What has finished when the run has completed; ``finally`` not among them.
    """

    def __init__(self, plan: Plan) -> None:
        alive = _alive(plan)
        choosing = frozenset(node.id for node in plan.nodes if node.exclusive)
        nodes = [node for node in plan.nodes if node.id in alive]
        links = [
            _link(edge, choosing) for edge in plan.edges if edge.kind != "error" and {edge.source, edge.target} <= alive
        ]
        outcomes = Outcomes(Flow([node.id for node in nodes], links))
        joins = cancels = 0
        for number, node in enumerate(nodes):
            joins |= (node.join == "any") << number
            cancels |= node.cancel_others << number
        self._flow = outcomes.flow
        certain = bits(Certainty(self._flow, joins, cancels, leaves=outcomes.leaves).at_the_end)
        self.nodes = frozenset(nodes[number].id for number in certain if number < len(nodes))
        cancelled = _cancelled(plan)
        self._cancelled = frozenset(number for number, node in enumerate(nodes) if node.id in cancelled)

    def cheapest(self, costs: Mapping[NodeId, int]) -> int:
        """What one visit of each node costs at least in all.

        Beside what is certain, every run goes from where it begins one way through the rest: the cheapest counts. Of
        what goes on at the same time only one way counts, the one that costs most.

        Args:
            costs: What one visit of a node costs; none is nothing.
        """
        flow = self._flow
        own = [costs.get(NodeId(name), 0) if name not in self.nodes else 0 for name in flow.ids]
        onward = list(own)
        for number in reversed(flow.order):
            ways = [(flow.links[index].exclusive, index) for index in flow.outs[number]]
            either = [self._from(index, own, onward) for exclusive, index in ways if exclusive]
            each = [
                self._from(index, own, onward)
                for exclusive, index in ways
                if not exclusive and flow.links[index].when is None
            ]
            onward[number] += max([*each, min(either, default=0)])
        begins = [onward[number] for number in flow.order if not flow.ins[number] and number not in self._cancelled]
        return sum(costs.get(name, 0) for name in self.nodes) + max(begins, default=0)

    def _from(self, index: int, own: list[int], onward: list[int]) -> int:
        """What follows a way that is taken."""
        source, target = self._flow.ends[index]
        if target in self._cancelled:
            return 0
        # A loop that is entered past its head may turn to the head before it goes on from here.
        past_head = any(
            loop.body >> target & 1 and not loop.body >> source & 1 and loop.head != target for loop in self._flow.loops
        )
        return own[target] if past_head else onward[target]


def _alive(plan: Plan) -> frozenset[NodeId]:
    """The nodes of the graph that something else than a failure leads to."""
    ins: dict[NodeId, list[PlanEdge]] = {}
    for edge in plan.edges:
        if edge.max_visits is None:
            ins.setdefault(edge.target, []).append(edge)
    found: set[NodeId] = set()
    for node in plan.nodes:
        ways = ins.get(node.id, [])
        if node.role == "main" and (not ways or any(way.kind != "error" and way.source in found for way in ways)):
            found.add(node.id)
    return frozenset(found)


def _link(edge: PlanEdge, choosing: frozenset[NodeId]) -> Link:
    exclusive = edge.kind == "normal" and edge.source in choosing
    when = None if edge.when is None else edge.when.text
    return Link(edge.source, edge.target, when, edge.max_visits, exclusive=exclusive, path=(), kind=edge.kind)


def _cancelled(plan: Plan) -> frozenset[NodeId]:
    """The nodes that others may cancel."""
    graph = Graph(plan.model_copy(update={"bodies": {}}))
    return frozenset(plan.nodes[number].id for node in graph.nodes for number in node.cancels)
