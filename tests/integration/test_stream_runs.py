"""The text of a run is kept under one id for as long as it lives: after a reset, and in a new workflow run."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.streaming import token_log
from orchestrator.cli.tokens import first_run_id
from orchestrator.settings import Settings
from storage.streams import Superseded, TokenLog
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.integration.streaming import all_of, texts
from tests.integration.test_resetting import reset
from tests.scenarios import edge, graph

TELL: dict[str, Any] = {
    "id": "tell",
    "type": "ModelInvoke",
    "config": {"model": "simulated", "prompt": "Once upon a time there was a king", "stream": True},
}
TEXT = {"text": "{{ nodes.tell.text }}"}
VISITS = 25


@pytest.fixture
async def log(worker_settings: Settings) -> AsyncGenerator[TokenLog]:
    async with token_log(worker_settings) as opened:
        yield opened


async def test_after_a_reset_the_text_is_superseded_under_the_same_id(
    runs: Runs, client: Client, running_worker: RunningWorker, log: TokenLog
) -> None:
    async with running_worker():
        run_id = await runs.start(graph([TELL], [], outputs=TEXT))
        result = await runs.result(run_id)
        life = (await client.get_workflow_handle(run_id).describe()).run_id
        first = await first_run_id(client, run_id)
        before = await all_of(log, first)
        task = next(
            event.event_id
            for event in (await client.get_workflow_handle(run_id).fetch_history()).events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        )
        await reset(client, run_id, life, task)
        again = await runs.result(run_id)

        assert (await client.get_workflow_handle(run_id).describe()).run_id != life
        assert await first_run_id(client, run_id) == first == life
        after = await all_of(log, first, before[-1].id)
    assert texts(before) == {("tell", 1): result.outputs["text"]}
    assert isinstance(after[0], Superseded)
    assert texts([*before, *after]) == {("tell", 1): again.outputs["text"]}


async def test_a_run_that_goes_on_in_a_new_workflow_run_keeps_its_text_under_one_id(
    runs: Runs, client: Client, running_worker: RunningWorker, log: TokenLog
) -> None:
    async with running_worker(rollover_events=60):
        run_id = await runs.start(graph([TELL], [edge("tell", "tell", when="true", max_visits=VISITS)], outputs=TEXT))
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
        records = await all_of(log, await first_run_id(client, run_id))

    assert result.error is None
    assert state.continued > 0
    assert texts(records) == {("tell", visit): result.outputs["text"] for visit in range(1, VISITS + 1)}
