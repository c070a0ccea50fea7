"""How a scope, and a run, come to their end: undoing what was done, and the ``finally`` nodes.

Nothing here parks: what fails is recorded, and passed over.
"""

from typing import Any

from orchestrator.contracts import ErrorInfo, RunStatus
from orchestrator.graph.happenings import Undone
from orchestrator.graph.plan import PlanNode
from orchestrator.graph.scope import Running, Scope
from orchestrator.graph.values import pick
from orchestrator.workflow import dispatch, observe
from orchestrator.workflow.journal import MOST_SHOWN
from orchestrator.workflow.run import Run
from orchestrator.workflow.tickets import Aside

__all__ = ["close", "leave", "tidy", "undo"]

_MOST_ASIDE = 100
_MOST_UNDONE = 1_000


async def close(run: Run, scope: Scope, status: RunStatus, error: ErrorInfo | None) -> None:
    """Run the ``finally`` nodes of a scope that has ended."""
    plan = scope.graph.plan
    while scope.closed < len(plan.closing):
        node = scope.graph.node(plan.closing[scope.closed])
        values = pick(node.config.reads, _roots(scope, status, error))
        output = await _perform(run, node, f"{scope.path}{node.id}", values)
        if output is not None:
            scope.data.record(node, output)
        scope.closed += 1


def leave(run: Run, scope: Scope, body: str | None) -> None:
    """Remember the ``finally`` nodes of a scope that is left before its end, for the end of the run."""
    plan = scope.graph.plan
    for name in plan.closing[scope.closed :]:
        node = scope.graph.node(name)
        values = pick(node.config.reads, _roots(scope, "cancelled", None))
        run.left.append(Aside(f"{scope.path}{node.id}", node.id, body, values))
    scope.closed = len(plan.closing)


async def undo(run: Run) -> None:
    """Undo what is to be undone, the newest first. Stops early where the run is about to go on elsewhere."""
    while run.undo and not run.must_roll():
        aside = run.undo[-1]
        output = await _perform(run, _node(run, aside), aside.path, aside.values)
        run.undo.pop()
        if output is not None and aside.undoes is not None:
            run.undone.append(aside.undoes)
            del run.undone[:-_MOST_UNDONE]
            observe.happened(Undone(aside.undoes))
            run.journal.add("COMPENSATED", aside.undoes, None, by=aside.path)


async def tidy(run: Run) -> None:
    """Run the ``finally`` nodes of scopes that were left, the innermost first. Stops early as ``undo`` does."""
    run.left.sort(key=lambda aside: aside.path.count("."))
    while run.left and not run.must_roll():
        aside = run.left[-1]
        await _perform(run, _node(run, aside), aside.path, aside.values)
        run.left.pop()


def _node(run: Run, aside: Aside) -> PlanNode:
    graph = run.graph if aside.body is None else run.graph.bodies[aside.body]
    return graph.node(aside.node)


def _roots(scope: Scope, status: RunStatus, error: ErrorInfo | None) -> dict[str, Any]:
    roots = dict(scope.data.roots())
    told = None if error is None else error.model_dump(include={"code", "message", "node"})
    return roots | {"run": {**roots["run"], "status": status, "error": told}}


async def _perform(run: Run, node: PlanNode, path: str, values: dict[str, Any]) -> dict[str, Any] | None:
    run.journal.add("STARTED", path, 1)
    try:
        output = await run.visits.call(node, path, Running(1), values)
    except Exception as error:  # noqa: BLE001 - recorded, and passed over
        info = dispatch.error_info(error, path, 1)
        run.failed(info, 1)
        run.aside.append(info.model_copy(update={"message": info.message[:MOST_SHOWN], "details": {}}))
        del run.aside[:-_MOST_ASIDE]
        return None
    run.journal.add("COMPLETED", path, 1)
    run.journal.finish(path)
    return output
