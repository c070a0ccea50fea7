"""How soon a run begins to work: from the start call to the moment its first node is on a worker."""

import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from benchmarks.figures import Figure
from benchmarks.handwritten import HandwrittenChain
from benchmarks.lab import Lab

__all__ = ["latency"]

_DEFINITION, _NODES = "work-3", 3
_TRIES, _WARM_UP = 40, 2


async def latency(lab: Lab) -> list[Figure]:
    """From the call that starts a run, one at a time, until a worker has taken its first work node."""
    ours: list[float] = []
    by_hand: list[float] = []
    for number in range(_WARM_UP + _TRIES):
        lab.told(f"latency: run {number + 1} of {_WARM_UP + _TRIES}")
        ours.append(await _until_first_node(lambda: lab.start(_DEFINITION)))
        by_hand.append(await _until_first_node(lambda: lab.start_by_hand(HandwrittenChain, _NODES)))
    ours, by_hand = ours[_WARM_UP:], by_hand[_WARM_UP:]
    ratio = median(mine / theirs for mine, theirs in zip(ours, by_hand, strict=True))
    return [
        Figure(
            measure="latency",
            what="from the start call until the first work node is on a worker",
            unit="ms",
            samples=tuple(ours),
            by_hand=median(by_hand),
            note=f"{ratio:.2f} times by hand; finding the definition is in it; one run at a time",
        )
    ]


async def _until_first_node(start: Callable[[], Awaitable[WorkflowHandle[Any, Any]]]) -> float:
    """Milliseconds, by the clock that this process and the server share."""
    called = time.time()
    handle = await start()
    await handle.result()
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            return 1000 * (event.event_time.ToNanoseconds() / 1e9 - called)
    raise RuntimeError("the run that was timed has no work node")
