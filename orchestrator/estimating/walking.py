"""Goes through a plan, its bodies and its child runs, and adds up what their nodes can cost."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from orchestrator.contracts import LimitsRequest
from orchestrator.definition.limits import tighten
from orchestrator.errors import OrchestratorError
from orchestrator.estimating.calls import Prices, visit_cost
from orchestrator.estimating.certain import Certain
from orchestrator.estimating.figures import Estimate, NodeEstimate, NotKnown
from orchestrator.estimating.knowing import NOTHING, Known, given_to, is_whole, items_known, of_inputs
from orchestrator.graph.plan import Limits, NodeId, Plan, PlanNode
from orchestrator.models import Price, nano

__all__ = ["Child", "estimate"]

Child = Callable[[str], Plan]
"""Gives the plan of the definition that ``name`` or ``name@version`` stands for; raises our errors."""

_MOST_LOOKS: Final = 50_000
"""Nodes that are looked at with what is known of each item; from then on with nothing known of them."""
_MOST_ITEMS: Final = 10_000


@dataclass(slots=True)
class _Line:
    """One node: ``visits`` counts the visits it can have by what each costs at most; none is not known."""

    type: str
    models: dict[str, None] = field(default_factory=dict[str, None])
    least_visits: int = 0
    least: int = 0
    visits: Counter[int | None] = field(default_factory=Counter[int | None])
    counted: bool = True
    """Its visits are among those that ``limits.steps`` counts."""


@dataclass(slots=True)
class _Sum:
    """A graph, run once. ``least`` is that of the whole, which is more than its nodes' where there is a choice."""

    least: int = 0
    lines: dict[str, _Line] = field(default_factory=dict[str, _Line])
    unknown: dict[NotKnown, None] = field(default_factory=dict[NotKnown, None])

    def take(self, other: "_Sum", prefix: str, least: int, most: int) -> None:
        """Add the lines of a body that is run so many times."""
        for path, line in other.lines.items():
            mine = self.lines.setdefault(prefix + path, _Line(line.type, counted=line.counted))
            mine.models |= line.models
            mine.least_visits += line.least_visits * least
            mine.least += line.least * least
            for cost, count in line.visits.items():
                mine.visits[cost] += count * most
        for doubt in other.unknown:
            self.unknown[NotKnown(prefix + doubt.node, doubt.model, doubt.why)] = None


def estimate(
    plan: Plan,
    inputs: Mapping[str, Any] | None = None,
    *,
    limits: Limits | None = None,
    child: Child | None = None,
    otherwise: Price | None = None,
) -> Estimate:
    """What a run of ``plan`` can cost.

    Args:
        plan: The whole definition, compiled.
        inputs: Those that the run is given; the defaults of the others count.
        limits: Those of the run; none: those of the plan.
        child: Finds what nodes run as runs of their own; none: what these cost is not known.
        otherwise: The price of models that nobody knows one for.

    Raises:
        InputError: Some inputs are none of the definition, or do not fit.
    """
    walk = _Walk(plan, limits or plan.limits, child, Prices(otherwise), inside=(plan.name,))
    return walk.run(of_inputs(plan, inputs or {}))


