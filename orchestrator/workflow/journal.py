"""What happened in a run, kept for the ``progress`` query."""

from collections import deque
from typing import Any

from temporalio import workflow

from orchestrator.contracts import Awaiting, Event, EventType, Message, ProgressPage, ProgressRequest, RunStatus
from orchestrator.errors import OrchestratorError

__all__ = ["Journal"]

_KEPT = 1000
_PATH_KEPT = 1000


class Journal:
    """Events numbered from 1 without gaps, the newest 1,000 kept; and the path of finished visits, likewise."""

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._seq = 0
        self._path: deque[str] = deque(maxlen=_PATH_KEPT)
        self.path_omitted = 0

    @property
    def path(self) -> tuple[str, ...]:
        """Finished visits in the order they ended."""
        return tuple(self._path)

    def add(self, kind: EventType, node: str | None = None, visit: int | None = None, **data: Any) -> None:
        """Note an event, at the workflow's own time."""
        self._seq += 1
        at = workflow.now().isoformat()
        self._events.append({"seq": self._seq, "type": kind, "at": at, "node": node, "visit": visit, "data": data})

    def finished(self, label: str) -> None:
        """Note that a visit ended well."""
        if len(self._path) == _PATH_KEPT:
            self.path_omitted += 1
        self._path.append(label)

    def reject(self, message: Message | None, error: OrchestratorError) -> None:
        """Note that a message could not be used, and why."""
        about: dict[str, Any] = {} if message is None else {"message_id": message.message_id, "to": message.node}
        self.add("REJECTED", code=error.code, message=error.message, **about)

    def page(self, asked: ProgressRequest, status: RunStatus, awaiting: tuple[Awaiting, ...]) -> ProgressPage:
        """The events after ``asked.after``, at most ``asked.limit``."""
        oldest = self._seq - len(self._events) + 1
        skip = max(0, asked.after - oldest + 1)
        chosen = list(self._events)[skip : skip + asked.limit]
        cursor = int(chosen[-1]["seq"]) if chosen else max(asked.after, oldest - 1)
        events = tuple(Event(**event) for event in chosen)
        return ProgressPage(status=status, events=events, cursor=cursor, oldest=oldest, awaiting=awaiting)
