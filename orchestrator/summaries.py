"""One row of the list of runs: what the server's index knows, without asking the run itself."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey

from orchestrator.contracts import WORKFLOW_TYPE, SearchAttribute
from orchestrator.errors import RequestError

__all__ = ["RunSummary", "list_query", "summarize"]

_OVER: Mapping[WorkflowExecutionStatus, str] = {
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}
_GOING_ON = ("running", "awaiting_input", "needs_attention", "paused", "cancelling")
_STATUS, _NAME, _NODE, _TENANT = (
    SearchAttributeKey.for_keyword(name)
    for name in (
        SearchAttribute.RUN_STATUS,
        SearchAttribute.DEFINITION_NAME,
        SearchAttribute.CURRENT_NODE,
        SearchAttribute.TENANT,
    )
)


class RunSummary(BaseModel):
    """One row of ``list``: what the server's index knows of a run."""

    model_config = ConfigDict(frozen=True)

    id: str
    run_id: str
    status: str
    definition: str | None = None
    current_node: str | None = None
    tenant: str | None = None
    started: datetime
    closed: datetime | None = None


def list_query(status: str | None, name: str | None) -> str:
    """The query for runs with this status of theirs, of this definition; none means all.

    Raises:
        RequestError: One of them cannot be a status or a name.
    """
    query = f"WorkflowType = '{WORKFLOW_TYPE}'"
    if status in _GOING_ON:  # a run that the server ended could not take its status back
        query += " AND ExecutionStatus = 'Running'"
    if status is not None:
        query += f" AND {SearchAttribute.RUN_STATUS} = {_quoted(status)}"
    if name is not None:
        query += f" AND {SearchAttribute.DEFINITION_NAME} = {_quoted(name)}"
    return query


def summarize(execution: WorkflowExecution) -> RunSummary:
    """The row of one run."""
    shown = execution.typed_search_attributes
    status = shown.get(_STATUS) or "running"
    if execution.status is not None and execution.status in _OVER:
        over = _OVER[execution.status]
        # A failed run says more exactly how (timed_out); one that the server ended could not say anything.
        status = status if over == "failed" and status == "timed_out" else over
    return RunSummary(
        id=execution.id,
        run_id=execution.run_id,
        status=status,
        definition=shown.get(_NAME),
        current_node=shown.get(_NODE) if status == "awaiting_input" else None,
        tenant=shown.get(_TENANT),
        started=execution.start_time,
        closed=execution.close_time,
    )


def _quoted(text: str) -> str:
    if not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise RequestError(f"not a name: {text!r}")
    return f"'{text}'"
