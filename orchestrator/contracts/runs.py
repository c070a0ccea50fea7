"""What a run says of itself."""

from typing import Any, Literal

from pydantic import Field

from orchestrator.contracts.base import Written
from orchestrator.contracts.names import EventType, RunStatus
from orchestrator.errors import OrchestratorError
from orchestrator.graph.plan import NodeId

__all__ = [
    "AttemptUsage",
    "Awaiting",
    "ChildRun",
    "ErrorInfo",
    "Event",
    "Lineage",
    "MigrateReply",
    "NodeState",
    "Parked",
    "ProgressPage",
    "ResolveReply",
    "RunResult",
    "RunState",
    "SubmitReply",
    "Usage",
]


class Usage(Written):
    """What model calls took. Token counts; ``cost_usd`` in US dollars, none while no price is known.

    ``simulated``: how many of the calls asked no model, and cost nothing. ``unpriced``: how many cost something that
    is not known, and not in ``cost_usd``.
    """

    calls: int = 0
    simulated: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None

    def plus(self, other: "Usage") -> "Usage":
        """The sum; a cost that is known on one side only is kept."""
        costs = [cost for cost in (self.cost_usd, other.cost_usd) if cost is not None]
        return Usage(
            calls=self.calls + other.calls,
            simulated=self.simulated + other.simulated,
            unpriced=self.unpriced + other.unpriced,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            # Costs are whole nano-dollars, and so is their sum.
            cost_usd=round(sum(costs), 9) if costs else None,
        )


class AttemptUsage(Usage):
    """What one attempt of a visit took.

    ``attempt`` counts what Temporal tries by itself, ``try_number`` what somebody asked for (``resolve``); both from 1.
    ``failed`` says that it did not end well; what it took counts all the same.
    """

    node: str
    visit: int = 1
    try_number: int = 1
    attempt: int = 1
    failed: bool = False


class ErrorInfo(Written):
    """Why a run, or a node, failed. ``code`` is stable; ``message`` is for people."""

    code: str
    message: str
    node: str | None = None
    visit: int | None = None
    details: dict[str, Any] = Field(default={})

    @classmethod
    def of(cls, error: OrchestratorError, node: str | None = None, visit: int | None = None) -> "ErrorInfo":
        """What an error of ours says, at a node where it has one."""
        return cls(code=error.code, message=error.message, node=node, visit=visit, details=error.details)


class Lineage(Written):
    """Where a forked run comes from: the run, and the first visit that was not taken over from it."""

    run: str
    at: str
    taken: int = 0
    """How many finished visits were taken over."""


class RunResult(Written):
    """How a run ended, or stands."""

    status: RunStatus
    outputs: dict[str, Any] = Field(default={})
    path: tuple[str, ...] = ()
    """Finished visits in the order they ended: ``answer``, ``ask#2``, ``items[3].answer``; the last 1,000."""
    path_omitted: int = 0
    usage: Usage = Usage()
    """All attempts of all visits, and the child runs: those that failed too, but not what was cancelled under way."""
    cost_usd: float | None = None
    usage_by_node: dict[str, Usage] = Field(default={})
    """By the id of the node, its visits and the items of a ForEach together."""
    attempts: tuple[AttemptUsage, ...] = ()
    """The last 100 of them that could cost something, in the order they became known."""
    attempts_omitted: int = 0
    error: ErrorInfo | None = None
    undone: tuple[str, ...] = ()
    """Visits that were compensated, in that order; the last 1,000."""
    aside: tuple[ErrorInfo, ...] = ()
    """What failed while the run was undoing and cleaning up: recorded, and passed over; the last 100."""
    forked_from: Lineage | None = None


class Event(Written):
    """One step of a run. ``seq`` counts from 1 without gaps; ``at`` is ISO 8601 in UTC."""

    seq: int
    type: EventType
    at: str
    node: str | None = None
    visit: int | None = None
    data: dict[str, Any] = Field(default={})


class Awaiting(Written):
    """A question that waits for an answer. ``answer_schema`` is JSON Schema; times are ISO 8601 in UTC."""

    node: str
    """The node's path: ``ask``, ``items[3].ask``."""
    visit: int
    kind: Literal["input", "approval"] = "input"
    question: str
    answer_schema: dict[str, Any] | None = None
    since: str
    proposal: Any = None
    """What an approval is about."""
    decisions: tuple[str, ...] = ()
    """What an approval can be answered with."""
    assignees: tuple[str, ...] = ()
    """Who may answer; nobody named means everybody."""
    expires: str | None = None
    reminded: int = 0
    deferred_until: str | None = None


class Parked(Written):
    """A node that failed for good and waits for somebody to ``resolve`` it."""

    node: str
    visit: int
    tries: int = 1
    """How often it was tried: raised by each ``retry``."""
    error: ErrorInfo
    since: str


class ChildRun(Written):
    """A run started by a Subworkflow of ``mode: child``. ``parked`` are its own parked nodes.

    It is also what a child tells its parent: ``node`` is then the label of the visit, and ``result`` there at its end.
    """

    node: str
    visit: int
    run: str
    status: str = "running"
    parked: tuple[Parked, ...] = ()
    result: RunResult | None = None


class ProgressPage(Written):
    """Events of a run. ``cursor`` is the ``after`` for the next page; ``oldest`` the first ``seq`` still kept."""

    status: RunStatus
    events: tuple[Event, ...]
    cursor: int
    oldest: int
    awaiting: tuple[Awaiting, ...] = ()
    parked: tuple[Parked, ...] = ()
    children: tuple[ChildRun, ...] = ()


class SubmitReply(Written):
    """What became of a submitted answer: the visit it was applied to, and what is awaited now."""

    node: str
    visit: int
    awaiting: tuple[Awaiting, ...] = ()


class ResolveReply(Written):
    """What was resolved, as visits, and what is parked now."""

    resolved: tuple[str, ...]
    parked: tuple[Parked, ...] = ()


class MigrateReply(Written):
    """The definition that the run goes on with, as ``name@version``."""

    definition: str


class NodeState(Written):
    """Where a node stands."""

    status: str
    visits: int = 0
    output: Any = None


class RunState(Written):
    """Answer of the ``state`` query."""

    status: RunStatus
    definition: str
    inputs: dict[str, Any] = Field(default={})
    nodes: dict[NodeId, NodeState] = Field(default={})
    state: dict[str, Any] = Field(default={})
    omitted: tuple[str, ...] = ()
    """What had no room in the reply: ``inputs``, ``state``, ``nodes.<id>``."""
    parked: tuple[Parked, ...] = ()
    children: tuple[ChildRun, ...] = ()
    continued: int = 0
    """How often the run went on in a new workflow run (continue-as-new)."""
    result: RunResult
