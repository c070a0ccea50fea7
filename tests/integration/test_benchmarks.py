"""The benchmarks compare like with like: both sides ask the same activities for the same."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from pydantic_core import from_json
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes
from temporalio.client import WorkflowHandle

from benchmarks.graphs import parallel, quick_chain, work_chain
from benchmarks.handwritten import HandwrittenChain, HandwrittenParallel, HandwrittenQuickChain
from benchmarks.lab import Lab, open_lab
from benchmarks.machine import describe_machine
from benchmarks.rollover import Long, definitions, fanned, looped, measure, talked
from orchestrator.devserver import DevServer

LONG = (looped("quick", 20), looped("work", 20), fanned(20, 4), talked(20))
DEFINITIONS = {
    "work": work_chain("work", 3),
    "parallel": parallel("parallel", 3),
    "quick": quick_chain("quick", 3),
    **definitions(LONG),
}


@pytest.fixture(scope="module")
async def lab(server: DevServer) -> AsyncGenerator[Lab]:
    """A laboratory with a worker process of its own."""
    async with open_lab(DEFINITIONS, pairs=1, told=lambda _: None, server=server) as opened:
        yield opened


async def asked(handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    """What a run asked of activities: all that the server was told, but for ids and summaries."""
    history = await handle.fetch_history()
    scheduled = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    return [_shown(attributes) for attributes in scheduled]


def _shown(attributes: ActivityTaskScheduledEventAttributes) -> dict[str, Any]:
    (payload,) = attributes.input.payloads
    call = from_json(payload.data)
    assert call.pop("first_run_id")
    return {
        "activity": attributes.activity_type.name,
        "call": call,
        "start_to_close": attributes.start_to_close_timeout.ToTimedelta(),
        "schedule_to_close": attributes.schedule_to_close_timeout.ToTimedelta(),
        "heartbeat": attributes.heartbeat_timeout.ToTimedelta(),
        "retry": str(attributes.retry_policy),
    }


async def test_a_chain_by_hand_asks_the_same_of_the_same_activities(lab: Lab) -> None:
    ours = await asked(await lab.ours("work"))

    assert len(ours) == 3
    assert await asked(await lab.by_hand(HandwrittenChain, 3)) == ours


async def test_parallel_nodes_by_hand_ask_the_same_of_the_same_activities(lab: Lab) -> None:
    ours = await asked(await lab.ours("parallel"))

    assert len(ours) == 3
    assert await asked(await lab.by_hand(HandwrittenParallel, 3)) == ours


async def test_a_pair_times_both_sides_and_the_cpu_of_the_worker_process(lab: Lab) -> None:
    (pair,) = await lab.compare("quick", lambda: lab.ours("quick"), lambda: lab.by_hand(HandwrittenQuickChain, 3))

    assert min(pair.ours.wall, pair.ours.cpu, pair.by_hand.wall, pair.by_hand.cpu) > 0


async def test_the_machine_and_the_versions_are_told(lab: Lab) -> None:
    machine = await describe_machine(lab.client)

    assert machine.cores > 0
    assert machine.server.count(".") == 2


@pytest.mark.parametrize(("long", "events"), list(zip(LONG, (1, 6, 2, 5), strict=True)), ids=definitions(LONG))
async def test_a_long_run_is_measured_tenth_by_tenth(lab: Lab, long: Long, events: int) -> None:
    measured = await measure(lab, long)

    assert (measured.items, len(measured.parts), measured.workflow_runs) == (20, 10, 1)
    # Items that run beside each other share workflow tasks, so a single part says little.
    assert sum(part.events for part in measured.parts) / len(measured.parts) >= events
    assert sum(part.bytes for part in measured.parts) > 0
    assert sum(part.cpu for part in measured.parts) > 0
    assert min(measured.memory) > 0


async def test_a_long_run_that_comes_to_another_end_is_an_error(lab: Lab) -> None:
    wrong = replace(looped("work", 20), expected=fanned(20, 4).expected)

    with pytest.raises(RuntimeError, match="came to another end: completed"):
        await measure(lab, wrong)
