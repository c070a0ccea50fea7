"""Tells of the child runs of a run, from its history: also of those that have ended, and where no worker answers."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionStartedEventAttributes
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.contracts import WORKFLOW_TYPE
from orchestrator.errors import RunNotFoundError, ServerUnavailableError
from orchestrator.stopping import stop

__all__ = ["Child", "children", "first_run_id"]


@dataclass(frozen=True, slots=True)
class Child:
    """A child run. ``life`` is its first run id; ``visit`` waits for it: ``sub#2``; ``sub#2~2`` at its second try."""

    run: str
    life: str
    visit: str


async def first_run_id(client: Client, run_id: str) -> str:
    """The first run id of a run, under which its text is kept: the same after a reset and in a new workflow run.

    Raises:
        RunNotFoundError: There is no such run.
        ServerUnavailableError: The server does not answer.
    """
    try:
        return (await _started(client, run_id)).first_execution_run_id
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise ServerUnavailableError(f"the server does not say what run `{run_id}` is: {error.message}") from None
        raise RunNotFoundError(f"no run has the id `{run_id}`; `orchestrator list` shows the runs") from None


async def children(client: Client, run_id: str, *, until: asyncio.Event) -> AsyncGenerator[Child]:
    """The child runs that a run has started, and those that it starts, until it has ended.

    One may come more than once: a reset repeats what was before it.

    Args:
        client: The server.
        run_id: The run.
        until: Set when a run that goes on is not to be waited for any longer.

    Raises:
        RPCError: The server does not answer, or knows no such run.
    """
    lives = deque(await _lives(client, run_id))
    while lives:
        life, following = lives.popleft(), ""
        async for event in _events(client, run_id, life, until):
            if (child := await _child(client, run_id, event)) is not None:
                yield child
            following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        if not lives and (following or not until.is_set()):
            # A workflow run that was reset does not say which one came after it.
            latest = following or await _latest(client, run_id)
            lives.extend([latest] if latest != life else [])


async def _lives(client: Client, run_id: str) -> list[str]:
    """The ids of the workflow runs of which a run consists so far, the oldest first, as far as they are kept."""
    found: list[str] = []
    life = await _latest(client, run_id)
    while life:
        try:
            started = await _started(client, run_id, life)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or not found:
                raise
            break
        found.append(life)
        life = started.continued_execution_run_id
    return found[::-1]


async def _latest(client: Client, run_id: str) -> str:
    return (await client.get_workflow_handle(run_id).describe()).run_id


async def _started(client: Client, run_id: str, life: str | None = None) -> WorkflowExecutionStartedEventAttributes:
    events = client.get_workflow_handle(run_id, run_id=life).fetch_history_events(page_size=1)
    return (await anext(events)).workflow_execution_started_event_attributes


async def _events(client: Client, run_id: str, life: str, until: asyncio.Event) -> AsyncGenerator[HistoryEvent]:
    """What happens in a workflow run, to its end; after ``until``, only where it has ended."""
    handle = client.get_workflow_handle(run_id, run_id=life)
    events = handle.fetch_history_events(wait_new_event=True)
    over, ended = asyncio.ensure_future(until.wait()), False
    page: asyncio.Future[None] | None = None
    try:
        while events.current_page is None or events.next_page_token:
            page = asyncio.ensure_future(events.fetch_next_page())
            await asyncio.wait((page, over), return_when=asyncio.FIRST_COMPLETED)
            if not page.done():
                ended = ended or (await handle.describe()).close_time is not None
                if not ended:
                    return
            await page
            for event in events.current_page or ():
                yield event
    finally:
        await stop(over, page)


async def _child(client: Client, run_id: str, event: HistoryEvent) -> Child | None:
    """The child run that an event tells of."""
    if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
        begun = event.child_workflow_execution_started_event_attributes
        if begun.workflow_type.name != WORKFLOW_TYPE:
            return None
        child = begun.workflow_execution
        return Child(child.workflow_id, child.run_id, _visit(run_id, child.workflow_id))
    if event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
        # Of a run that was reset: the child that it had started before is there.
        known = event.start_child_workflow_execution_failed_event_attributes.workflow_id
        started = await _started(client, known)
        return Child(known, started.first_execution_run_id, _visit(run_id, known))
    return None


def _visit(run_id: str, child: str) -> str:
    """The visit in a child's id, which is ``RUN/VISIT/LIFE``; the whole of one that is not."""
    return child.removeprefix(f"{run_id}/").rpartition("/")[0] or child
