"""What the client says of runs that the server, not the run, has ended; and which runs it finds by status."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from orchestrator.client import Orchestrator
from orchestrator.contracts import WORKFLOW_TYPE, Message, SearchAttribute
from orchestrator.errors import RequestError, SettingsError
from orchestrator.statuses import ListedStatus
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs

ASK: dict[str, Any] = {
    "name": "ask",
    "nodes": [
        {"id": "greet", "type": "Format", "config": {"template": "Hello"}},
        {"id": "sure", "type": "UserInput", "config": {"question": "Sure?"}},
    ],
    "edges": [{"from": "greet", "to": "sure"}],
}


async def timed(runs: Runs) -> str:
    """Start a run that Temporal itself ends after a second."""
    run = await runs.client.start_workflow(
        WORKFLOW_TYPE,
        {"definition": ASK},
        id=f"run-{uuid.uuid4()}",
        task_queue=runs.task_queue,
        execution_timeout=timedelta(seconds=1),
    )
    return run.id


async def test_a_cancelled_run_gives_what_it_had_done(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(ASK)
        await runs.waits(run_id)
        await runs.door.cancel(run_id)

        result = await runs.result(run_id)

    assert (result.status, result.path, result.error) == ("cancelled", ("greet",), None)


async def test_a_terminated_run_has_failed_with_what_it_said_last(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(ASK)
        await runs.waits(run_id)
        await runs.handle(run_id).terminate()

        result = await runs.result(run_id)

    assert result.error is not None
    assert (result.status, result.error.code, result.path) == ("failed", "TERMINATED", ("greet",))


async def test_a_run_that_temporal_timed_out_is_timed_out(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        result = await runs.result(await timed(runs))

    assert result.error is not None
    assert (result.status, result.error.code, result.path) == ("timed_out", "RUN_TIMED_OUT", ("greet",))


async def test_the_result_of_a_run_that_ended_needs_no_worker(runs: Runs) -> None:
    run_id = await runs.start(ASK)
    await runs.handle(run_id).terminate()

    result = await runs.result(run_id)

    assert result.error is not None
    assert (result.status, result.error.code, result.path) == ("failed", "TERMINATED", ())


async def test_every_status_finds_just_the_runs_that_have_it(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        refused = await runs.start("nobody-knows-it")
        waiting, cancelled, completed = [await runs.start(ASK) for _ in range(3)]
        late, slow = await timed(runs), await runs.start(ASK, timeout=0.1)
        for run_id in (waiting, cancelled, completed):
            await runs.waits(run_id)
        await runs.door.cancel(cancelled)
        await runs.door.answer(completed, Message(text="yes"))
        for run_id in (refused, cancelled, completed, late, slow):
            await runs.result(run_id)
    going, ended = await runs.start(ASK), await runs.start(ASK)
    await runs.handle(ended).terminate()
    every: dict[ListedStatus, set[str]] = {
        "running": {going},
        "awaiting_input": {waiting},
        "completed": {completed},
        "failed": {refused},
        "cancelled": {cancelled},
        "timed_out": {late, slow},
        "terminated": {ended},
    }
    ours = set[str]().union(*every.values())

    for status, expected in every.items():

        async def found(status: ListedStatus = status, expected: set[str] = expected) -> bool:
            rows = await runs.door.runs(status=status, limit=1000)
            assert {row.status for row in rows} <= {status}
            return {row.id for row in rows} & ours == expected  # the index lags

        await runs.until(found)


async def test_an_open_run_is_listed_by_what_it_says_of_itself(runs: Runs) -> None:
    said: tuple[ListedStatus, ...] = ("running", "awaiting_input", "needs_attention", "paused", "cancelling")
    status, node = (
        SearchAttributeKey.for_keyword(key) for key in (SearchAttribute.RUN_STATUS, SearchAttribute.CURRENT_NODE)
    )
    ids: dict[str, ListedStatus] = {}
    for one in said:
        attributes = TypedSearchAttributes([SearchAttributePair(status, one), SearchAttributePair(node, "ask")])
        run_id = f"run-{uuid.uuid4()}"
        await runs.client.start_workflow(
            WORKFLOW_TYPE, {}, id=run_id, task_queue=runs.task_queue, search_attributes=attributes
        )
        ids[run_id] = one

    for one in said:

        async def found(one: ListedStatus = one) -> bool:
            rows = [row for row in await runs.door.runs(status=one, limit=1000) if row.id in ids]
            assert {ids[row.id] for row in rows} <= {one}
            assert {row.status for row in rows} <= {one}
            at_a_node = one in {"awaiting_input", "needs_attention"}
            assert {row.current_node for row in rows} <= {"ask" if at_a_node else None}
            return len(rows) == 1  # the index lags

        await runs.until(found)


async def test_a_status_that_no_run_has_is_refused_with_those_there_are(runs: Runs) -> None:
    with pytest.raises(RequestError, match=r"'finished'.*awaiting_input.*terminated"):
        await runs.door.runs(status="finished")


async def test_a_run_is_followed_to_its_end_however_it_ended(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(ASK)
        await runs.waits(run_id)
        await runs.handle(run_id).terminate()

        events = [event async for event in runs.door.follow(run_id)]

    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].type == "AWAITING_INPUT"


async def test_a_namespace_that_is_not_there_is_named(client: Client, task_queue: str) -> None:
    config = client.config()
    config["namespace"] = "nope"
    door = Orchestrator(Client(**config), task_queue)
    with pytest.raises(SettingsError, match="no namespace `nope`"):
        await door.summary("some-run")
    with pytest.raises(SettingsError, match="no namespace `nope`"):
        await door.runs()
