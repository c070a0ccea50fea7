"""Runs far too long for one workflow run: whether they come to their right end, and whether an item stays as cheap.

What an item takes is read from the histories of all the workflow runs that a run went on in, tenth by tenth.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle

from benchmarks.graphs import conversation, for_each, quick_loop, work_loop
from benchmarks.lab import Lab, WorkerProcess
from orchestrator.client import Orchestrator
from orchestrator.contracts import Message, RunResult

__all__ = ["LONG_RUNS", "PARTS", "Long", "LongRun", "Part", "definitions", "go_the_distance", "measure"]

PARTS = 10
_VISITS, _ITEMS, _CONCURRENCY, _MESSAGES = 10_000, 10_000, 50, 5_000
_KEPT_PATH = 1_000
_BETWEEN_LOOKS_S = 0.05


class Part(BaseModel):
    """What an item took in one tenth of a run, on average."""

    model_config = ConfigDict(frozen=True)

    events: float
    bytes: float
    ms: float
    cpu: float
    """Milliseconds of the worker's processor, user and system."""


class LongRun(BaseModel):
    """A long run that came to its right end."""

    model_config = ConfigDict(frozen=True)

    what: str
    items: int
    parts: tuple[Part, ...]
    workflow_runs: int
    largest_start: int
    """Bytes of the largest event that begins a workflow run: the state handed on is in it."""
    most_events: int
    """Events of the longest history among them."""
    seconds: float
    memory: tuple[int, int]
    """Bytes that the worker held before and after."""


@dataclass(frozen=True, slots=True)
class Long:
    """A long run, as it is asked for.

    Attributes:
        what: In words.
        items: How many.
        definition: Its graph.
        inputs: What it is given.
        ends_item: The kind of event with which an item ends, and for an activity its type.
        drive: What somebody does while it runs.
        expected: Its outputs, and its path.
    """

    what: str
    items: int
    definition: dict[str, Any]
    ends_item: tuple[Any, str | None]
    expected: Callable[[RunResult], bool]
    inputs: dict[str, Any] | None = None
    drive: Callable[[Orchestrator, str], Awaitable[None]] | None = None


def looped(tier: str, visits: int) -> Long:
    """A loop around one node, which counts its own visits."""
    quick = tier == "quick"
    path = tuple(f"count#{visit}" for visit in range(max(2, visits - _KEPT_PATH + 1), visits + 1))
    return Long(
        what=f"loop of {visits:,} visits of a {tier} node",
        items=visits,
        definition=(quick_loop if quick else work_loop)(f"loop-{tier}", visits),
        ends_item=(EventType.EVENT_TYPE_MARKER_RECORDED, None)
        if quick
        else (EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, "ModelInvoke"),
        expected=lambda result: result.outputs == {"n": visits} and result.path[-len(path) :] == path,
    )


def fanned(items: int, concurrency: int) -> Long:
    """A ForEach over a list of numbers, of which each item tells its own."""
    numbers = list(range(items, 2 * items))
    every = [{"item": number, "index": index, "end": "stop"} for index, number in enumerate(numbers)]
    return Long(
        what=f"ForEach of {items:,} items at concurrency {concurrency}",
        items=items,
        definition=for_each("each", items, concurrency),
        inputs={"items": numbers},
        ends_item=(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, "ModelInvoke"),
        expected=lambda result: result.outputs == {"all": every},
    )


def talked(messages: int) -> Long:
    """A conversation with one client, which sends each message once the one before has been taken."""

    async def drive(door: Orchestrator, run_id: str) -> None:
        async for page in door.watch(run_id):
            if page.awaiting:
                break
        for number in range(1, messages + 1):
            reply = await door.answer(run_id, Message(text=f"number {number}", message_id=f"m-{number}"))
            if reply.visit != number:
                raise RuntimeError(f"message {number} was taken for the answer to visit {reply.visit}")

    return Long(
        what=f"conversation of {messages:,} messages",
        items=messages,
        definition=conversation("conversation", messages),
        ends_item=(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED, None),
        expected=lambda result: result.outputs == {"n": messages, "last": f"number {messages}"},
        drive=drive,
    )


LONG_RUNS: tuple[Long, ...] = (
    looped("quick", _VISITS),
    looped("work", _VISITS),
    fanned(_ITEMS, _CONCURRENCY),
    talked(_MESSAGES),
)
"""What ``--only rollover`` runs."""


