"""Which nodes every run visits in which nothing fails, and what the cheapest way through the others costs."""

from collections.abc import Mapping

from orchestrator.definition.graph import Flow, Link, bits
from orchestrator.definition.outcomes import Outcomes
from orchestrator.graph.index import Graph
from orchestrator.graph.plan import NodeId, Plan, PlanEdge

__all__ = ["Certain"]


class Certain:
    """What is certain of a plan that is run without a failure.

    It is not asked of ``definition.certainty``, which has to reckon with failures.

    Args:
        plan: The plan.

    Attributes:
        nodes: What has finished when the run has completed; ``finally`` not among them.
    """

    def __init__(self, plan: Plan) -> None:
        alive = _alive(plan)
        choosing = frozenset(node.id for node in plan.nodes if node.exclusive)
        self._ids = [node.id for node in plan.nodes if node.id in alive]
        links = [
            _link(edge, choosing) for edge in plan.edges if edge.kind != "error" and {edge.source, edge.target} <= alive
        ]
        self._flow = Outcomes(Flow(self._ids, links)).flow
        self._cancelling = _cancelling(plan, self._flow)
        mask = self._certain()
        self.nodes = frozenset(self._ids[number] for number in bits(mask) if number < len(self._ids))

    def cheapest(self, costs: Mapping[NodeId, int]) -> int:
        """What one visit of each node costs at least in all.

        Beside what is certain, every run goes from where it begins one way through the rest: the cheapest counts. Of
        what goes on at the same time only one way counts, the one that costs most.

        Args:
            costs: What one visit of a node costs; none is nothing.
        """
        flow = self._flow
        onward = [costs.get(NodeId(name), 0) if name not in self.nodes else 0 for name in flow.ids]
        for number in reversed(flow.order):
            each, either = self._ways(number)
            chosen = min((self._least(target, onward) for target in either), default=0)
            onward[number] += max([chosen, *(self._least(target, onward) for target in each)])
        begins = (self._least(number, onward) for number in self._entries())
        return sum(costs.get(name, 0) for name in self.nodes) + max(begins, default=0)

    def _least(self, number: int, onward: list[int]) -> int:
        """What follows the start of a node, which another one may cancel by its own."""
        return min([onward[number], *(onward[other] for other in self._cancelling.get(number, ()))])

    def _certain(self) -> int:
        """The mask of what is certain."""
        follows = [1 << number for number in range(len(self._flow.ids))]
        for number in reversed(self._flow.order):
            each, either = self._ways(number)
            for target in each:
                follows[number] |= self._finishing(target, follows)
            if either:
                common = -1
                for target in either:
                    common &= self._finishing(target, follows)
                follows[number] |= common
        found = 0
        for number in self._entries():
            found |= self._finishing(number, follows)
        return found

    def _finishing(self, number: int, follows: list[int]) -> int:
        """What finishes once a node has started."""
        mask = follows[number]
        for other in self._cancelling.get(number, ()):
            mask &= follows[other]
        return mask

    def _entries(self) -> list[int]:
        return [number for number in self._flow.order if not self._flow.ins[number]]

    def _ways(self, number: int) -> tuple[list[int], list[int]]:
        """Where every way out leads that is always taken; and where those lead of which exactly one is."""
        flow = self._flow
        ways = [(flow.links[index], flow.ends[index][1]) for index in flow.outs[number]]
        each = [target for link, target in ways if not link.exclusive and link.when is None]
        return each, [target for link, target in ways if link.exclusive]


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


def _cancelling(plan: Plan, flow: Flow) -> dict[int, list[int]]:
    """For each node that others may cancel, those others, by number."""
    found, passed = dict[int, list[int]](), _passed(flow)
    for node in Graph(plan.model_copy(update={"bodies": {}})).nodes:
        for number in node.cancels:
            name = plan.nodes[number].id
            if name not in flow.numbers or node.plan.id not in flow.numbers:
                continue
            one, other = flow.numbers[name], flow.numbers[node.plan.id]
            if not passed[other] >> one & 1:  # else it has finished when the other starts
                found.setdefault(one, []).append(other)
    return found


def _passed(flow: Flow) -> list[int]:
    """For each node, what every way to it passes through."""
    found = [0] * len(flow.ids)
    # A loop that is entered past its head may turn to the head though no way in was taken.
    unsure = {
        loop.head
        for loop in flow.loops
        for number in bits(loop.body & ~(1 << loop.head))
        if any(not loop.body >> flow.ends[index][0] & 1 for index in flow.ins[number])
    }
    for number in flow.order:
        if flow.ins[number] and number not in unsure:
            mask = -1
            for index in flow.ins[number]:
                source = flow.ends[index][0]
                mask &= 1 << source | found[source]
            found[number] = mask
    return found
