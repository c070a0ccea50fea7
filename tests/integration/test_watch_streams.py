"""The live view shows what models are writing, wherever the log is, and goes on where it is not."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from textual.pilot import Pilot
from textual.widgets import Static

from activities.streaming import token_log
from orchestrator.cli.live.feed import Feed
from orchestrator.cli.live.screen import RunView
from orchestrator.client.lineage import first_run_id
from orchestrator.contracts import Message
from orchestrator.settings import Settings
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.integration.streaming import a_place, a_writer
from tests.scenarios import edge, graph

WAITS: dict[str, Any] = {
    "name": "waits",
    "nodes": [{"id": "name", "type": "UserInput", "config": {"question": "Who?"}}],
}
Shows = Callable[[Callable[[], bool]], Awaitable[None]]


@asynccontextmanager
async def viewing(runs: Runs, client: Client, run_id: str) -> AsyncGenerator[tuple[RunView, Shows]]:
    """The view of a run, open, and what waits until it shows something."""
    feed = Feed(runs.door, run_id)
    await feed.begin()
    view = RunView(runs.door, feed, client=client)
    async with view.run_test(size=(140, 40)) as pilot:

        async def shows(holds: Callable[[], bool]) -> None:
            await runs.until(lambda: paused(pilot, holds))

        yield view, shows


async def paused(pilot: Pilot[None], holds: Callable[[], bool]) -> bool:
    await pilot.pause()
    return holds()


def panel(view: RunView) -> str:
    """What the panel of texts has, nothing where it is not shown."""
    found = view.screen.query_one("#text", Static)
    return str(found.render()) if found.has_class("shown") else ""


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_text_shows_as_it_comes_is_replaced_when_superseded_and_goes_when_it_ends(
    runs: Runs,
    client: Client,
    running_worker: RunningWorker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    async with running_worker(), a_place(kind, tmp_path) as place, place.log() as log:
        for name, value in place.settings().items():
            monkeypatch.setenv(name, value)
        run_id = await runs.start(WAITS)
        await runs.waits(run_id)
        first = (await client.get_workflow_handle(run_id).describe()).run_id
        async with viewing(runs, client, run_id) as (view, shows):
            assert panel(view) == ""
            zombie = await a_writer(log, first, "tell", rank=1)
            await zombie.add("Twice upon")
            await shows(lambda: panel(view) == "tell:\nTwice upon")
            writer = await a_writer(log, first, "tell", rank=2)
            await writer.add("Once upon")
            await shows(lambda: panel(view) == "tell:\nOnce upon")
            await writer.add(" a time", "stop")
            await shows(lambda: panel(view) == "")


async def test_what_a_child_run_writes_shows_with_its_place_and_goes_when_the_child_has_ended(
    runs: Runs,
    client: Client,
    running_worker: RunningWorker,
    worker_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = {**WAITS["nodes"][0], "id": "last"}
    sub = {"id": "sub", "type": "Subworkflow", "config": {"definition": "waits", "mode": "child"}}
    parent = graph([sub, last], [edge("sub", "last")])
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", worker_settings.storage_address)
    (worker_settings.definitions_dir / "waits.yaml").write_text(json.dumps(WAITS), encoding="utf-8")
    async with running_worker(), token_log(worker_settings) as log:
        run_id = await runs.start(parent)
        child: list[str] = []

        async def begun() -> bool:
            child[:] = [found.run for found in (await runs.door.progress(run_id, limit=1)).children]
            return bool(child)

        await runs.until(begun)
        async with viewing(runs, client, run_id) as (view, shows):
            writer = await a_writer(log, await first_run_id(client, child[0]), "tell")
            await writer.add("Once upon")
            await shows(lambda: panel(view) == "sub.tell:\nOnce upon")
            # Nobody ends this text, and nobody goes on with it either.
            await runs.waits(child[0])
            await runs.door.answer(child[0], Message(text="Ada"))
            await runs.waits(run_id, "last")
            await shows(lambda: panel(view) == "")


async def test_where_the_log_is_away_the_view_says_so_once_and_goes_on(
    runs: Runs, client: Client, running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_REDIS_URL", "redis://:hidden@127.0.0.1:1/0")
    said: list[str] = []

    def note(message: str, **_how: Any) -> None:
        said.append(message)

    async with running_worker():
        run_id = await runs.start(WAITS)
        await runs.waits(run_id)
        async with viewing(runs, client, run_id) as (view, shows):
            monkeypatch.setattr(view, "notify", note)
            await shows(lambda: bool(said))
            assert panel(view) == ""
            assert "Who?" in str(view.screen.query_one("#waits", Static).render())
    assert said == ["what models write cannot be shown: the Redis of the streams cannot be reached: ConnectionError"]
