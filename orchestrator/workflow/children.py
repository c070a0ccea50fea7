"""Performs a Subworkflow of ``mode: child``: a run of its own, whose end this one waits for.

The child outlives its parent's continue-as-new (its close policy is to abandon). From then on the parent knows of its
end because the child tells, and looks now and then, in case it was ended by force and could not; and cancels it itself.
"""

import asyncio
import contextlib
from typing import Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

from orchestrator.contracts import (
    WORKFLOW_TYPE,
    ChildRun,
    LimitsRequest,
    ParentRun,
    RunRequest,
    RunResult,
    visit_label,
)
from orchestrator.errors import LimitError, NodeError
from orchestrator.graph.index import Node
from orchestrator.graph.scope import Running, Scope
from orchestrator.workflow.run import Run
from orchestrator.workflow.tickets import Ticket

__all__ = ["MOST_DEPTH", "run_child"]

_FIRST_LOOK_S = 60.0
_LAST_LOOK_S = 3_600.0
MOST_DEPTH = 10
"""How deep runs may start runs."""


async def run_child(run: Run, scope: Scope, node: Node, running: Running, ticket: Ticket) -> dict[str, Any]:
    """Run the child to its end. Returns its outputs.

    Raises:
        NodeError: It failed, or was cancelled or terminated.
        LimitError: It would be nested too deep.
    """
    label = visit_label(f"{scope.path}{node.plan.id}", running.visit)
    waiting: asyncio.Future[Any] | None = None
    known = "child" in running.kept
    if not known:
        waiting = await _start(run, scope, node, running, label)
    run_id: str = running.kept["child"]
    child = ChildRun(node=f"{scope.path}{node.plan.id}", visit=running.visit, run=run_id)
    run.kin.children.setdefault(label, child)
    ticket.rest()
    try:
        if waiting is None:
            result: Any = await _found_again(run, run_id, label, looks=not known)
        else:
            result = await waiting
    except FailureError as error:
        ticket.wake()
        ended = _result_of(error) or _told_before(run, label)
        if ended is not None:
            run.visits.add(node.plan.id, ended.usage)
        raise _told(error, ended, run_id) from None
    finally:
        run.kin.forget(label)
    ticket.wake()
    ended = RunResult.model_validate(result)
    run.visits.add(node.plan.id, ended.usage)
    return ended.outputs


async def _start(run: Run, scope: Scope, node: Node, running: Running, label: str) -> asyncio.Future[Any] | None:
    """Start the child. Returns what resolves with its result; none where it runs already, after a reset."""
    depth = (run.parent.depth if run.parent else 0) + 1
    if depth > MOST_DEPTH:
        raise LimitError(f"runs start runs more than {MOST_DEPTH} deep; does `{node.plan.config.value}` call itself?")
    info, allowance = workflow.info(), run.allowance
    config = await run.visits.config(scope, node.plan, running)
    inputs = await run.visits.value(scope.data.roots(), node.plan.inputs, f"{label}:inputs")
    again = f"~{running.tries}" if running.tries > 1 else ""
    run_id = f"{info.workflow_id}/{label}{again}/{info.first_execution_run_id[:8]}"
    request = RunRequest(
        definition=config["definition"],
        inputs=inputs,
        context=run.context,
        limits=_limits(run),
        parent=ParentRun(run=info.workflow_id, node=label, depth=depth, purse=allowance.purse),
    )
    running.kept["child"] = run_id
    try:
        return await workflow.start_child_workflow(
            WORKFLOW_TYPE,
            request,
            id=run_id,
            result_type=RunResult,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            memo=allowance.memo(),
            static_summary=f"{label} of {info.workflow_id}"[:200],
        )
    except WorkflowAlreadyStartedError:
        return None


def _limits(run: Run) -> LimitsRequest:
    left = None if run.deadline is None else max(1.0, run.deadline - workflow.time())
    limits = run.limits
    return LimitsRequest(
        steps=max(1, limits.steps - run.steps),
        timeout=left,
        max_parallel=limits.max_parallel,
        cost_usd=run.allowance.cap_usd,
    )


async def _found_again(run: Run, run_id: str, label: str, *, looks: bool) -> Any:
    """The result of a child that this workflow run has not started: it tells of its end, or is looked at."""
    delay = _FIRST_LOOK_S
    try:
        while label not in run.kin.ended:
            result = await run.dispatcher.look_at_run(run_id, label) if looks else None
            if result is not None:
                return result
            if label in run.kin.ended:  # it told while it was being looked at
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(run.kin.end_of(label), delay)
            delay, looks = min(delay * 2, _LAST_LOOK_S), True
    except (asyncio.CancelledError, ActivityError) as error:
        if is_cancelled_exception(error):
            with contextlib.suppress(ApplicationError):  # it has ended just now
                await workflow.get_external_workflow_handle(run_id).cancel()
        raise
    ended = RunResult.model_validate(run.kin.ended[label])
    if ended.status == "completed":
        return ended
    info = ended.error
    message = info.message if info else ended.status
    raise ApplicationError(message, ended, type=info.code if info else NodeError.code, non_retryable=True)


def _cause(error: FailureError) -> BaseException | None:
    return error.cause if isinstance(error, (ChildWorkflowError, ActivityError)) else error


def _result_of(error: FailureError) -> RunResult | None:
    """How the child says that it ended; none where it failed, or was ended, before it could say anything."""
    cause = _cause(error)
    if not isinstance(cause, ApplicationError) or not cause.details:
        return None
    try:
        return RunResult.model_validate(cause.details[0])
    except ValidationError:
        return None


def _told_before(run: Run, label: str) -> RunResult | None:
    """How a child ended that was cancelled: Temporal carries nothing of it, but the child has said so itself."""
    told = run.kin.ended.get(label)
    return None if told is None else RunResult.model_validate(told)


def _told(error: FailureError, ended: RunResult | None, run_id: str) -> Exception:
    cause = _cause(error)
    if isinstance(cause, ApplicationError):
        details: dict[str, Any] = {"run": run_id}
        if ended is not None:
            details["error"] = ended.error.model_dump(mode="json") if ended.error else None
        return NodeError(f"its run `{run_id}` failed: {cause.message}", details=details)
    how = "was cancelled" if isinstance(cause, CancelledError) else "ended without a result"
    return NodeError(f"its run `{run_id}` {how}", details={"run": run_id})
