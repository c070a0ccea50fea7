"""One row of the list of runs: what the server's index knows, without asking the run itself."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey

from orchestrator.contracts import WORKFLOW_TYPE, SearchAttribute
from orchestrator.errors import RequestError
from orchestrator.statuses import ListedStatus

__all__ = ["RunSummary", "list_query", "summarize"]

_OVER: Mapping[WorkflowExecutionStatus, ListedStatus] = {
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}
_STATUS, _NAME, _NODE, _TENANT = (
    SearchAttributeKey.for_keyword(name)
    for name in (
        SearchAttribute.RUN_STATUS,
        SearchAttribute.DEFINITION_NAME,
        SearchAttribute.CURRENT_NODE,
        SearchAttribute.TENANT,
    )
)
_OWN = SearchAttribute.RUN_STATUS
_ODD = re.compile(r"""["\\\x00-\x1f\x7f]|^'|'+$""")
_OPEN: Final[tuple[ListedStatus, ...]] = ("awaiting_input", "needs_attention", "paused", "cancelling")
"""What an open run may say of itself, other than that it runs."""
_AT_A_NODE = frozenset({"awaiting_input", "needs_attention"})
_OTHERS = ", ".join(f"'{status}'" for status in _OPEN)
_QUERIES: Mapping[str, str] = {
    "running": f"ExecutionStatus = 'Running' AND ({_OWN} IS NULL OR {_OWN} NOT IN ({_OTHERS}))",
    **{status: f"ExecutionStatus = 'Running' AND {_OWN} = '{status}'" for status in _OPEN},
    "completed": "ExecutionStatus = 'Completed'",
    "failed": f"ExecutionStatus = 'Failed' AND ({_OWN} IS NULL OR {_OWN} != 'timed_out')",
    "cancelled": "ExecutionStatus = 'Canceled'",
    "timed_out": f"(ExecutionStatus = 'TimedOut' OR (ExecutionStatus = 'Failed' AND {_OWN} = 'timed_out'))",
    "terminated": "ExecutionStatus = 'Terminated'",
}
"""By status, what finds just the runs that ``summarize`` gives it.

A run that was refused, or that the server ended, has no status of its own, or one that is out of date.
"""


class RunSummary(BaseModel):
    """One row of ``list``: what the server's index knows of a run."""

    model_config = ConfigDict(frozen=True)

    id: str
    run_id: str
    status: ListedStatus
    definition: str | None = None
    current_node: str | None = None
    tenant: str | None = None
    started: datetime
    closed: datetime | None = None


def list_query(
    status: str | None,
    name: str | None,
    *,
    tenant: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> str:
    """The query for runs with this status, of this definition, for this tenant, started in this time; none means all.

    A tenant whose name has characters that some servers cannot compare is only narrowed down: what the query finds
    has to be compared again.

    Raises:
        RequestError: There is no such status, or the name cannot be one.
    """
    # A run that went on in a new workflow run is listed once, as that one.
    parts = [f"WorkflowType = '{WORKFLOW_TYPE}'", "ExecutionStatus != 'ContinuedAsNew'"]
    if status is not None:
        if status not in _QUERIES:
            raise RequestError(f"no run has the status {status[:100]!r}; there are {', '.join(_QUERIES)}")
        parts.append(_QUERIES[status])
    if name is not None:
        parts.append(f"{SearchAttribute.DEFINITION_NAME} = {_quoted(name)}")
    if tenant is not None:
        parts.append(_of_tenant(tenant))
    # Temporal compares with the start of the present workflow run, for one that went on in a new one.
    parts += [f"StartTime >= '{since.isoformat()}'"] if since is not None else []
    parts += [f"StartTime < '{until.isoformat()}'"] if until is not None else []
    return " AND ".join(parts)


def summarize(execution: WorkflowExecution) -> RunSummary:
    """The row of one run."""
    shown = execution.typed_search_attributes
    own = shown.get(_STATUS)
    over = None if execution.status is None else _OVER.get(execution.status)
    status = over or _open_status(own)
    if over == "failed" and own == "timed_out":
        status = "timed_out"
    return RunSummary(
        id=execution.id,
        run_id=execution.run_id,
        status=status,
        definition=shown.get(_NAME),
        current_node=shown.get(_NODE) if status in _AT_A_NODE else None,
        tenant=shown.get(_TENANT),
        started=execution.start_time,
        closed=execution.close_time,
    )


def _open_status(own: str | None) -> ListedStatus:
    for status in _OPEN:
        if status == own:
            return status
    return "running"


def _of_tenant(tenant: str) -> str:
    # SQLite keeps values as JSON: one that JSON has to escape is never equal to itself there. Quotes at the ends
    # of a value are lost wherever the server reads it.
    odd = _ODD.search(tenant)
    if odd is None:
        return f"{SearchAttribute.TENANT} = {_literal(tenant)}"
    plain = tenant[: odd.start()].rstrip("'")
    return f"{SearchAttribute.TENANT} " + (f"STARTS_WITH {_literal(plain)}" if plain else "IS NOT NULL")


def _literal(text: str) -> str:
    """Text without backslashes as a literal of the query language."""
    return "'" + text.replace("'", "''") + "'"


def _quoted(text: str) -> str:
    if not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise RequestError(f"not a name: {text!r}")
    return _literal(text)
