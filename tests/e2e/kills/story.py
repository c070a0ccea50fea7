"""A run's history as it grows, read from the server by long polls."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

__all__ = ["Tried", "cuts", "events_so_far", "name_of", "story", "tries", "until"]

_ENDS_OF_ACTIVITIES = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}
_NEVER_FIRST = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
    *_ENDS_OF_ACTIVITIES,
}
"""What the server writes only behind another event, in one transaction with it: nothing can die in between."""


@dataclass(frozen=True)
class Tried:
    """An activity, by its id without the number of a retry by hand.

    ``attempts`` is known once it has ended, unless it was cancelled between two of them: then it is 0. ``silent`` says
    that its last attempt but one, or its last, was given up because its worker said nothing any more.
    """

    name: str
    attempts: int = 0
    silent: bool = False
    ended: bool = False


async def story(client: Client, run: str, *, live: bool) -> AsyncGenerator[HistoryEvent]:
    """The events of a run, over continue-as-new; ``live`` waits for those to come, until it has ended."""
    execution: str | None = await _first(client, run)
    seen = 0
    while execution is not None:
        handle: Any = client.get_workflow_handle(run, run_id=execution)
        following: str | None = None
        try:
            async for event in handle.fetch_history_events(wait_new_event=live):
                if event.event_id > seen:
                    seen = event.event_id
                    yield event
                following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id or None
        except RPCError as error:
            # A server with much to do gives up a long poll: that says nothing of the run.
            if error.status != RPCStatusCode.DEADLINE_EXCEEDED:
                raise
            continue
        execution, seen = following, 0


async def until(client: Client, run: str, holds: Callable[[HistoryEvent], bool]) -> bool:
    """Wait until an event comes for which ``holds``. Returns false if the run has ended without."""
    events = story(client, run, live=True)
    try:
        async for event in events:
            if holds(event):
                return True
    finally:
        await events.aclose()
    return False


async def events_so_far(client: Client, run: str) -> list[HistoryEvent]:
    """Everything that is recorded now."""
    return [event async for event in story(client, run, live=False)]


async def tries(client: Client, run: str) -> list[Tried]:
    """Every activity that the run, or a child of it, has asked for."""
    found: dict[tuple[str, int], Tried] = {}
    of_children: list[Tried] = []
    execution = ""
    for event in await events_so_far(client, run):
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            execution = event.workflow_execution_started_event_attributes.original_execution_run_id
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = event.activity_task_scheduled_event_attributes.activity_id.partition("~")[0]
            found[execution, event.event_id] = Tried(name)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            key = execution, started.scheduled_event_id
            silent = started.last_failure.HasField("timeout_failure_info")
            found[key] = replace(found[key], attempts=started.attempt, silent=silent)
        elif attributes := _ENDS_OF_ACTIVITIES.get(event.event_type):
            key = execution, getattr(event, attributes).scheduled_event_id
            silent = event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT
            found[key] = replace(found[key], ended=True, silent=found[key].silent or silent)
        elif event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
            child = event.start_child_workflow_execution_initiated_event_attributes.workflow_id
            of_children += await _of_child(client, child)
    return [*found.values(), *of_children]


def cuts(events: list[HistoryEvent]) -> list[int]:
    """Every length that a history was seen to have: what is recorded together can not be torn apart."""
    return [number for number, event in enumerate(events) if number and not _belongs_to_the_one_before(event)]


def name_of(event: HistoryEvent) -> str:
    """Its type as people know it."""
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")


def _belongs_to_the_one_before(event: HistoryEvent) -> bool:
    kind = event.WhichOneof("attributes")
    attributes = getattr(event, kind) if kind else None
    commanded = getattr(attributes, "workflow_task_completed_event_id", 0)
    return bool(commanded) or event.event_type in _NEVER_FIRST


async def _of_child(client: Client, child: str) -> list[Tried]:
    try:
        return await tries(client, child)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:  # asked for, not there yet
            return []
        raise


async def _first(client: Client, run: str) -> str:
    description = await client.get_workflow_handle(run).describe()
    return description.raw_description.workflow_execution_info.first_run_id or description.run_id
