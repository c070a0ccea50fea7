"""What a run that waits for an answer takes of its worker's memory, beside a hand-written one that waits."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from benchmarks.figures import Figure
from benchmarks.graphs import waiting as waiting_graph
from benchmarks.handwritten import HandwrittenWaiting
from benchmarks.lab import Lab, open_lab
from benchmarks.story import shows
from orchestrator.client import Orchestrator
from orchestrator.contracts import Message

__all__ = ["WAITING_DEFINITION", "waiting"]

WAITING_DEFINITION = "waiting"
_DEFINITIONS = {WAITING_DEFINITION: waiting_graph(WAITING_DEFINITION)}
_RUNS, _TIMES = 500, 3
_AT_ONCE = 50
_MOST_KB = 100.0
Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True, slots=True)
class _Side:
    """How a run of one side begins to wait, and how it is answered."""

    what: str
    begin: Callable[[Lab], Awaitable[Handle]]
    answer: Callable[[Lab, Handle], Awaitable[Any]]


async def waiting(lab: Lab) -> list[Figure]:
    """Kilobytes that each waiting run adds to the memory of a worker that was idle before.

    Each sample is a worker of its own, which keeps all its runs in its cache, and which has seen some runs come and go.
    It is taken over all of its runs: the allocator asks the system for memory in large pieces, so that a hundred runs
    more may take nothing, or twice what they need.
    """
    ours, by_hand, idle = list[float](), list[float](), 0
    for number in range(_TIMES):
        grown, idle = await _grown(lab, _Side("ours", _begin_ours, _answer_ours), number)
        ours.append(grown)
        grown, _ = await _grown(lab, _Side("by hand", _begin_by_hand, _answer_by_hand), number)
        by_hand.append(grown)
    return [
        Figure(
            measure="waiting",
            what=f"memory of the worker for each of {_RUNS} waiting runs, above an idle worker",
            unit="KB",
            samples=tuple(ours),
            target=_MOST_KB,
            by_hand=median(by_hand),
            note=f"an idle worker takes {idle / 1e6:,.0f} MB; resident memory, a worker for each sample",
            digits=1,
        )
    ]


async def _grown(lab: Lab, side: _Side, number: int) -> tuple[float, int]:
    """KB that a run adds to a new worker, and the bytes of the idle worker."""
    async with open_lab(_DEFINITIONS, pairs=1, told=lab.told, server=lab.server) as own:
        own.told(f"waiting, {side.what}: warming up")
        came = await _begun(own, side, _AT_ONCE)
        await asyncio.gather(*(side.answer(own, handle) for handle in came))
        idle = await _memory(own)
        own.told(f"waiting, {side.what}: {_RUNS} runs, worker {number + 1} of {_TIMES}")
        await _begun(own, side, _RUNS)
        return (await _memory(own) - idle) / 1000 / _RUNS, idle


async def _begun(lab: Lab, side: _Side, runs: int) -> list[Handle]:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one() -> Handle:
        async with slots:
            return await side.begin(lab)

    return await asyncio.gather(*(one() for _ in range(runs)))


async def _memory(lab: Lab) -> int:
    await lab.worker.cpu(collect=True)
    return lab.worker.memory()


async def _begin_ours(lab: Lab) -> Handle:
    handle = await lab.start(WAITING_DEFINITION)
    await shows(lab.client, handle.id, RunStatus="awaiting_input")
    return handle


async def _answer_ours(lab: Lab, handle: Handle) -> None:
    door = Orchestrator(lab.client, lab.task_queue)
    await door.answer(handle.id, Message(text="done"))
    await door.result(handle.id)


async def _begin_by_hand(lab: Lab) -> Handle:
    handle = await lab.start_by_hand(HandwrittenWaiting, 0)
    done = False
    async for event in handle.fetch_history_events(wait_new_event=True):
        done = done or event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        if done and event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            break
    return handle


async def _answer_by_hand(_: Lab, handle: Any) -> None:
    await handle.execute_update("submit", "done")
    await handle.result()
