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
        self._past_head = _past_head(self._flow)
        self._cancelling = _cancelling(plan, self._flow, _passed(self._flow, self._past_head))
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
        own = [costs.get(NodeId(name), 0) if name not in self.nodes else 0 for name in flow.ids]
        onward = list(own)
        for number in reversed(flow.order):
            each, either = self._ways(number)
            chosen = min((self._least(index, own, onward) for index in either), default=0)
            onward[number] += max([chosen, *(self._least(index, own, onward) for index in each)])
        begins = (self._least_of(number, onward[number], onward) for number in self._entries())
        return sum(costs.get(name, 0) for name in self.nodes) + max(begins, default=0)

    def _least(self, index: int, own: list[int], onward: list[int]) -> int:
        target = self._flow.ends[index][1]
        return self._least_of(target, own[target] if index in self._past_head else onward[target], onward)

    def _least_of(self, number: int, amount: int, onward: list[int]) -> int:
        return min([amount, *(onward[other] for other in self._cancelling.get(number, ()))])

    def _certain(self) -> int:
        """The mask of what is certain."""
        follows = [1 << number for number in range(len(self._flow.ids))]
        for number in reversed(self._flow.order):
            each, either = self._ways(number)
            for index in each:
                follows[number] |= self._following(index, follows)
            if either:
                common = -1
                for index in either:
                    common &= self._following(index, follows)
                follows[number] |= common
        found = 0
        for number in self._entries():
            found |= self._finishing(number, follows[number], follows)
        return found

    def _following(self, index: int, follows: list[int]) -> int:
        """What finishes once a way is taken."""
        target = self._flow.ends[index][1]
        return self._finishing(target, 1 << target if index in self._past_head else follows[target], follows)

    def _finishing(self, number: int, mask: int, follows: list[int]) -> int:
        for other in self._cancelling.get(number, ()):
            mask &= follows[other]
        return mask

    def _entries(self) -> list[int]:
        return [number for number in self._flow.order if not self._flow.ins[number]]

    def _ways(self, number: int) -> tuple[list[int], list[int]]:
        """The ways out that are always taken, and those of which one is."""
        links = self._flow.links
        ways = self._flow.outs[number]
        either = [index for index in ways if links[index].exclusive]
        return [index for index in ways if not links[index].exclusive and links[index].when is None], either


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


def _past_head(flow: Flow) -> frozenset[int]:
    """Ways into a loop past its head: it may turn to the head before it goes on from there."""
    return frozenset(
        index
        for loop in flow.loops
        for index, (source, target) in enumerate(flow.ends)
        if loop.body >> target & 1 and not loop.body >> source & 1 and loop.head != target
    )


def _cancelling(plan: Plan, flow: Flow, passed: list[int]) -> dict[int, list[int]]:
    """For each node that others may cancel, those others, by number."""
    found: dict[int, list[int]] = {}
    for node in Graph(plan.model_copy(update={"bodies": {}})).nodes:
        for number in node.cancels:
            name = plan.nodes[number].id
            if name not in flow.numbers or node.plan.id not in flow.numbers:
                continue
            one, other = flow.numbers[name], flow.numbers[node.plan.id]
            if not passed[other] >> one & 1:  # else it has finished when the other starts
                found.setdefault(one, []).append(other)
    return found


def _passed(flow: Flow, past_head: frozenset[int]) -> list[int]:
    """For each node, what every way to it passes through."""
    found = [0] * len(flow.ids)
    entered = {flow.ends[index][1] for index in past_head}
    # A way back may start such a head though no way in was taken.
    unsure = {loop.head for loop in flow.loops if any(loop.body >> number & 1 for number in entered)}
    for number in flow.order:
        if flow.ins[number] and number not in unsure:
            mask = -1
            for index in flow.ins[number]:
                source = flow.ends[index][0]
                mask &= 1 << source | found[source]
            found[number] = mask
    return found
