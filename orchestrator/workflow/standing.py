"""Where a run stands, in every form that people ask for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from orchestrator.contracts import (
    ErrorInfo,
    NodeState,
    Parked,
    ProgressPage,
    ProgressRequest,
    RunResult,
    RunState,
    RunStatus,
    Usage,
)
from orchestrator.graph.marking import NodeStatus
from orchestrator.graph.plan import NodeId
from orchestrator.graph.scope import Scope
from orchestrator.workflow.engine import Engine
from orchestrator.workflow.inbox import Inbox
from orchestrator.workflow.journal import Journal
from orchestrator.workflow.visibility import details

__all__ = ["Now", "Standing"]

_MOST_BYTES = 1_900_000
_MOST_PARKED = 40
_MOST_NESTED = 200
"""Nodes inside bodies that the ``state`` query tells of."""


@dataclass(frozen=True, slots=True)
class Now:
    """Where a run has come to rest. ``parked`` are labels."""

    status: RunStatus
    node: str | None = None
    parked: tuple[Parked, ...] = ()


class Standing:
    """Answers for one run.

    Args:
        journal: Its events.
        inbox: Its questions.
    """

    def __init__(self, journal: Journal, inbox: Inbox) -> None:
        self._journal = journal
        self._inbox = inbox
        self.engine: Engine | None = None
        self.result: RunResult | None = None
        self.ending: tuple[RunStatus, ErrorInfo | None, dict[str, Any]] | None = None
        """How the run ends, while it is undoing and cleaning up."""
        self.now = Now("running")

    @property
    def status(self) -> RunStatus:
        """How the run stands."""
        if self.result is not None:
            return self.result.status
        if self.ending is not None:
            return "cancelling" if self.ending[0] == "cancelled" else "running"
        run = self.engine.run if self.engine else None
        if run is None:
            return "running"
        if run.paused:
            return "paused"
        if run.parking.parked or run.kin.in_trouble:
            return "needs_attention"
        return "awaiting_input" if self._inbox.awaiting and not run.busy else "running"

    def note(self) -> None:
        """Note that something has changed."""
        status, run = self.status, self.engine.run if self.engine else None
        node, parked = None, run.parking.parked if run else ()
        if status == "awaiting_input":
            node = self._inbox.awaiting[0].node
        elif status == "needs_attention" and parked:
            node = parked[0].node
        self.now = Now(status, node, parked[:_MOST_PARKED])

    def end(self, status: RunStatus, error: ErrorInfo | None, outputs: dict[str, Any]) -> RunResult:
        """Note that the run has ended."""
        self.result = self._so_far(status, error, outputs)
        return self.result

    def ending_as_json(self) -> dict[str, Any] | None:
        """How the run ends, to be carried on; none when it does not."""
        if self.ending is None:
            return None
        status, error, outputs = self.ending
        return {"status": status, "error": error.model_dump(mode="json") if error else None, "outputs": outputs}

    def _so_far(self, status: RunStatus, error: ErrorInfo | None, outputs: dict[str, Any]) -> RunResult:
        run = self.engine.run if self.engine else None
        return RunResult(
            status=status,
            outputs=outputs,
            path=self._journal.path,
            path_omitted=self._journal.path_omitted,
            **(run.visits.report() if run else {}),
            error=error,
            undone=tuple(run.undone) if run else (),
            aside=tuple(run.aside) if run else (),
            forked_from=run.resolved.lineage if run else None,
        )

    def page(self, asked: ProgressRequest) -> ProgressPage:
        """Answer of the ``progress`` query."""
        run = self.engine.run if self.engine else None
        return self._journal.page(
            asked,
            self.status,
            awaiting=self._inbox.awaiting,
            parked=run.parking.parked[:_MOST_PARKED] if run else (),
            children=tuple(run.kin.children.values())[:_MOST_PARKED] if run else (),
        )

    def usage(self) -> dict[str, Any]:
        """Answer of the ``usage`` query."""
        visits = self.engine.run.visits if self.engine else None
        if visits is None:
            return {"total": Usage(), "nodes": {}, "attempts": (), "attempts_omitted": 0}
        return {
            "total": visits.total_usage,
            "nodes": visits.usage,
            "attempts": visits.attempts,
            "attempts_omitted": visits.attempts_omitted,
        }

    def definition(self) -> dict[str, Any]:
        """Answer of the ``definition`` query."""
        if self.engine is None:
            return {}
        return _readable(self.engine.graph.plan.model_dump(mode="json", exclude_defaults=True))

    def details(self) -> str:
        """The live details of the Web UI."""
        run = self.engine.run if self.engine else None
        return details(self.status, run, self._inbox.awaiting, self._journal.finished)

    def state(self) -> RunState:
        """Answer of the ``state`` query; ``omitted`` names what had no room, the largest values."""
        result = self.result or self._so_far(self.status, None, {})
        if self.engine is None:
            return RunState(status=result.status, definition="", result=result)
        engine, run = self.engine, self.engine.run
        kept, omitted = _what_fits(engine.scope, _MOST_BYTES - len(to_json(result)))
        nodes = {
            NodeId(node.plan.id): NodeState(
                status=NodeStatus(engine.scope.marking.node[node.index]).name.lower(),
                visits=engine.scope.marking.visits[node.index],
                output=kept.get(f"nodes.{node.plan.id}"),
            )
            for node in engine.graph.nodes
        }
        for path, nested in _nested(engine.scope, _MOST_NESTED):
            nodes[NodeId(path)] = nested
        plan = engine.graph.plan
        return RunState(
            status=result.status,
            definition=f"{plan.name}@{plan.version}",
            inputs=kept.get("inputs", {}),
            nodes=nodes,
            state=kept.get("state", {}),
            omitted=tuple(omitted),
            parked=run.parking.parked[:_MOST_PARKED],
            children=tuple(run.kin.children.values())[:_MOST_PARKED],
            continued=engine.continued,
            result=result,
        )


def _what_fits(scope: Scope, room: int) -> tuple[dict[str, Any], list[str]]:
    data = scope.data
    values = {"inputs": dict(data.inputs), "state": dict(data.channels.values)}
    values |= {f"nodes.{name}": output for name, output in data.nodes.items()}
    kept: dict[str, Any] = {}
    omitted: list[str] = []
    for size, name in sorted((len(to_json(value)), name) for name, value in values.items()):
        room -= size
        if room >= 0:
            kept[name] = values[name]
        else:
            omitted.append(name)
    return kept, omitted


def _nested(scope: Scope, most: int) -> Iterator[tuple[str, NodeState]]:
    """The nodes under way inside bodies, by path."""
    for running in scope.running.values():
        for body in running.bodies:
            for number, visit in body.running.items():
                if most <= 0:
                    return
                most -= 1
                yield f"{body.path}{body.graph.nodes[number].plan.id}", NodeState(status="running", visits=visit.visit)
            yield from _nested(body, most)


def _readable(plan: dict[str, Any]) -> dict[str, Any]:
    for edge in plan.get("edges", ()):
        if "when" in edge:
            edge["when"] = edge["when"]["text"]
    for node in plan.get("nodes", ()):
        if "expressions" in node:
            node["expressions"] = {name: found["text"] for name, found in node["expressions"].items()}
    for body in plan.get("bodies", {}).values():
        _readable(body)
    return plan
