"""Waits until every workflow of a case stands still, and says when something is due next.

The history is what tells: a workflow stands still when no task of it is open and each of its activities waits for its
next attempt.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from orchestrator.errors import OrchestratorError
from orchestrator.testkit.clock import Clock
from orchestrator.testkit.mocks import ActivityKey, Mocks

__all__ = ["Standstill", "StuckError", "look", "no_task_open", "stand_still"]

_PATIENCE_S = 20.0
_LOOK_S = 0.002

_T = EventType
_CLOSED = frozenset(
    {
        _T.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        _T.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        _T.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        _T.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        _T.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    }
)
_TIMER_ENDS: Mapping[int, str] = {
    _T.EVENT_TYPE_TIMER_FIRED: "timer_fired_event_attributes",
    _T.EVENT_TYPE_TIMER_CANCELED: "timer_canceled_event_attributes",
}
_ACTIVITY_ENDS: Mapping[int, str] = {
    _T.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    _T.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    _T.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    _T.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}
_HARMLESS = frozenset(
    {
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
    }
)
"""Reasons for which the server itself has a workflow task done again."""


class StuckError(OrchestratorError):
    """A run cannot go on, and nothing that it waits for explains it."""

    code = "CASE_STUCK"


@dataclass(slots=True)
class Standstill:
    """What is due next, if anything is; and whether the root run is over."""

    over: bool = False
    due: list[datetime] = field(default_factory=list[datetime])

    @property
    def next(self) -> datetime | None:
        """When something happens by itself."""
        return min(self.due, default=None)


@dataclass(slots=True)
class _Story:
    """One workflow's history, as far as it matters here."""

    closed: bool = False
    gone_on: bool = False
    task_open: bool = False
    starting: int = 0
    children: set[str] = field(default_factory=set[str])
    timers: dict[str, datetime] = field(default_factory=dict[str, datetime])
    activities: dict[int, str] = field(default_factory=dict[int, str])
    failure: str | None = None

    def take(self, event: HistoryEvent) -> None:
        kind = event.event_type
        match kind:
            case _T.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED | _T.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                self.task_open = True
            case _T.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                self.task_open = False
            case _T.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                self.task_open = True
                about = event.workflow_task_failed_event_attributes
                self.failure = None if about.cause in _HARMLESS else about.failure.message
            case _T.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
                self.task_open = True
            case _T.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                self.gone_on = True
            case _ if kind in _CLOSED:
                self.closed = True
            case _:
                self._take_part(event)

    def _take_part(self, event: HistoryEvent) -> None:
        kind = event.event_type
        if kind == _T.EVENT_TYPE_TIMER_STARTED:
            timer = event.timer_started_event_attributes
            self.timers[timer.timer_id] = _time(event.event_time) + timer.start_to_fire_timeout.ToTimedelta()
        elif kind in _TIMER_ENDS:
            self.timers.pop(getattr(event, _TIMER_ENDS[kind]).timer_id, None)
        elif kind == _T.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            self.activities[event.event_id] = event.activity_task_scheduled_event_attributes.activity_id
        elif kind in _ACTIVITY_ENDS:
            self.activities.pop(getattr(event, _ACTIVITY_ENDS[kind]).scheduled_event_id, None)
        elif kind == _T.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
            self.starting += 1
        elif kind == _T.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
            self.starting -= 1
            self.children.add(event.child_workflow_execution_started_event_attributes.workflow_execution.workflow_id)
        elif kind == _T.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
            self.starting -= 1


async def stand_still(clock: Clock, mocks: Mocks, root: str) -> None:
    """Wait until nothing of the case goes on by itself before virtual time passes.

    Args:
        clock: The clock, and its server.
        mocks: Knows the workflows of the case, and which activities wait for their next attempt.
        root: Id of the root run.

    Raises:
        StuckError: A workflow task fails again and again, or it takes too long.
    """
    end = time.monotonic() + _PATIENCE_S
    while await look(clock, mocks, root) is None:
        if time.monotonic() > end:
            raise StuckError(f"after {_PATIENCE_S:.0f} s of real time it still goes on")
        await asyncio.sleep(_LOOK_S)


async def look(clock: Clock, mocks: Mocks, root: str) -> Standstill | None:
    """How the case stands still; none while it goes on.

    Raises:
        StuckError: A workflow task fails again and again.
    """
    stories = await _stories(clock.client, {root, *mocks.workflows})
    now = await clock.now()
    found = Standstill(over=stories[root].closed)
    if all(_still(name, story, mocks, now, found) for name, story in stories.items()):
        return found
    for story in stories.values():
        if story.failure is not None:
            raise StuckError(f"a worker cannot go on with the run: {story.failure}")
    return None


async def no_task_open(clock: Clock, mocks: Mocks, leaving: set[ActivityKey]) -> None:
    """Wait until no workflow of the case has anything to do for a worker but activities.

    Args:
        clock: The clock, and its server.
        mocks: Knows the workflows of the case.
        leaving: Activities that are over; those that the server has heard of are taken out.

    Raises:
        StuckError: It takes too long.
    """
    end = time.monotonic() + _PATIENCE_S
    while True:
        stories = await _stories(clock.client, mocks.workflows)
        leaving &= {(name, activity) for name, story in stories.items() for activity in story.activities.values()}
        if not leaving and not any(story.task_open and not story.closed for story in stories.values()):
            return
        if time.monotonic() > end:
            raise StuckError(f"a workflow task has been open for {_PATIENCE_S:.0f} s")
        await asyncio.sleep(_LOOK_S)


async def _stories(client: Client, workflows: Iterable[str]) -> dict[str, _Story]:
    """The histories of ``workflows``, and of those that they have started, whom no worker may have seen yet."""
    found: dict[str, _Story] = {}
    waiting = list(workflows)
    for name in waiting:
        if name not in found:
            found[name] = await _story(client, name)
            waiting.extend(found[name].children)
    return found


async def _story(client: Client, workflow: str) -> _Story:
    story = _Story()
    async for event in client.get_workflow_handle(workflow).fetch_history_events():
        story.take(event)
    return story


def _still(name: str, story: _Story, mocks: Mocks, now: datetime, found: Standstill) -> bool:
    """Whether a workflow stands still; if so, what is due in it is added to ``found``."""
    if story.closed:
        return True
    if story.gone_on or story.task_open or story.starting:
        return False
    due = list(story.timers.values())
    for activity in story.activities.values():
        next_attempt = mocks.resting.get((name, activity))
        if next_attempt is None:
            return False
        due.append(next_attempt)
    found.due.extend(due)
    return min(due, default=now + timedelta.resolution) > now


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
