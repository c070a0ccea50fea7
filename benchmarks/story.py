"""Waits for what a run's history tells, by long polls of the server, and reads how often activities were tried."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, RPCTimeoutOrCancelledError
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.errors import OrchestratorError, ServerUnavailableError, WorkerMissingError

__all__ = ["Attempts", "attempts", "persist", "shows", "standing", "story"]

Found = TypeVar("Found")
_BETWEEN_TRIES_S = 0.3
_LAST_EVENTS = 6
_PASSES = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNKNOWN,
    }
)


async def persist(call: Callable[[], Awaitable[Found]]) -> Found:
    """Call until somebody hears it: a worker or a server that was killed is on its way back."""
    while True:
        try:
            return await call()
        except RPCTimeoutOrCancelledError:
            # The SDK says this of an update that nobody took in time, and also when this task is being cancelled.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        except (OrchestratorError, RPCError) as error:
            if not _passes(error):
                raise
        await asyncio.sleep(_BETWEEN_TRIES_S)


def _passes(error: OrchestratorError | RPCError) -> bool:
    """Whether asking again can help. A connection that breaks within a call has a status of its own."""
    if isinstance(error, WorkerMissingError | ServerUnavailableError):
        return True
    cause = error if isinstance(error, RPCError) else error.__cause__
    return isinstance(cause, RPCError) and cause.status in _PASSES


async def story(client: Client, run: str, *, live: bool = False) -> AsyncGenerator[HistoryEvent]:
    """The events of a run, over continue-as-new; ``live`` waits for those to come, until it has ended."""
    description = await client.get_workflow_handle(run).describe()
    execution: str | None = description.raw_description.workflow_execution_info.first_run_id or description.run_id
    while execution is not None:
        handle: Any = client.get_workflow_handle(run, run_id=execution)
        execution = None
        async for event in handle.fetch_history_events(wait_new_event=live):
            yield event
            execution = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id or None


async def shows(client: Client, run: str, **attributes: str) -> None:
    """Wait until a run has said so in its search attributes. That takes neither a worker nor a poll.

    Raises:
        RuntimeError: It has ended without.
    """
    shown: dict[str, Any] = {}
    async with aclosing(story(client, run, live=True)) as events:
        async for event in events:
            upserted = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
            for name in attributes.keys() & upserted.keys():
                shown[name] = DataConverter.default.payload_converter.from_payload(upserted[name])
            if attributes.items() <= shown.items():
                return
    raise RuntimeError(f"the run ended without {attributes}; last it showed {shown}")


@dataclass
class Attempts:
    """How often an activity was tried, 0 where its end does not say; and whether one was given up for its silence.

    An activity that has finished is never tried again, so each further try had a reason.
    """

    count: int = 0
    silent: bool = False


async def attempts(client: Client, run: str) -> dict[str, Attempts]:
    """The attempts of each activity of a run and of its children, by visit."""
    found: dict[str, Attempts] = {}
    names: dict[int, str] = {}
    async with aclosing(story(client, run)) as events:
        async for event in events:
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                names.clear()
            elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                visit = event.activity_task_scheduled_event_attributes.activity_id.partition("~")[0]
                names[event.event_id] = visit
                found.setdefault(visit, Attempts())
            elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                started = event.activity_task_started_event_attributes
                mine = found[names[started.scheduled_event_id]]
                mine.count += started.attempt
                mine.silent |= started.last_failure.HasField("timeout_failure_info")
            elif event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                child = event.start_child_workflow_execution_initiated_event_attributes.workflow_id
                found |= await attempts(client, child)
    return found


async def standing(client: Client, run: str) -> str:
    """What a run that has not ended waits for, in a line: its last events, and what is under way."""
    description = (await client.get_workflow_handle(run).describe()).raw_description
    last: deque[str] = deque(maxlen=_LAST_EVENTS)
    async with aclosing(story(client, run)) as events:
        async for event in events:
            last.append(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_"))
    under_way = [f"{pending.activity_id}, attempt {pending.attempt}" for pending in description.pending_activities]
    task = description.pending_workflow_task
    if task.attempt:
        under_way.append(f"a workflow task, attempt {task.attempt}")
    return f"last events {', '.join(last)}; under way: {'; '.join(under_way) or 'nothing'}"
