"""Plays what happened in a run on a plan again, without doing anything: the pure core, and a trace.

With the plan of the run itself it gives the run's state at any point of it; with another plan it tells how far that
one goes the same way.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import OrchestratorError
from orchestrator.graph.fan import Fan
from orchestrator.graph.happenings import (
    Assigned,
    BodyClosed,
    BodyEntered,
    BodyFailed,
    Happening,
    InputsChanged,
    ItemsKnown,
    VisitCancelled,
    VisitEnded,
    VisitSkipped,
)
from orchestrator.graph.index import Graph
from orchestrator.graph.labels import visit_label
from orchestrator.graph.marking import NodeStatus
from orchestrator.graph.plan import NodeId
from orchestrator.graph.scope import Running, Scope
from orchestrator.graph.translation import moved_inputs

__all__ = ["Misfit", "Rehearsal", "place"]

_NO_WAY = {
    "error": "it failed, and no way is meant for that",
    "expiry": "nobody answered in time, and no way is meant for that",
    "reject": "it was rejected, and no way is meant for that",
}
_STEP = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?:#([0-9]+))?(?:\[([0-9]+)\])?\.")


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something that happened, and has no place in the plan. ``path`` is that of a node, or of a body."""

    path: str
    visit: int
    reason: str
    gone: bool = False
    """The plan has no such node, or one of another type."""


class Rehearsal:
    """A run, played again.

    Args:
        graph: The plan to play it on.
        inputs: The run's inputs.
        about: The roots ``context`` and ``run``.
        types: Node type by path without items and visits (``items.answer``), as the run had them.
        dumped: Where the run stood at the beginning, as ``Scope.dump`` gives it; none when it was at its start.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Mapping[str, Any],
        about: Mapping[str, Any],
        types: Mapping[str, str],
        dumped: Mapping[str, Any] | None = None,
    ) -> None:
        self.root = Scope(graph, inputs, about, dumped=dumped)
        self.taken: list[str] = []
        """Labels of the visits that ended well in it, in order."""
        self._types = types
        if self.root.begun:
            _back_to_ready(self.root)
        else:
            self.root.begin()

    def play(self, happening: Happening) -> Misfit | None:
        """Let one thing happen. What has no place changes nothing, and its misfit is returned."""
        try:
            match happening:
                case VisitEnded() | VisitSkipped():
                    return self._end(happening)
                case ItemsKnown():
                    return self._open(happening)
                case BodyEntered():
                    return self._enter(happening)
                case BodyClosed() | BodyFailed():
                    return self._close(happening)
                case _:
                    self._change(happening)
        except OrchestratorError as error:
            path = getattr(happening, "scope", "") + getattr(happening, "node", "")
            return Misfit(path, getattr(happening, "visit", 1), error.message)
        return None

    def _change(self, happening: Happening) -> None:
        if isinstance(happening, Assigned):
            self.root.data.channels.assign(_known(happening.values, self.root))
        elif isinstance(happening, InputsChanged) and (scope := self.scope(happening.scope)) is not None:
            scope.data.change_inputs(moved_inputs(scope.graph.plan, happening.inputs))
        elif isinstance(happening, VisitCancelled) and (scope := self.scope(happening.scope)) is not None:
            _count(scope, happening)

    def scope(self, path: str) -> Scope | None:
        """The open scope with this path; none when there is none."""
        scope = self.root
        for name, visit, index in _STEP.findall(path):
            number = scope.graph.numbers.get(NodeId(name))
            running = None if number is None else scope.running.get(number)
            if running is None or running.fan is None or running.visit != int(visit or 1):
                return None
            found = running.fan.open.get(int(index or 0))
            if found is None:
                return None
            scope = found
        return scope

    def ready(self) -> list[str]:
        """The visits that are under way, or would start next: ``ask``, ``items[3].answer#2``."""
        return _ready(self.root)

    def _started(self, scope_path: str, node: str, visit: int) -> tuple[Scope, int, Running] | Misfit:
        """The visit, started now if it was not; or why it cannot be."""
        path = f"{scope_path}{node}"
        scope = self.scope(scope_path)
        if scope is None:
            return Misfit(path, visit, "what it stands in is not open")
        return self._started_in(scope, path, node, visit)

    def _started_in(self, scope: Scope, path: str, node: str, visit: int) -> tuple[Scope, int, Running] | Misfit:
        number = scope.graph.numbers.get(NodeId(node))
        if number is None:
            return Misfit(path, visit, "the definition has no such node", gone=True)
        kind, was = scope.graph.nodes[number].plan.type, self._types.get(place(path))
        if was is not None and was != kind:
            return Misfit(path, visit, f"it was of type {was} and is of type {kind}", gone=True)
        running = scope.running.get(number)
        if running is not None and running.visit == visit:
            return scope, number, running
        if scope.marking.node[number] != NodeStatus.READY:
            return Misfit(path, visit, "nothing leads to it at that point")
        if scope.marking.visits[number] + 1 != visit:
            return Misfit(path, visit, f"it would be visit {scope.marking.visits[number] + 1} there")
        return scope, number, scope.start(number)

    def _end(self, happening: VisitEnded | VisitSkipped) -> Misfit | None:
        found = self._started(happening.scope, happening.node, happening.visit)
        if isinstance(found, Misfit):
            return found
        scope, number, running = found
        if isinstance(happening, VisitSkipped):
            scope.skip(number)
            return None
        path = f"{happening.scope}{happening.node}"
        if running.fan is not None and not running.fan.over and happening.kind == "normal":
            return Misfit(path, happening.visit, "not all of its bodies have ended")
        if happening.kind not in ("normal", *scope.graph.nodes[number].kinds):
            if running.fan is None:
                unstart(scope, number)
            return Misfit(path, happening.visit, _NO_WAY[happening.kind])
        try:
            scope.complete(number, dict(happening.output), _known(happening.writes, scope), happening.kind)
        except OrchestratorError:
            if running.fan is None:
                unstart(scope, number)
            raise
        self.taken.append(visit_label(path, happening.visit))
        return None

    def _open(self, happening: ItemsKnown) -> Misfit | None:
        found = self._started(happening.scope, happening.node, happening.visit)
        if isinstance(found, Misfit):
            return found
        scope, number, running = found
        plan = scope.graph.nodes[number].plan
        if plan.body is None:
            unstart(scope, number)
            return Misfit(f"{happening.scope}{happening.node}", happening.visit, "it runs no body", gone=True)
        running.fan = Fan.begin(plan, visit_label(happening.node, happening.visit), happening.items)
        return None

    def _enter(self, happening: BodyEntered) -> Misfit | None:
        outer, name, visit, index = _last(happening.scope)
        found = self._started(outer, name, visit)
        if isinstance(found, Misfit):
            return found
        scope, number, running = found
        plan = scope.graph.nodes[number].plan
        if plan.body is None:
            unstart(scope, number)
            return Misfit(f"{outer}{name}", visit, "it runs no body", gone=True)
        if running.fan is None:
            running.fan = Fan.begin(plan, visit_label(name, visit), None)
        fan = running.fan
        for due in range(fan.next, index + 1):
            fan.opening[due] = None
        fan.next = max(fan.next, index + 1)
        body = scope.graph.bodies[plan.body]
        scope.open(fan, index, body, moved_inputs(body.plan, happening.inputs)).begin()
        return None

    def _close(self, happening: BodyClosed | BodyFailed) -> Misfit | None:
        outer, name, visit, index = _last(happening.scope)
        found = self._started(outer, name, visit)
        if isinstance(found, Misfit):
            return found
        fan = found[2].fan
        body = None if fan is None else fan.open.get(index)
        if fan is None or (body is None and index not in fan.opening):
            return Misfit(happening.scope.removesuffix("."), 1, "it is not open")
        if isinstance(happening, BodyFailed):
            fan.give_up(index, happening.code, happening.message)
            return None
        if body is not None and not body.over and happening.outputs is not None:
            return Misfit(happening.scope.removesuffix("."), 1, "not all of its nodes have ended")
        fan.close(index, None if happening.outputs is None else dict(happening.outputs))
        return None