class _Walk:
    """Goes through one run.

    Args:
        plan: The root plan.
        limits: Those of the run.
        child: See ``estimate``.
        prices: Those of today.
        inside: The names of the definitions whose runs it stands in, and its own.
    """

    def __init__(
        self, plan: Plan, limits: Limits, child: Child | None, prices: Prices, inside: tuple[str, ...]
    ) -> None:
        self._plan = plan
        self._limits = limits
        self._child = child
        self._prices = prices
        self._inside = inside
        self._looks = _MOST_LOOKS
        self._blank: dict[str, _Sum] = {}
        self._certain: dict[str | None, Certain] = {}

    def run(self, known: Known) -> Estimate:
        """The whole run."""
        found = self._graph(self._plan, None, known)
        most, cap = self._most(found.lines.values()), self._limits.cost_usd
        cap = None if cap is None else nano(Decimal(str(cap)))
        if cap is not None:
            most = cap if most is None else min(most, cap)
        return Estimate(
            definition=self._plan.name,
            version=self._plan.version,
            least=found.least,
            most=most,
            cap=cap,
            nodes=tuple(self._shown(path, line) for path, line in found.lines.items()),
            unknown=tuple(found.unknown),
        )

    def _most(self, lines: Iterable[_Line]) -> int | None:
        """All visits together: of those that are counted no more than may be, the dearest first."""
        total, left = 0, self._limits.steps
        counted: Counter[int | None] = Counter()
        for line in lines:
            if line.counted:
                counted += line.visits
            elif line.visits[None]:
                return None
            else:
                total += _sum(line.visits)
        if counted[None]:
            return None
        for cost, count in sorted(((cost or 0, count) for cost, count in counted.items()), reverse=True):
            total += cost * min(count, left)
            left -= min(count, left)
        return total

    def _shown(self, path: str, line: _Line) -> NodeEstimate:
        visits = line.visits.total()
        return NodeEstimate(
            node=path,
            type=line.type,
            models=tuple(line.models),
            least_visits=line.least_visits,
            most_visits=min(visits, self._limits.steps) if line.counted else visits,
            least=line.least,
            most=self._most([line]),
        )

    def _graph(self, plan: Plan, key: str | None, known: Known) -> _Sum:
        """One graph, run once; ``key`` is that of a body."""
        self._looks -= len(plan.nodes)
        if key not in self._certain:
            self._certain[key] = Certain(plan)
        certain = self._certain[key]
        visits, found, costs = _most_visits(plan), _Sum(), dict[NodeId, int]()
        for node in plan.nodes:
            closing = node.role == "finally"
            sure = 1 if closing or node.id in certain.nodes else 0
            most = visits[node.id]
            if node.role == "compensate":
                most = sum(visits[other.id] for other in plan.nodes if other.compensate == node.id)
            if node.body is not None:
                costs[node.id] = self._bodies(found, node, known, sure, most)
            elif node.type == "Subworkflow":
                costs[node.id] = self._started(found, node, known, sure, most)
            elif node.pays:
                costs[node.id] = self._paid(found, node, known, sure, most)
            if closing:
                found.least += costs.pop(node.id, 0)
        found.least += certain.cheapest(costs)
        return found

    def _paid(self, found: _Sum, node: PlanNode, known: Known, sure: int, most: int) -> int:
        visit = visit_cost(node, known, self._prices)
        _add(found, node, visit.models, (sure, most), (visit.least, visit.most))
        for model, why in visit.doubts:
            found.unknown[NotKnown(node.id, model, why)] = None
        return visit.least

    def _bodies(self, found: _Sum, node: PlanNode, known: Known, sure: int, most: int) -> int:
        """What one visit costs that runs a body, once or for each item."""
        key = node.body or ""
        body = self._plan.bodies[key]
        if node.type != "ForEach":
            inner = self._body(key, given_to(body, node.inputs, known))
            found.take(inner, f"{node.id}.", sure, most)
            return inner.least
        items = items_known(node, known)
        if items is None:
            inner = self._body(key, NOTHING)
            found.take(inner, f"{node.id}.", 0, most * node.config.value.get("max_items", _MOST_ITEMS))
            return 0
        least = 0
        for index, item in enumerate(items):
            inner = self._body(key, _with_item(body, node, known, index, item))
            found.take(inner, f"{node.id}.", sure, most)
            least += inner.least
        return least

    def _body(self, key: str, known: Known) -> _Sum:
        plan = self._plan.bodies[key]
        if self._looks > 0 and (known.inputs or known.about):
            return self._graph(plan, key, known)
        if key not in self._blank:
            self._blank[key] = self._graph(plan, key, NOTHING)
        return self._blank[key]

    def _started(self, found: _Sum, node: PlanNode, known: Known, sure: int, most: int) -> int:
        """What one visit costs that starts a run of its own."""
        name: str = node.config.value["definition"]
        try:
            ran = self._of_child(name, node, known)
        except OrchestratorError as error:
            _add(found, node, (), (sure, most), (0, None))
            found.unknown[NotKnown(node.id, None, f"what its run of `{name}` costs: {error.message}")] = None
            return 0
        models = (model for inner in ran.nodes for model in inner.models)
        _add(found, node, models, (sure, most), (ran.least, ran.most))
        for doubt in ran.unknown:
            found.unknown[NotKnown(f"{node.id}/{doubt.node}", doubt.model, doubt.why)] = None
        return ran.least

    def _of_child(self, name: str, node: PlanNode, known: Known) -> Estimate:
        if self._child is None:
            raise OrchestratorError("it cannot be looked for here")
        plan = self._child(name)
        if plan.name in self._inside:
            raise OrchestratorError("it starts runs of itself")
        limits = tighten(plan.limits, LimitsRequest(steps=self._limits.steps, cost_usd=self._limits.cost_usd))
        walk = _Walk(plan, limits, self._child, self._prices, (*self._inside, plan.name))
        return walk.run(given_to(plan, node.inputs, known))


def _add(
    found: _Sum, node: PlanNode, models: Iterable[str], visits: tuple[int, int], cost: tuple[int, int | None]
) -> None:
    """Add a node: visits, and what each costs, at least and at most."""
    line = found.lines.setdefault(node.id, _Line(node.type, counted=node.role == "main"))
    line.models |= dict.fromkeys(models)
    line.least_visits += visits[0]
    line.least += visits[0] * cost[0]
    line.visits[cost[1]] += visits[1]


def _with_item(body: Plan, node: PlanNode, known: Known, index: int, item: Any) -> Known:
    about: dict[str, Any] = {"index": index, **({"item": item} if is_whole(item) else {})}
    given = given_to(body, node.inputs, Known(known.inputs, known.whole, about))
    return Known(given.inputs, given.whole, about)


def _sum(visits: Counter[int | None]) -> int:
    return sum((cost or 0) * count for cost, count in visits.items())


def _most_visits(plan: Plan) -> dict[NodeId, int]:
    """How often each node can be visited: every loop around it turns as often as it may, each time it is entered."""
    found = {node.id: 1 for node in plan.nodes}
    for loop in plan.loops:
        turns = max(plan.edges[index].max_visits or 1 for index in loop.back_edges)
        for name in loop.body:
            found[name] *= turns
    return found
