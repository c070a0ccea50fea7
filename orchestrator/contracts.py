"""Every object that crosses a wire, frozen, defined once. A new field always has a default.

What people send (``RunRequest``, ``Message``) refuses unknown fields, so that a typo is an error; what the platform
writes ignores them, so that an older reader understands a newer history.
"""

import json
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orchestrator.graph.plan import Limits, NodeId, Plan, Retry

__all__ = [
    "MAX_LOCAL_BYTES",
    "MAX_PAYLOAD_BYTES",
    "MOST_MESSAGE_BYTES",
    "RENDER_ACTIVITY",
    "RESOLVE_ACTIVITY",
    "TASK_QUEUE",
    "TOO_LARGE_FOR_LOCAL",
    "WORKFLOW_TYPE",
    "Awaiting",
    "ErrorInfo",
    "Event",
    "EventType",
    "LimitsRequest",
    "Message",
    "NodeCall",
    "NodeOutput",
    "ProgressPage",
    "ProgressRequest",
    "RenderCall",
    "Resolved",
    "RunContext",
    "RunRequest",
    "RunResult",
    "RunState",
    "RunStatus",
    "SearchAttribute",
    "SubmitReply",
    "Usage",
    "visit_label",
]

WORKFLOW_TYPE = "GraphWorkflow"
TASK_QUEUE = "orchestrator"
RESOLVE_ACTIVITY = "resolve_definition"
RENDER_ACTIVITY = "render"
MAX_PAYLOAD_BYTES = 1_000_000
"""The most a single value that the workflow carries may take, encoded. Temporal's own limit is 2 MiB."""
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
    "COMPLETED",
    "ERROR",
    "SKIPPED",
    "CANCELLED",
    "REJECTED",
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


class _Sent(BaseModel):
    """Sent by people: unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Written(BaseModel):
    """Written by the platform: unknown fields come from a newer release and are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _checked_label(text: str) -> str:
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise ValueError("must not have control characters or line breaks")
    if len(json.dumps(text)) > _MOST_LABEL_BYTES:
        raise ValueError(f"must take at most {_MOST_LABEL_BYTES:,} bytes as JSON in ASCII")
    return text


# A search attribute has room for 2,048 bytes; a run whose tenant takes more would be terminated.
_MOST_LABEL_BYTES = 1_000
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_Label = Annotated[str, Field(max_length=200), AfterValidator(_checked_label)]


class RunContext(_Sent):
    """Who a run is for. None of it changes what the graph does unless the definition refers to it."""

    tenant: _Label | None = None
    user: _Label | None = None
    owners: tuple[_Label, ...] = Field(default=(), max_length=100)
    conversation_id: _Label | None = None
    correlation_id: _Label | None = None
    tags: dict[_Label, _Label] = Field(default={}, max_length=100)


class LimitsRequest(_Sent):
    """Limits for this run; each can only be tighter than the definition's.

    ``timeout`` is ``"90s"``, ``"2h"``, ``"7d"``, or a number of seconds.
    """

    steps: int | None = Field(default=None, ge=1)
    timeout: str | float | None = None
    max_parallel: int | None = Field(default=None, ge=1)
    cost_usd: float | None = Field(default=None, ge=0)


class RunRequest(_Sent):
    """Starts a run: the input of ``GraphWorkflow``.

    ``definition`` is a whole definition, or ``"name"`` or ``"name@version"`` of one the worker can find.
    """

    definition: dict[str, Any] | str
    inputs: dict[str, Any] = {}
    context: RunContext = RunContext()
    limits: LimitsRequest = LimitsRequest()


class Resolved(_Written):
    """What the run is pinned to, from its first activity on."""

    plan: Plan
    plan_hash: str
    """SHA-256 of the plan's own JSON: the key under which a process caches it."""
    inputs: dict[str, Any]
    limits: Limits
    search_attributes: tuple[str, ...] = ()
    """The ones that the server knows: upserting another would wedge the run."""
    heartbeat_timeout: float = 30.0
    """Seconds without a heartbeat after which a work node counts as dead."""


def visit_label(node: str | None, visit: int | None) -> str:
    """A visit as people see it, and the id of its activity: ``answer``, ``ask#2``; empty without a node."""
    return f"{node}#{visit}" if visit and visit > 1 else node or ""