def definitions(runs: tuple[Long, ...] = LONG_RUNS) -> Mapping[str, Mapping[str, Any]]:
    """The graphs of long runs, by name."""
    return MappingProxyType({run.definition["name"]: run.definition for run in runs})


async def go_the_distance(lab: Lab, runs: tuple[Long, ...] = LONG_RUNS) -> list[LongRun]:
    """Run each of them once, and measure it."""
    return [await measure(lab, run) for run in runs]


async def measure(lab: Lab, run: Long) -> LongRun:
    """Run it, see that it ends as it should, and read what it took from its histories.

    Raises:
        RuntimeError: It came to another end.
    """
    lab.told(run.what)
    await lab.worker.cpu(collect=True)
    before = lab.worker.memory()
    start = time.perf_counter()
    handle = await lab.start(run.definition["name"], run.inputs)
    door = Orchestrator(lab.client, lab.task_queue)
    async with _meter(lab.worker) as used:
        if run.drive is not None:
            await run.drive(door, handle.id)
        result = await door.result(handle.id)
    seconds = time.perf_counter() - start
    if result.status != "completed" or not run.expected(result):
        raise RuntimeError(f"the {run.what} came to another end: {result.status}, {result.error}, {result.path[-3:]}")
    await lab.worker.cpu(collect=True)
    lives = await _histories(lab.client, handle)
    return LongRun(
        what=run.what,
        items=run.items,
        parts=_parts(lives, run, used),
        workflow_runs=len(lives),
        largest_start=max(life[0].ByteSize() for life in lives),
        most_events=max(len(life) for life in lives),
        seconds=seconds,
        memory=(before, lab.worker.memory()),
    )


async def _histories(client: Client, handle: WorkflowHandle[Any, Any]) -> list[list[HistoryEvent]]:
    """The events of all workflow runs of a run, in order."""
    lives: list[list[HistoryEvent]] = []
    run_id = handle.first_execution_run_id
    while run_id:
        history = await client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        lives.append(list(history.events))
        run_id = lives[-1][-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return lives


@asynccontextmanager
async def _meter(worker: WorkerProcess) -> AsyncGenerator[list[tuple[float, float]]]:
    """Looks now and again at the time, in ms since 1970, and at how many ms of its processor the worker has used."""
    seen: list[tuple[float, float]] = []

    def look() -> None:
        seen.append((time.time() * 1000, worker.used() * 1000))

    async def keep_looking() -> None:
        while True:
            look()
            await asyncio.sleep(_BETWEEN_LOOKS_S)

    looking = asyncio.create_task(keep_looking())
    try:
        yield seen
    finally:
        looking.cancel()
        look()


def _used(seen: list[tuple[float, float]], moment: float) -> float:
    """What the worker had used at a moment: between two looks, in proportion."""
    later = min(max(bisect_left(seen, (moment, 0.0)), 1), len(seen) - 1)
    (start, before), (end, after) = seen[later - 1], seen[later]
    return before + (after - before) * min(max((moment - start) / (end - start), 0.0), 1.0)


def _parts(lives: list[list[HistoryEvent]], run: Long, used: list[tuple[float, float]]) -> tuple[Part, ...]:
    """What an item took in each tenth of them.

    Raises:
        RuntimeError: There are more or fewer items than there should be.
    """
    kind, activity = run.ends_item
    events = bytes_ = 0
    ends = [(0, 0, lives[0][0].event_time.ToMilliseconds())]
    for life in lives:
        types = {
            event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
            for event in life
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        }
        for event in life:
            events += 1
            bytes_ += event.ByteSize()
            scheduled = event.activity_task_completed_event_attributes.scheduled_event_id
            if event.event_type == kind and activity in (None, types.get(scheduled)):
                ends.append((events, bytes_, event.event_time.ToMilliseconds()))
    if kind == EventType.EVENT_TYPE_MARKER_RECORDED:
        del ends[1]  # of the local activity that found the definition
    if len(ends) != run.items + 1:
        raise RuntimeError(f"the {run.what} has {len(ends) - 1:,} items in its histories")
    bounds = [ends[run.items * part // PARTS] for part in range(PARTS + 1)]
    each = PARTS / run.items
    return tuple(
        Part(
            events=(later[0] - earlier[0]) * each,
            bytes=(later[1] - earlier[1]) * each,
            ms=(later[2] - earlier[2]) * each,
            cpu=(_used(used, later[2]) - _used(used, earlier[2])) * each,
        )
        for earlier, later in pairwise(bounds)
    )
