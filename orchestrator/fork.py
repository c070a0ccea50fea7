"""Takes over what a run has finished into a new one: up to a visit, and everything that visit did not lead to."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from temporalio.client import Client

from orchestrator.contracts import ForkRequest, LimitsRequest, Lineage, RunContext, RunRequest, visit_label
from orchestrator.errors import MigrationError, OrchestratorError, RequestError
from orchestrator.graph.carried import Carried
from orchestrator.graph.happenings import BodyClosed, BodyEntered, BodyFailed, Happening, Undone, VisitEnded
from orchestrator.graph.index import Graph
from orchestrator.graph.plan import NodeId, Plan, PlanNode
from orchestrator.graph.rehearsal import Misfit, Rehearsal
from orchestrator.graph.scope import Scope
from orchestrator.graph.translation import moved_inputs, translated
from orchestrator.graph.values import parse_reference
from orchestrator.trace import Life, Trace, trace_of

__all__ = ["Forked", "fork_of", "forked", "node_types", "rehearsal_of", "request_for"]

_NAME = r"[A-Za-z][A-Za-z0-9_]*"
_AT = re.compile(rf"((?:{_NAME}(?:#[0-9]+)?(?:\[[0-9]+\])?\.)*)({_NAME})(?:#([1-9][0-9]*))?(?:\[([0-9]+)\])?")
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Forked:
    """Where a forked run begins.

    Attributes:
        plan: The plan it goes on with.
        inputs: Its inputs.
        carried: Its state.
        lineage: Where it comes from.
    """

    plan: Plan
    inputs: Mapping[str, Any]
    carried: Carried
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class _Point:
    """The first visit, or body, that is not taken over."""

    scope: str
    node: str
    visit: int
    item: int | None

    @property
    def label(self) -> str:
        visit = visit_label(f"{self.scope}{self.node}", self.visit)
        return visit if self.item is None else f"{visit}[{self.item}]"

    def holds(self, happening: Happening) -> bool:
        """Whether something happened at it, or inside it."""
        scope: str | None = getattr(happening, "scope", None)
        if scope is None:
            return False
        if scope.startswith((f"{self.label}.", f"{self.label}[")):
            return True
        here = (scope, getattr(happening, "node", None), getattr(happening, "visit", None))
        return self.item is None and here == (self.scope, self.node, self.visit)


async def forked(client: Client, request: ForkRequest, plan: Plan | None) -> Forked:
    """Find out where a fork begins.

    Args:
        client: A connected client.
        request: What to fork, and where.
        plan: Another plan to go on with; none keeps the run's own.

    Raises:
        RunNotFoundError: There is no such run.
        RequestError: It never came to that point, or what is to be set cannot be.
        MigrationError: What it did has no place in the other plan.
        InputError: Its inputs do not fit the other plan.
    """
    return fork_of(await trace_of(client, request.run), request, plan)


def fork_of(trace: Trace, request: ForkRequest, plan: Plan | None) -> Forked:
    """As ``forked``, from a trace.

    Raises:
        RequestError: The run never came to that point, or what is to be set cannot be.
        MigrationError: What it did has no place in the other plan.
        InputError: Its inputs do not fit the other plan.
    """
    point = _point(request.at)
    number = _life_of(trace, point)
    life = trace.lives[number]
    undone = {item.label for past in trace.lives for item in past.happenings if isinstance(item, Undone)}
    rehearsal, _ = _played(life, life.plan, point, undone)
    if early := undone - {_label(item) for item in life.happenings if isinstance(item, VisitEnded)}:
        raise RequestError(
            f"`{request.run}` undid {_named(early)}, which it had done in an earlier workflow run than `{request.at}`; "
            "fork it at an earlier point"
        )
    if plan is not None:
        before = rehearsal.taken
        rehearsal, misfits = _played(life, plan, point, undone, request.set)
        _check_fit(trace, before, rehearsal.taken, misfits, plan)
    _set(rehearsal, request.set)
    root = rehearsal.root
    lineage = Lineage(run=request.run, at=point.label, taken=len(rehearsal.taken))
    path = rehearsal.taken[-1000:]
    journal = {"seq": 0, "finished": len(rehearsal.taken), "events": [], "path": path}
    carried = Carried(format=1, root=root.dump(), journal=journal)
    return Forked(plan or life.plan, root.data.inputs, carried, lineage)


def request_for(trace: Trace, fork: ForkRequest, definition: dict[str, Any] | str | None = None) -> RunRequest:
    """What to start a fork with: for whom the run was, within the limits that it was given.

    Args:
        trace: The run.
        fork: What is taken over of it.
        definition: The definition to go on with; none keeps the run's own.
    """
    life, plan = trace.lives[-1], trace.plan
    # The limits that it has are the tighter ones of its request and its definition, which may be another one now.
    limits = LimitsRequest(**life.resolved["limits"]) if trace.request is None else trace.request.limits
    return RunRequest(
        definition=f"{plan.name}@{plan.version}" if definition is None else definition,
        context=RunContext.model_validate(life.resolved.get("context", {})),
        limits=limits,
        fork=fork.model_copy(update={"own_definition": definition is None}),
    )


def rehearsal_of(life: Life, plan: Plan, given: Mapping[str, Any] | None = None) -> Rehearsal:
    """The beginning of a workflow run, to be played on a plan.

    Args:
        life: The workflow run.
        plan: The plan.
        given: Inputs that the plan may want, and the run does not have.

    Raises:
        MigrationError: What the run had done before has no place in the plan.
        InputError: Its inputs do not fit the plan.
    """
    graph = Graph(plan)
    dumped: Mapping[str, Any] | None = life.carried.get("root")
    inputs = dumped["inputs"] if dumped else life.resolved["inputs"]
    if plan is not life.plan:  # a definition that it names may differ where its own text does not
        inputs = moved_inputs(plan, {**(given or {}), **inputs})
        if dumped is not None:
            dumped = translated({**dumped, "inputs": inputs}, Graph(life.plan), graph)
    run = {"id": "", "definition": plan.name, "version": plan.version}
    about = {"context": life.resolved.get("context", {}), "run": run}
    return Rehearsal(graph, inputs, about, node_types(life.plan), dumped)


def node_types(plan: Plan) -> dict[str, str]:
    """Node type by path without items and visits: ``items.answer``."""
    return dict(_types(plan.nodes, plan.bodies, ""))


def _types(nodes: Iterable[PlanNode], bodies: Mapping[str, Plan], path: str) -> Iterable[tuple[str, str]]:
    for node in nodes:
        yield f"{path}{node.id}", node.type
        if node.body is not None:
            yield from _types(bodies[node.body].nodes, bodies, f"{path}{node.id}.")


def _point(text: str) -> _Point:
    found = _AT.fullmatch(text)
    if found is None:
        raise RequestError(f"`{text}` names no visit: write NODE, NODE#2, ITEMS[3], or ITEMS[3].NODE")
    scope, node, visit, item = found.groups()
    return _Point(scope, node, int(visit or 1), None if item is None else int(item))


def _life_of(trace: Trace, point: _Point) -> int:
    """The number of the workflow run in which the point ended; else the last, where it may be under way."""
    for number, life in enumerate(trace.lives):
        if any(_is_end(happening, point) for happening in life.happenings):
            return number
    life = trace.lives[-1]
    rehearsal = rehearsal_of(life, life.plan)
    for happening in life.happenings:
        rehearsal.play(happening)
    begun = point.item is not None and rehearsal.scope(f"{point.label}.") is not None
    scope = rehearsal.scope(point.scope)
    visits = 0
    if scope is not None:
        names = {node.plan.id: node.index for node in scope.graph.nodes}
        number = names.get(NodeId(point.node))
        if number is not None:
            ready = number in scope.marking.ready
            visits = scope.marking.visits[number] + ready
    if not begun and (point.item is not None or visits != point.visit):
        last = [_label(item) for item in life.happenings if isinstance(item, VisitEnded)][-_MOST_NAMED:]
        raise RequestError(
            f"`{point.label}` never ran in `{trace.run}`"
            + (f"; what it finished last: {', '.join(f'`{name}`' for name in last)}" if last else "")
        )
    return len(trace.lives) - 1


def _is_end(happening: Happening, point: _Point) -> bool:
    if point.item is not None:
        return isinstance(happening, (BodyClosed, BodyFailed)) and happening.scope == f"{point.label}."
    return isinstance(happening, VisitEnded) and point.holds(happening)


def _played(
    life: Life, plan: Plan, point: _Point, undone: set[str], changes: Mapping[str, Any] | None = None
) -> tuple[Rehearsal, list[Misfit]]:
    prefix = "inputs."
    given = {name.removeprefix(prefix): value for name, value in (changes or {}).items() if name.startswith(prefix)}
    rehearsal = rehearsal_of(life, plan, given)
    misfits: list[Misfit] = []
    for happening in life.happenings:
        if point.holds(happening) or (isinstance(happening, VisitEnded) and _label(happening) in undone):
            continue
        if point.item is not None and isinstance(happening, BodyEntered) and happening.scope == f"{point.label}.":
            continue
        if misfit := rehearsal.play(happening):
            misfits.append(misfit)
    return rehearsal, misfits


def _check_fit(trace: Trace, before: list[str], taken: list[str], misfits: list[Misfit], plan: Plan) -> None:
    lost = [label for label in before if label not in set(taken)]
    if not lost:
        return
    reasons = {visit_label(misfit.path, misfit.visit): misfit.reason for misfit in misfits}
    raise MigrationError(
        f"`{lost[0]}` was done in `{trace.run}` and has no place in {plan.name}@{plan.version}: "
        f"{reasons.get(lost[0], 'it would go another way')}"
        + (f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""),
        details={"lost": lost[:100]},
    )


def _set(rehearsal: Rehearsal, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        try:
            _set_one(rehearsal.root, name, value)
        except OrchestratorError as error:
            message = error.message if name in error.message else f"`{name}` cannot be set: {error.message}"
            raise RequestError(message) from error


def _set_one(scope: Scope, name: str, value: Any) -> None:
    path = parse_reference(f"{{{{ {name} }}}}")
    match path:
        case ("inputs", str() as key):
            scope.change_inputs({key: value})
        case ("state", str() as key):
            scope.data.channels.assign({key: value})
        case ("nodes", str() as node, *rest) if node in scope.data.nodes and rest:
            scope.data.nodes[node] = _put(scope.data.nodes[node], rest, value, name)
        case ("nodes", str() as node, *_):
            raise RequestError(f"`{name}` cannot be set: `{node}` has no output that is taken over")
        case _:
            raise RequestError(f"`{name}` cannot be set: write inputs.NAME, state.NAME or nodes.ID.FIELD")


def _put(found: Any, path: list[str | int], value: Any, name: str) -> Any:
    if not path:
        return value
    step, *rest = path
    if isinstance(found, Mapping) and isinstance(step, str):
        fields = cast("Mapping[str, Any]", found)
        return {**fields, step: _put(fields.get(step), rest, value, name)}
    if isinstance(found, list) and isinstance(step, int) and step < len(cast("list[Any]", found)):
        items = cast("list[Any]", found)
        return [*items[:step], _put(items[step], rest, value, name), *items[step + 1 :]]
    raise RequestError(f"`{name}` cannot be set: there is nothing at `{step}`")


def _label(happening: VisitEnded) -> str:
    return visit_label(f"{happening.scope}{happening.node}", happening.visit)


def _named(labels: Iterable[str]) -> str:
    return ", ".join(f"`{label}`" for label in sorted(labels)[:_MOST_NAMED])