class NodeCall(_Written):
    """Asks an activity to perform one visit of one node."""

    node: str
    """The node's path: ``answer``, later ``items[3].answer``."""
    visit: int = 1
    type: str
    config: Any
    """As the author wrote it; templates are rendered by the activity, over ``values``."""
    values: dict[str, Any] = {}
    """Just what the config refers to, as a tree: ``{"nodes": {"search": {"documents": […]}}}``."""
    retry: Retry = Retry()
    first_run_id: str = ""
    """With node and visit, the idempotency key of a side effect: the same on every attempt."""

    @property
    def idempotency_key(self) -> str:
        """The key a side effect carries, the same on every attempt of this visit."""
        return f"{self.first_run_id}/{self.node}#{self.visit}"


class Usage(_Written):
    """What model calls took. Token counts; ``cost_usd`` in US dollars, none while no price is known."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None

    def plus(self, other: "Usage") -> "Usage":
        """The sum; a cost that is known on one side only is kept."""
        costs = [cost for cost in (self.cost_usd, other.cost_usd) if cost is not None]
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=sum(costs) if costs else None,
        )


class NodeOutput(_Written):
    """What a node's activity returns. ``output`` becomes ``nodes.<id>``."""

    output: dict[str, Any]
    usage: Usage | None = None


class RenderCall(_Written):
    """Asks the render activity for ``value`` with its templates filled in from ``values``."""

    value: Any
    values: dict[str, Any] = {}


class ErrorInfo(_Written):
    """Why a run, or a node, failed. ``code`` is stable; ``message`` is for people."""

    code: str
    message: str
    node: str | None = None
    visit: int | None = None
    details: dict[str, Any] = {}


class RunResult(_Written):
    """How a run ended, or stands."""

    status: RunStatus
    outputs: dict[str, Any] = {}
    path: tuple[str, ...] = ()
    """Finished visits in the order they ended: ``answer``, ``ask#2``; the last 1,000."""
    path_omitted: int = 0
    usage: Usage = Usage()
    cost_usd: float | None = None
    error: ErrorInfo | None = None


class Event(_Written):
    """One step of a run. ``seq`` counts from 1 without gaps; ``at`` is ISO 8601 in UTC."""

    seq: int
    type: EventType
    at: str
    node: str | None = None
    visit: int | None = None
    data: dict[str, Any] = {}


class ProgressRequest(_Sent):
    """Asks for events with ``seq`` above ``after``, at most ``limit``."""

    after: int = Field(default=0, ge=0)
    limit: int = Field(default=200, ge=1, le=1000)


class Awaiting(_Written):
    """A question that waits for an answer. ``answer_schema`` is JSON Schema."""

    node: str
    visit: int
    kind: Literal["input"] = "input"
    question: str
    answer_schema: dict[str, Any] | None = None
    since: str


class ProgressPage(_Written):
    """Events of a run. ``cursor`` is the ``after`` for the next page; ``oldest`` the first ``seq`` still kept."""

    status: RunStatus
    events: tuple[Event, ...]
    cursor: int
    oldest: int
    awaiting: tuple[Awaiting, ...] = ()


class Message(_Sent):
    """An answer from a person or a system: ``text``, ``values``, or both.

    ``message_id`` makes it count once; ``node`` says which question it answers (else the oldest waiting one).
    """

    text: str | None = Field(default=None, max_length=100_000)
    values: Any = None
    message_id: str | None = Field(default=None, min_length=1, max_length=200)
    node: str | None = Field(default=None, max_length=200)


class SubmitReply(_Written):
    """What became of a submitted answer: the visit it was applied to, and what is awaited now."""

    node: str
    visit: int
    awaiting: tuple[Awaiting, ...] = ()


class NodeState(_Written):
    """Where a node stands."""

    status: str
    visits: int = 0
    output: Any = None


class RunState(_Written):
    """Answer of the ``state`` query."""

    status: RunStatus
    definition: str
    inputs: dict[str, Any] = {}
    nodes: dict[NodeId, NodeState] = {}
    state: dict[str, Any] = {}
    omitted: tuple[str, ...] = ()
    """What had no room in the reply: ``inputs``, ``state``, ``nodes.<id>``."""
    result: RunResult