def _known(values: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """Those of ``values`` that the plan has a channel for."""
    return {name: value for name, value in values.items() if name in scope.graph.plan.state}


def _count(scope: Scope, cancelled: VisitCancelled) -> None:
    """Count a visit that began, and that nothing has told of until it was cancelled."""
    number = scope.graph.numbers.get(NodeId(cancelled.node))
    if number is not None and scope.marking.visits[number] < cancelled.visit:
        scope.marking.steps += cancelled.visit - scope.marking.visits[number]
        scope.marking.visits[number] = cancelled.visit


def unstart(scope: Scope, number: int) -> None:
    """Take a visit that has not ended back to where it was ready."""
    marking = scope.marking
    del scope.running[number]
    marking.node[number] = NodeStatus.READY
    marking.visits[number] -= 1
    marking.running -= 1
    marking.steps -= 1
    marking.ready.append(number)


def _back_to_ready(scope: Scope) -> None:
    """What was under way begins again; bodies that are open stay open."""
    for number, running in list(scope.running.items()):
        if running.fan is None:
            unstart(scope, number)
        else:
            for body in running.fan.open.values():
                _back_to_ready(body)


def _ready(scope: Scope) -> list[str]:
    nodes, visits = scope.graph.nodes, scope.marking.visits
    found = [visit_label(f"{scope.path}{nodes[number].plan.id}", visits[number] + 1) for number in scope.marking.ready]
    for running in scope.running.values():
        for body in running.bodies:
            found += _ready(body)
    return found


def place(path: str) -> str:
    """Where a node stands in its definition: a path or label without items and visits."""
    return re.sub(r"#[0-9]+|\[[0-9]+\]", "", path)


def _last(path: str) -> tuple[str, str, int, int]:
    """The last step of a scope's path: the path before it, the node, its visit, the item."""
    steps = list(_STEP.finditer(path))
    name, visit, index = steps[-1].groups()
    return path[: steps[-1].start()], name, int(visit or 1), int(index or 0)
