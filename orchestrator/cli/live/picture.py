"""What the view shows of a run at a moment, worked out from its events and from what it says of itself."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from orchestrator.cli.live.outline import Row, outline, row_key
from orchestrator.contracts import Awaiting, ChildRun, Event, Parked, ProgressPage, RunState, Usage, visit_label
from orchestrator.statuses import ENDED

__all__ = ["Picture", "PlaceStatus", "RowView", "Trouble"]

PlaceStatus = Literal[
    "pending", "running", "waiting", "parked", "failed", "completed", "skipped", "cancelled", "undone"
]

_AFTER: Mapping[str, PlaceStatus] = {
    "STARTED": "running",
    "AWAITING_INPUT": "waiting",
    "COMPLETED": "completed",
    "ERROR": "failed",
    "PARKED": "parked",
    "SKIPPED": "skipped",
    "CANCELLED": "cancelled",
    "COMPENSATED": "undone",
}
"""How a place stands after an event there; one that is not here changes nothing."""
_OF_STATE: Mapping[str, PlaceStatus] = {
    "running": "running",
    "completed": "completed",
    "skipped": "skipped",
    "cancelled": "cancelled",
}
_UNDER_WAY: frozenset[PlaceStatus] = frozenset({"running", "waiting", "parked"})
_URGENCY: tuple[PlaceStatus, ...] = (
    *("parked", "waiting", "running", "failed", "cancelled", "completed", "undone", "skipped", "pending"),
)
"""Of the places in one row, the first of these is what the row shows."""
_KEPT_EVENTS = 500


@dataclass(slots=True)
class _Place:
    """A node in one item, or outside of any: its present visit."""

    status: PlaceStatus = "pending"
    visits: int = 0
    since: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RowView:
    """The cells of a row. ``counts``: places by status, where there are several; ``seconds``: of the last visit."""

    status: PlaceStatus
    visits: int = 0
    seconds: float | None = None
    counts: Mapping[PlaceStatus, int] = field(default_factory=dict[PlaceStatus, int])


@dataclass(frozen=True, slots=True)
class Trouble:
    """A parked node, and the run in which it is resolved."""

    run: str
    parked: Parked


class Picture:
    """A run as its events tell it. Pages have to be applied in order; nothing here asks anybody.

    Args:
        run_id: The run.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.status = "running"
        self.definition = ""
        self.rows: list[Row] = []
        self._keys: set[str] = set()
        self.cursor = 0
        self.began: str | None = None
        self.ended: str | None = None
        self.usage = Usage()
        self.awaiting: tuple[Awaiting, ...] = ()
        self.troubles: tuple[Trouble, ...] = ()
        self.events: deque[Event] = deque(maxlen=_KEPT_EVENTS)
        self._places: dict[str, dict[str, _Place]] = {}

    def about(self, definition: Mapping[str, Any]) -> None:
        """Take over the graph, which another one may have replaced."""
        self.rows = outline(definition)
        self._keys = {row.key for row in self.rows}

    def state(self, state: RunState) -> None:
        """Take over what the run says of itself, for what its events do not tell: those that it no longer keeps."""
        self.status, self.definition, self.usage = state.status, state.definition, state.result.usage
        for path, node in state.nodes.items():
            known = self._place(path)
            known.visits = max(known.visits, node.visits)
            if known.since is None and known.status == "pending":
                known.status = _OF_STATE.get(node.status, "pending")
        self._troubles(state.parked, state.children)

    def apply(self, page: ProgressPage) -> set[str]:
        """Take over what is new. Returns the keys of the rows that look different now."""
        changed: set[str] = set()
        for event in page.events:
            self.events.append(event)
            self.began = self.began or event.at
            if event.node is not None and not event.type.startswith("RUN_"):
                changed |= self._happened(event)
        if page.status in ENDED and self.ended is None and page.events:
            self.ended = page.events[-1].at
        self.status, self.cursor, self.awaiting = page.status, page.cursor, page.awaiting
        self._troubles(page.parked, page.children)
        return changed

    def _troubles(self, parked: tuple[Parked, ...], children: tuple[ChildRun, ...]) -> None:
        own = (Trouble(self.run_id, item) for item in parked)
        self.troubles = (*own, *(Trouble(child.run, item) for child in children for item in child.parked))

    def _happened(self, event: Event) -> set[str]:
        path = event.node or ""
        place = self._place(path)
        place.visits = max(place.visits, event.visit or 1)
        status = _AFTER.get(event.type)
        if event.type == "RESOLVED" and event.data.get("action") == "retry":
            status = "running"
        if status is None:
            return set()
        if event.type == "STARTED":
            place.since, place.seconds = event.at, None
        elif status not in _UNDER_WAY and place.since is not None and place.status in _UNDER_WAY:
            place.seconds = _between(place.since, event.at)
        place.status = status
        return {row_key(path)}

    def _place(self, path: str) -> _Place:
        return self._places.setdefault(row_key(path), {}).setdefault(path, _Place())

    def view(self, key: str, now: datetime) -> RowView:
        """How a row looks; ``now`` counts for what is under way."""
        places = list(self._places.get(key, {}).values())
        if not places:
            return RowView("pending")
        counts: Counter[PlaceStatus] = Counter(place.status for place in places)
        status: PlaceStatus = next(status for status in _URGENCY if counts[status])
        visits = sum(place.visits for place in places)
        if len(places) > 1:
            return RowView(status, visits, None, dict(counts))
        return RowView(status, visits, self._seconds(places[0], now))

    def _seconds(self, place: _Place, now: datetime) -> float | None:
        if place.since is None or place.status not in _UNDER_WAY:
            return place.seconds
        return _between(place.since, self.ended or now.isoformat())

    def done(self) -> int:
        """How many nodes have finished, each in every place where it was."""
        return sum(
            all(place.status in {"completed", "undone"} for place in places.values())
            for key, places in self._places.items()
            if key in self._keys
        )

    def under_way(self) -> set[str]:
        """The keys of the rows in which something runs or waits."""
        return {
            key for key, places in self._places.items() if any(place.status in _UNDER_WAY for place in places.values())
        }

    def elapsed(self, now: datetime) -> float | None:
        """Seconds since the run began, or that it took; none before its first event."""
        return None if self.began is None else _between(self.began, self.ended or now.isoformat())

    def question(self, key: str | None = None, kind: str | None = None) -> Awaiting | None:
        """The question that waits in the row ``key``, else the oldest; of one kind, if that is said."""
        fitting = [item for item in self.awaiting if kind in (None, item.kind)]
        return next((item for item in fitting if row_key(item.node) == key), fitting[0] if fitting else None)

    def trouble(self, key: str | None = None) -> Trouble | None:
        """The parked node in the row ``key``, else the one that has been parked longest."""
        here = [item for item in self.troubles if item.run == self.run_id and row_key(item.parked.node) == key]
        return min(here or self.troubles, key=lambda item: item.parked.since, default=None)

    def waits(self) -> list[str]:
        """What the run waits for, a line each."""
        lines = [f"{visit_label(item.node, item.visit)} asks: {_line(item.question)}" for item in self.awaiting]
        for item in self.troubles:
            where = "" if item.run == self.run_id else f" in {item.run}"
            error = item.parked.error
            label = visit_label(item.parked.node, item.parked.visit)
            lines.append(f"{label}{where} failed: {error.code}: {_line(error.message)}")
        return lines


def _between(since: str, until: str) -> float:
    """Seconds from one ISO 8601 moment to another, and nothing where clocks differ."""
    return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())


def _line(text: str) -> str:
    return " ".join(text.split())
