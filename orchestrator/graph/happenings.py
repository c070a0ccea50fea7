"""What can happen in a run, as far as it decides where the run stands: what a trace is made of.

Paths end with the scope: ``""``, ``items[3].``. Values are JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.graph.plan import EdgeKind

__all__ = [
    "Answered",
    "Assigned",
    "BodyClosed",
    "BodyEntered",
    "BodyFailed",
    "Happening",
    "InputsChanged",
    "ItemsKnown",
    "Undone",
    "VisitCancelled",
    "VisitEnded",
    "VisitFailed",
    "VisitSkipped",
]


@dataclass(frozen=True, slots=True)
class VisitEnded:
    """A visit ended; ``kind`` says which of its ways were open. ``at`` is in seconds since 1970."""

    scope: str
    node: str
    visit: int
    kind: EdgeKind
    output: Mapping[str, Any]
    writes: Mapping[str, Any]
    at: float = 0.0
    took: tuple[int, ...] = ()
    """The ways out that were taken, as numbers in the edges of its plan."""


@dataclass(frozen=True, slots=True)
class VisitFailed:
    """A visit failed for good, whatever became of that."""

    scope: str
    node: str
    visit: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class VisitSkipped:
    """Somebody gave a visit up."""

    scope: str
    node: str
    visit: int


@dataclass(frozen=True, slots=True)
class VisitCancelled:
    """A visit under way was cancelled, because another way came first; it counts as one."""

    scope: str
    node: str
    visit: int


@dataclass(frozen=True, slots=True)
class ItemsKnown:
    """A ForEach knows its items."""

    scope: str
    node: str
    visit: int
    items: list[Any]


@dataclass(frozen=True, slots=True)
class BodyEntered:
    """A body begins."""

    scope: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BodyClosed:
    """A body ended well; without outputs it was given up."""

    scope: str
    outputs: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class BodyFailed:
    """A body failed, and its error was collected."""

    scope: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class InputsChanged:
    """Somebody changed a scope's inputs; these are the new ones."""

    scope: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Assigned:
    """Somebody put values into channels of the root's shared state."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """A message became the answer of a visit, ``at`` seconds since 1970."""

    path: str
    visit: int
    message: Mapping[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Undone:
    """A visit was undone; ``label`` as in ``items[3].book#2``."""

    label: str


Happening = (
    VisitEnded
    | VisitFailed
    | VisitSkipped
    | VisitCancelled
    | ItemsKnown
    | BodyEntered
    | BodyClosed
    | BodyFailed
    | InputsChanged
    | Assigned
    | Answered
    | Undone
)
