"""What happened in a run, kept for the ``progress`` query."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from temporalio import workflow

from orchestrator.contracts import Event, EventType, Message, ProgressPage, ProgressRequest, RunStatus
from orchestrator.errors import OrchestratorError

__all__ = ["MOST_SHOWN", "Journal"]

_KEPT = 1000
_PATH_KEPT = 1000
_Noted = tuple[EventType, float, str | None, int | None, dict[str, Any] | None]
"""Type, time, node, visit and data of an event; its number follows from its place."""
MOST_SHOWN = 500
"""Characters of a message in an event: a page may hold a thousand of them."""


class Journal:
    """Events numbered from 1 without gaps, the newest 1,000 kept; and the path of finished visits, likewise."""

    def __init__(self) -> None:
        self._events: list[_Noted] = []
        self.seq = 0
        """The number of the newest event."""
        self._path: list[str] = []
        self.finished = 0
        """How many visits ended well."""

    @property
    def path_omitted(self) -> int:
        """How many finished visits are no longer in the path."""
        return self.finished - len(self._path)

    @property
    def path(self) -> tuple[str, ...]:
        """Finished visits in the order they ended."""
        return tuple(self._path)

    def add(self, kind: EventType, node: str | None = None, visit: int | None = None, **data: Any) -> None:
        """Note an event, at the workflow's own time."""
        self.seq += 1
        # Written out when somebody asks: most events are never asked for, and a tuple takes a third of a dict.
        self._events.append((kind, workflow.time(), node, visit, data or None))
        del self._events[:-_KEPT]

    def finish(self, label: str) -> None:
        """Note that a visit ended well."""
        self.finished += 1
        self._path.append(label)
        del self._path[:-_PATH_KEPT]

    def reject(self, message: Message | None, error: OrchestratorError) -> None:
        """Note that a message could not be used, and why."""
        about: dict[str, Any] = {} if message is None else {"message_id": message.message_id, "to": message.node}
        self.add("REJECTED", code=error.code, message=error.message[:MOST_SHOWN], **about)

    def dump(self) -> dict[str, Any]:
        """The journal as JSON."""
        return {"seq": self.seq, "finished": self.finished, "events": self._written(0), "path": list(self._path)}

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """Go on where ``dump`` left off; what has been noted since comes behind it."""
        since = self._events
        self.seq, self.finished = dumped["seq"] + len(since), dumped["finished"]
        before: list[dict[str, Any]] = dumped["events"]
        self._events = [
            (event["type"], event["at"], event["node"], event["visit"], event["data"] or None) for event in before
        ]
        self._events += since
        self._path.extend(dumped["path"])
        del self._events[:-_KEPT]

    def page(self, asked: ProgressRequest, status: RunStatus, **about: Any) -> ProgressPage:
        """The events after ``asked.after``, at most ``asked.limit``; ``about`` are further fields of the page."""
        oldest = self.seq - len(self._events) + 1
        skip = max(0, asked.after - oldest + 1)
        chosen = self._written(skip, skip + asked.limit)
        cursor = int(chosen[-1]["seq"]) if chosen else max(asked.after, oldest - 1)
        events = tuple(Event.model_validate(event | {"at": _moment(event["at"])}) for event in chosen)
        return ProgressPage(status=status, events=events, cursor=cursor, oldest=oldest, **about)

    def _written(self, first: int, end: int | None = None) -> list[dict[str, Any]]:
        """The events from ``first`` to before ``end`` among those kept, as JSON."""
        seq = self.seq - len(self._events) + first
        return [
            {"seq": seq + place, "type": kind, "at": at, "node": node, "visit": visit, "data": data or {}}
            for place, (kind, at, node, visit, data) in enumerate(self._events[first:end], start=1)
        ]


def _moment(time: float) -> str:
    return datetime.fromtimestamp(time, tz=UTC).isoformat()
