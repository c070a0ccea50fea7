"""Whoever reads what a run's models write reads also what is written in the runs that it starts, however deep."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.streaming import token_log
from orchestrator.client import texts as reading
from orchestrator.client.lineage import first_run_id
from orchestrator.client.texts import Said, texts
from orchestrator.contracts import Message
from orchestrator.errors import RequestError, RunNotFoundError
from orchestrator.settings import Settings
from storage.streams import Delta, Finished, TokenLog, Transcript
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.integration.streaming import a_writer
from tests.integration.test_resetting import reset
from tests.scenarios import edge, graph

ASKS: dict[str, Any] = {"id": "ask", "type": "UserInput", "config": {"question": "Who?"}}
TELLS: dict[str, Any] = {
    "id": "tell",
    "type": "ModelInvoke",
    "config": {"model": "simulated", "prompt": "Once upon a time there was a king", "stream": True},
}


def starts(node: str, definition: str) -> dict[str, Any]:
    return {"id": node, "type": "Subworkflow", "config": {"definition": definition, "mode": "child"}}


@pytest.fixture
def definitions(worker_settings: Settings) -> Path:
    """``leaf`` waits for an answer, ``middle`` for a leaf; ``teller`` has a model write."""
    folder = worker_settings.definitions_dir
    for name, node in (("leaf", ASKS), ("middle", starts("inner", "leaf")), ("teller", TELLS)):
        (folder / f"{name}.yaml").write_text(json.dumps(graph([node], []) | {"name": name}), encoding="utf-8")
    return folder


@pytest.fixture
async def log(worker_settings: Settings) -> AsyncGenerator[TokenLog]:
    async with token_log(worker_settings) as opened:
        yield opened


async def child_of(runs: Runs, run_id: str) -> str:
    """The id of the run that a run waits for."""
    found: list[str] = []

    async def there() -> bool:
        found[:] = [child.run for child in (await runs.door.progress(run_id, limit=1)).children]
        return bool(found)

    await runs.until(there)
    return found[0]


async def all_said(client: Client, log: TokenLog, run_id: str, **how: Any) -> list[Said]:
    async with asyncio.timeout(20), aclosing(texts(client, log, run_id, **how)) as told:
        return [said async for said in told]


def told(said: list[Said]) -> dict[tuple[str, int], str]:
    """The texts that a reader ends with."""
    transcript = Transcript()
    for item in said:
        if item.placed is not None:
            transcript.apply(item.placed)
    return {visit: str(text) for visit, text in transcript}


async def test_text_of_child_runs_is_read_as_it_comes_until_the_run_has_ended(
    runs: Runs, client: Client, running_worker: RunningWorker, log: TokenLog, definitions: Path
) -> None:
    async with running_worker(definitions_dir=definitions):
        run_id = await runs.start(graph([starts("sub", "middle")], []))
        middle = await child_of(runs, run_id)
        leaf = await child_of(runs, middle)
        lives = [await first_run_id(client, run) for run in (run_id, middle, leaf)]
        seen: asyncio.Queue[Said] = asyncio.Queue()

        async def read() -> None:
            async for said in texts(client, log, run_id):
                seen.put_nowait(said)

        reader = asyncio.create_task(read())
        for run, life, place in zip((run_id, middle, leaf), lives, ("", "sub", "sub.inner"), strict=True):
            writer = await a_writer(log, life, "tell")
            await writer.add(f"Once in {place}")
            said = await asyncio.wait_for(seen.get(), 10)
            assert (said.run, said.life, said.place) == (run, life, place)
            assert isinstance(said.placed, Delta)
            assert (said.placed.node, said.placed.text) == (f"{place}.tell".lstrip("."), f"Once in {place}")
            assert not reader.done()
        await runs.waits(leaf)
        await runs.door.answer(leaf, Message(text="Ada"))
        await asyncio.wait_for(reader, 20)

        # Each run is said to have ended, and who comes later reads just the same.
        rest = [seen.get_nowait() for _ in range(seen.qsize())]
        assert {said.place for said in rest if said.record is None} == {"", "sub", "sub.inner"}
        whole = await all_said(client, log, run_id)
    assert told(whole) == {
        ("tell", 1): "Once in ",
        ("sub.tell", 1): "Once in sub",
        ("sub.inner.tell", 1): "Once in sub.inner",
    }


async def test_each_run_is_read_on_from_the_id_that_was_read_last_of_it(
    runs: Runs, client: Client, running_worker: RunningWorker, log: TokenLog, definitions: Path
) -> None:
    async with running_worker(definitions_dir=definitions):
        run_id = await runs.start(graph([TELLS, starts("sub", "teller")], []))
        await runs.result(run_id)
        whole = await all_said(client, log, run_id)

        by_life: dict[str, list[Said]] = {}
        for said in whole:
            by_life.setdefault(said.life, []).append(said)
        assert len(by_life) == 2
        for life, said in by_life.items():
            for number, item in enumerate(said[:-1]):
                assert item.record is not None
                rest = await all_said(client, log, run_id, after={life: item.record.id})
                assert [later for later in rest if later.life == life] == said[number + 1 :]
                assert [later for later in rest if later.life != life] == [s for s in whole if s.life != life]
        with pytest.raises(RequestError, match="has no record"):
            await all_said(client, log, run_id, after=dict.fromkeys(by_life, 2**52))


async def test_children_of_earlier_workflow_runs_are_read_too(
    runs: Runs, client: Client, running_worker: RunningWorker, log: TokenLog, definitions: Path
) -> None:
    visits = 12
    async with running_worker(definitions_dir=definitions, rollover_events=60):
        loop = edge("sub", "sub", when="true", max_visits=visits)
        run_id = await runs.start(graph([starts("sub", "teller")], [loop]))
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
        whole = await all_said(client, log, run_id)

    assert (result.status, state.continued > 0) == ("completed", True)
    places = ["sub", *(f"sub#{visit}" for visit in range(2, visits + 1))]
    assert set(told(whole)) == {(f"{place}.tell", 1) for place in places}


async def test_after_a_reset_the_child_that_was_there_is_read_once(
    runs: Runs, client: Client, running_worker: RunningWorker, log: TokenLog, definitions: Path
) -> None:
    async with running_worker(definitions_dir=definitions):
        run_id = await runs.start(graph([starts("sub", "leaf")], []))
        leaf = await child_of(runs, run_id)
        writer = await a_writer(log, await first_run_id(client, leaf), "tell")
        await writer.add("Once")
        handle = client.get_workflow_handle(run_id)
        task = next(
            event.event_id
            for event in (await handle.fetch_history()).events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        )
        async with aclosing(texts(client, log, run_id)) as telling:
            first = await anext(telling)
            # While somebody reads: it is followed into the workflow run that takes over.
            await reset(client, run_id, (await handle.describe()).run_id, task)
            await writer.add(" upon", "stop")
            await runs.door.cancel(run_id)
            await runs.result(run_id)
            async with asyncio.timeout(20):
                said = [first, *[item async for item in telling]]
        again = await all_said(client, log, run_id)

    assert told(said) == told(again) == {("sub.tell", 1): "Once upon"}
    assert [type(item.record) for item in again if item.place] == [Delta, Delta, Finished, type(None)]


async def test_a_run_that_is_terminated_ends_its_readers_though_its_child_goes_on(
    runs: Runs, client: Client, running_worker: RunningWorker, log: TokenLog, definitions: Path
) -> None:
    async with running_worker(definitions_dir=definitions):
        run_id = await runs.start(graph([starts("sub", "leaf")], []))
        leaf = await child_of(runs, run_id)
        await (await a_writer(log, await first_run_id(client, leaf), "tell")).add("Once")
        async with aclosing(texts(client, log, run_id)) as telling:
            first = await anext(telling)
            await client.get_workflow_handle(run_id).terminate()
            async with asyncio.timeout(20):
                rest = [item async for item in telling]
        await runs.door.cancel(leaf)
        await runs.result(leaf)

    assert told([first, *rest]) == {("sub.tell", 1): "Once"}
    assert {item.place for item in rest if item.record is None} == {"", "sub"}


async def test_more_children_than_are_read_at_once_are_read_one_after_the_other(
    runs: Runs,
    client: Client,
    running_worker: RunningWorker,
    log: TokenLog,
    definitions: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "_AT_ONCE", 2)
    each = {
        "id": "each",
        "type": "ForEach",
        "config": {"items": "[1, 2, 3, 4]", "do": {"nodes": [starts("sub", "teller")]}},
    }
    async with running_worker(definitions_dir=definitions):
        run_id = await runs.start(graph([each], []))
        await runs.result(run_id)
        whole = await all_said(client, log, run_id)

    assert set(told(whole)) == {(f"each[{index}].sub.tell", 1) for index in range(4)}


async def test_a_server_that_is_away_for_a_moment_hides_no_child(
    runs: Runs,
    client: Client,
    running_worker: RunningWorker,
    log: TokenLog,
    definitions: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, children = list[str](), reading.children

    def away_once(client: Client, run_id: str, **how: Any) -> AsyncGenerator[Any]:
        asked.append(run_id)
        if len(asked) == 1:
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        return children(client, run_id, **how)

    monkeypatch.setattr(reading, "children", away_once)
    monkeypatch.setattr(reading, "_AGAIN_S", 0.01)
    async with running_worker(definitions_dir=definitions):
        run_id = await runs.start(graph([starts("sub", "teller")], []))
        await runs.result(run_id)
        whole = await all_said(client, log, run_id)

    assert set(told(whole)) == {("sub.tell", 1)}
    assert asked[:2] == [run_id, run_id]


async def test_a_run_that_is_not_there_is_said(client: Client, log: TokenLog) -> None:
    with pytest.raises(RunNotFoundError, match="nobody"):
        await all_said(client, log, "nobody")
