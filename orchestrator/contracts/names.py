"""Names and numbers that outside clients rely on."""

from typing import Literal

__all__ = [
    "JOIN_PAGES_ACTIVITY",
    "LOAD_PAGE_ACTIVITY",
    "LOOK_AT_RUN_ACTIVITY",
    "MAX_INLINE_BYTES",
    "MAX_LOCAL_BYTES",
    "MAX_PAYLOAD_BYTES",
    "MOST_MESSAGE_BYTES",
    "RENDER_ACTIVITY",
    "RESOLVE_ACTIVITY",
    "STORE_PAGE_ACTIVITY",
    "TASK_QUEUE",
    "TOO_LARGE_FOR_LOCAL",
    "USAGE_ACTIVITY",
    "WORKFLOW_TYPE",
    "EventType",
    "RunStatus",
    "SearchAttribute",
]

WORKFLOW_TYPE = "GraphWorkflow"
TASK_QUEUE = "orchestrator"
RESOLVE_ACTIVITY = "resolve_definition"
RENDER_ACTIVITY = "render"
STORE_PAGE_ACTIVITY = "store_page"
LOAD_PAGE_ACTIVITY = "load_page"
JOIN_PAGES_ACTIVITY = "join_pages"
LOOK_AT_RUN_ACTIVITY = "look_at_run"
USAGE_ACTIVITY = "usage_of_visit"
MAX_PAYLOAD_BYTES = 1_000_000
"""The most a single value that the workflow carries may take, encoded. Temporal's own limit is 2 MiB."""
MAX_INLINE_BYTES = 128_000
"""A larger part of a node's output goes to blob storage, and a reference stands in its place."""
MOST_MESSAGE_BYTES = 128_000
"""The most that one answer may take."""
MAX_LOCAL_BYTES = 64_000
"""The most that a local activity is told, or may answer: answers of many may end up in one message to the server."""
TOO_LARGE_FOR_LOCAL = "TOO_LARGE_FOR_LOCAL"
"""Error type of a local activity whose answer is larger; the workflow then calls it as a regular one."""

RunStatus = Literal[
    "running",
    "awaiting_input",
    "needs_attention",
    "paused",
    "cancelling",
    "completed",
    "failed",
    "cancelled",
    "timed_out",
]
EventType = Literal[
    "RUN_STARTED",
    "STARTED",
    "AWAITING_INPUT",
    "REMINDER",
    "DEFERRED",
    "EXPIRED",
    "COMPLETED",
    "ERROR",
    "PARKED",
    "RESOLVED",
    "BUDGET_WARNING",
    "SKIPPED",
    "CANCELLED",
    "COMPENSATED",
    "REJECTED",
    "RUN_PAUSED",
    "RUN_RESUMED",
    "RUN_CANCELLING",
    "RUN_CONTINUED",
    "RUN_MIGRATED",
    "RUN_COMPLETED",
    "RUN_FAILED",
    "RUN_CANCELLED",
    "RUN_TIMED_OUT",
]


class SearchAttribute:
    """Names of the search attributes; all are of Temporal's Keyword type."""

    DEFINITION_NAME = "DefinitionName"
    DEFINITION_VERSION = "DefinitionVersion"
    TENANT = "Tenant"
    RUN_STATUS = "RunStatus"
    CURRENT_NODE = "CurrentNode"
    ALL = (DEFINITION_NAME, DEFINITION_VERSION, TENANT, RUN_STATUS, CURRENT_NODE)
