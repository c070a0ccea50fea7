"""The Plan: a checked definition in the form the interpreter runs. It is pinned in the history of each run.

A field may be added with a default; none may change its meaning, since old runs carry old plans.
"""

from typing import Any, Literal, NewType

from pydantic import BaseModel, ConfigDict

__all__ = [
    "Channel",
    "EdgeKind",
    "Expression",
    "Limits",
    "NodeId",
    "Path",
    "Plan",
    "PlanEdge",
    "PlanLoop",
    "PlanNode",
    "Reducer",
    "Retry",
    "Role",
    "Template",
    "Tier",
]

NodeId = NewType("NodeId", str)
Path = tuple[str | int, ...]
"""A place in the run's data, as segments: ``("nodes", "search", "documents", 0)``."""

Tier = Literal["control", "quick", "work"]
Reducer = Literal["replace", "append", "merge", "add", "max", "min", "union"]
Role = Literal["main", "finally", "compensate"]
"""Part of the graph, or run aside: at the end of it, or to undo another node."""
EdgeKind = Literal["normal", "error", "expiry", "reject"]
"""Which end of a visit opens a way: it finished well, it failed for good, nobody answered in time, somebody said no."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Expression(_Frozen):
    """A CEL expression: its ``text`` for people, its ``ast`` (nested JSON lists) for the evaluator."""

    text: str
    ast: Any


class Template(_Frozen):
    """A JSON value whose strings may hold ``{{ … }}``.

    ``reads`` are the paths it refers to (prefix-free: the parent where a parent and a child are both read).
    ``exact`` is true when each string in it is literal text or exactly one reference, so that no rendering is needed.
    """

    value: Any
    reads: tuple[Path, ...] = ()
    exact: bool = True


class Retry(_Frozen):
    """How often, and how long apart, a node is tried. Delays in seconds."""

    max_attempts: int = 4
    strategy: Literal["fixed", "linear", "exponential"] = "exponential"
    initial_delay: float = 1.0
    multiplier: float = 2.0
    max_delay: float = 30.0
    jitter: bool = True


class Limits(_Frozen):
    """What a run may use. ``timeout`` in seconds, none means no end; ``cost_usd`` none means no cap."""

    steps: int = 10_000
    timeout: float | None = None
    max_parallel: int = 100
    cost_usd: float | None = None


class PlanNode(_Frozen):
    """One node, ready to run. Durations in seconds."""

    id: NodeId
    type: str
    tier: Tier
    activity: str | None = None
    config: Template
    expressions: dict[str, Expression] = {}
    """Fields of the config that the workflow itself evaluates, such as the ``items`` of a ForEach."""
    body: str | None = None
    """Key in ``Plan.bodies`` of the root plan: what a ForEach runs for each item, and an inline Subworkflow once."""
    inputs: Template = Template(value={})
    """The inputs of the body, or of the child workflow; a ForEach has the roots ``item`` and ``index`` here too."""
    role: Role = "main"
    on_failure: Literal["park", "fail"] = "park"
    """What becomes of a visit that fails for good, where no way is open to it."""
    compensate: NodeId | None = None
    """The node that undoes this one."""
    join: Literal["all", "any"] = "all"
    cancel_others: bool = False
    exclusive: bool = False
    """Exactly one way out is taken: the first, in the order of ``Plan.edges``, whose condition holds."""
    timeout: float = 60.0
    total_timeout: float | None = None
    retry: Retry = Retry()
    write: dict[str, Template] = {}
    pays: bool = False
    """A visit costs money: its activity is told whose."""
    cache: float | None = None
    """Seconds for which its output may be kept for the same question."""
    keep_visits: bool = False
    """Somebody reads ``nodes.<id>.visits``."""


class PlanEdge(_Frozen):
    """A way from one node to another. ``max_visits`` marks a back edge."""

    source: NodeId
    target: NodeId
    when: Expression | None = None
    max_visits: int | None = None
    kind: EdgeKind = "normal"


class PlanLoop(_Frozen):
    """A loop: ``head`` runs again when one of ``back_edges`` (indexes into ``Plan.edges``) is taken.

    ``body`` are the nodes run again with it, the head among them.
    """

    head: NodeId
    back_edges: tuple[int, ...]
    body: tuple[NodeId, ...]


class Channel(_Frozen):
    """A slot of shared state. ``type`` is a JSON Schema type name."""

    type: str
    initial: Any = None
    reducer: Reducer = "replace"


class Plan(_Frozen):
    """A whole graph: ``nodes`` in topological order of the forward edges, ``edges`` in the author's order."""

    format: Literal[1] = 1
    name: str
    version: str
    description: str = ""
    access: str = "PRIVATE"
    hash: str
    """SHA-256 of the definition it was compiled from, in hexadecimal."""
    limits: Limits = Limits()
    nodes: tuple[PlanNode, ...]
    edges: tuple[PlanEdge, ...] = ()
    loops: tuple[PlanLoop, ...] = ()
    """Inner loops after the loops around them."""
    state: dict[str, Channel] = {}
    outputs: Template = Template(value={})
    output_schema: dict[str, Any] | None = None
    """JSON Schema of the outputs, where the definition types them."""
    inputs: dict[str, Any] = {}
    """Name of an input to its JSON Schema, with ``default`` and ``required: false`` as the author wrote them."""
    on_failure: Literal["park", "fail"] = "park"
    """What becomes of outputs that cannot be made."""
    closing: tuple[NodeId, ...] = ()
    """The ``finally`` nodes, in the order they run."""
    bodies: dict[str, "Plan"] = {}
    """On the root plan only: every body in it, however deep, by key."""
