"""What the workflow and its activities say to each other."""

from typing import Any

from pydantic import Field

from orchestrator.contracts.base import Written
from orchestrator.contracts.runs import AttemptUsage, Lineage, Usage
from orchestrator.graph.plan import Limits, Plan, Retry

__all__ = [
    "Account",
    "Carry",
    "Continuation",
    "JoinPagesCall",
    "LoadPageCall",
    "LookAtRunCall",
    "NodeCall",
    "NodeOutput",
    "RenderCall",
    "Resolved",
    "Rollover",
    "RunCap",
    "StorePageCall",
    "Taken",
]


class Rollover(Written):
    """When a run goes on in a new workflow run (continue-as-new)."""

    events: int = 4_000
    """Events of history from which on it does so at the next safe point."""
    most_events: int = 20_000
    """Events from which on nothing new is started until it has."""
    drain_s: float = 60.0
    """Seconds it waits for what is under way before it goes on as it was, for a while."""


class StorePageCall(Written):
    """Asks for a part of a run's state to be kept in blob storage. ``text`` is ASCII."""

    text: str


class LoadPageCall(Written):
    """Asks for a part of a run's state back."""

    key: str


class JoinPagesCall(Written):
    """Asks for a packed value, kept in pages, to be kept as one value in blob storage. ``what`` it is, for errors."""

    keys: tuple[str, ...]
    what: str


class Carry(Written):
    """A run's state between two workflow runs: JSON, compressed, as base64.

    In ``text``; or, where that is too large, in blob storage, in ``pages`` to be put together.
    """

    text: str = ""
    pages: tuple[str, ...] = ()


class Resolved(Written):
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
    rollover: Rollover = Rollover()
    start: Carry | None = None
    """Where a forked or migrated run begins; none begins at the beginning."""
    lineage: Lineage | None = None


class Continuation(Written):
    """What a run hands to itself when it goes on in a new workflow run; told apart from a ``RunRequest`` by its field.

    ``definition`` (``name@version``) and ``continued`` (how often this has happened) are for people who look at it.
    """

    continues: Carry
    definition: str = ""
    continued: int = 0


class LookAtRunCall(Written):
    """Asks how another run has ended, if it has."""

    run: str


class RunCap(Written):
    """What a run, by its first run id, may spend with the child runs it starts, in dollars; none: it has no cap."""

    run: str
    cap_usd: float | None = None


class Account(Written):
    """Whose money a visit spends. Labels are of the run's context."""

    purse: str
    """The first run id of the run, or of the one that started it and all others."""
    run_id: str
    try_: int = Field(default=1, alias="try")
    cap_usd: float | None = None
    """What may be spent from the purse, in dollars."""
    inner: tuple[RunCap, ...] = ()
    """The child runs that the visit is in, and what these may spend by themselves."""
    definition: str = ""
    tenant: str | None = None
    user: str | None = None
    conversation: str | None = None


class NodeCall(Written):
    """Asks an activity to perform one visit of one node."""

    node: str
    """The node's path: ``answer``, ``items[3].answer``."""
    visit: int = 1
    type: str
    config: Any
    """As the author wrote it; templates are rendered by the activity, over ``values``."""
    values: dict[str, Any] = Field(default={})
    """Just what the config refers to, as a tree: ``{"nodes": {"search": {"documents": […]}}}``."""
    retry: Retry = Retry()
    first_run_id: str = ""
    """With node and visit, the idempotency key of a side effect: the same on every attempt."""

    account: Account | None = None
    """Of a node that costs money."""
    cache: float | None = None
    """Seconds for which its output may be kept for the same question."""

    @property
    def idempotency_key(self) -> str:
        """The key a side effect carries, the same on every attempt of this visit."""
        return f"{self.first_run_id}/{self.node}#{self.visit}"


class Taken(Written):
    """What a visit has taken: an activity tells it with its output, or beside the details of its error."""

    usage: Usage | None = None
    """Of all attempts together."""
    attempts: tuple[AttemptUsage, ...] = ()
    over_soft: tuple[str, ...] = ()
    """Scopes whose budget is over its soft limit since."""


class NodeOutput(Taken):
    """What a node's activity returns. ``output`` becomes ``nodes.<id>``."""

    output: dict[str, Any]


class RenderCall(Written):
    """Asks the render activity for ``value`` with its templates filled in from ``values``.

    Or, with the tree of an ``expression``, for what that gives over ``values``, whole.
    """

    value: Any = None
    values: dict[str, Any] = Field(default={})
    expression: Any = None
