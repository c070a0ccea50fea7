"""The live view of a run, on a real server, driven by keys."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from temporalio.client import Client
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from orchestrator.cli.live.asking import Window
from orchestrator.cli.live.feed import Feed
from orchestrator.cli.live.screen import RunView
from orchestrator.client import Orchestrator
from orchestrator.errors import RunNotFoundError, WorkerMissingError
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import broken
from tests.integration.running import Runs

ASK: dict[str, Any] = {
    "name": "ask",
    "nodes": [
        {"id": "greet", "type": "Format", "config": {"template": "Hello"}},
        {
            "id": "name",
            "type": "UserInput",
            "config": {"question": "Who?", "answer": {"type": "string", "enum": ["ada"]}},
        },
        {"id": "sure", "type": "Approval", "config": {"question": "Sure?", "proposal": "x"}},
    ],
    "edges": [{"from": "greet", "to": "name"}, {"from": "name", "to": "sure"}],
    "outputs": {"by": "{{ nodes.sure.by }}", "decision": "{{ nodes.sure.decision }}"},
}
BREAKS: dict[str, Any] = {"name": "breaks", "nodes": [broken("calc")], "outputs": {"n": "{{ nodes.calc.result }}"}}
LONG: dict[str, Any] = {
    "name": "long",
    "nodes": [
        {"id": f"n{number}", "type": "Wait", "config": {"for": "10ms"}}
        if number < 12
        else {"id": f"n{number}", "type": "Format", "config": {"template": "x"}}
        for number in range(500)
    ],
    "edges": [{"from": f"n{number}", "to": f"n{number + 1}"} for number in range(499)],
}

Pilots = Pilot[None]


@asynccontextmanager
async def viewing(runs: Runs, run_id: str, by: str | None = None) -> AsyncGenerator[tuple[RunView, Pilots]]:
    """The view of a run, open."""
    feed = Feed(runs.door, run_id)
    await feed.begin()
    view = RunView(runs.door, feed, by=by)
    async with view.run_test(size=(140, 40)) as pilot:
        yield view, pilot


def text_of(view: RunView, where: str) -> str:
    return str(view.screen.query_one(where, Static).render())


def cells(view: RunView, key: str) -> list[str]:
    table = cast("DataTable[Any]", view.query_one("#nodes", DataTable))
    return [str(cell) for cell in table.get_row(key)]


async def shows(runs: Runs, pilot: Pilots, holds: Callable[[], bool]) -> None:
    """Wait until the view shows something."""

    async def shown() -> bool:
        await pilot.pause()
        return holds()

    await runs.until(shown)


async def window(runs: Runs, pilot: Pilots, view: RunView, *keys: str) -> Window:
    """Open a window with a key."""
    await pilot.press(*keys)
    await shows(runs, pilot, lambda: isinstance(view.screen, Window))
    assert isinstance(view.screen, Window)
    return view.screen


async def test_a_question_is_answered_and_an_approval_decided_in_the_view(
    runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id = await runs.start(ASK)
        await runs.waits(run_id)
        async with viewing(runs, run_id, by="grace") as (view, pilot):
            assert cells(view, "greet")[2] == "✓ completed"
            assert cells(view, "name")[2] == "? waiting"
            await shows(runs, pilot, lambda: "name asks: Who?" in text_of(view, "#waits"))

            asking = await window(runs, pilot, view, "a")
            asking.query_one(Input).value = "carl"
            await pilot.press("enter")
            await shows(runs, pilot, lambda: "does not fit" in text_of(view, "#problem"))
            asking.query_one(Input).value = "ada"
            await pilot.press("enter")
            await shows(
                runs, pilot, lambda: not isinstance(view.screen, Window) and cells(view, "sure")[2] == "? waiting"
            )

            deciding = await window(runs, pilot, view, "a")
            deciding.query_one(Input).value = "fine"
            await pilot.click("#approve")
            await shows(runs, pilot, lambda: not isinstance(view.screen, Window))
            await shows(runs, pilot, lambda: "completed" in text_of(view, "#head"))
            await shows(runs, pilot, lambda: '"by": "grace"' in text_of(view, "#waits"))

        result = await runs.result(run_id)
    assert result.outputs == {"by": "grace", "decision": "approved"}


async def test_a_parked_node_is_resolved_in_the_view(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(BREAKS)
        await runs.parks(run_id)
        async with viewing(runs, run_id) as (view, pilot):
            assert cells(view, "calc")[2] == "! parked"

            resolving = await window(runs, pilot, view, "r")
            await pilot.click("#override")
            await shows(runs, pilot, lambda: "type the output" in text_of(view, "#problem"))
            resolving.query_one(Input).value = '{"result": 7}'
            # A button takes no further click as long as it looks pressed.
            await shows(runs, pilot, lambda: not resolving.query_one("#override").has_class("-active"))
            await pilot.click("#override")
            await shows(runs, pilot, lambda: not isinstance(view.screen, Window))
            await shows(runs, pilot, lambda: "completed" in text_of(view, "#head"))

        assert (await runs.result(run_id)).outputs == {"n": 7}


async def test_leaving_leaves_the_run_and_escape_the_question_alone(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(ASK)
        await runs.waits(run_id)
        async with viewing(runs, run_id) as (view, pilot):
            await window(runs, pilot, view, "a")
            await pilot.press("escape")
            await shows(runs, pilot, lambda: not isinstance(view.screen, Window))
            await pilot.press("r", "q")
            await pilot.pause()
            assert not view.is_running

        assert [item.node for item in await runs.door.awaiting(run_id)] == ["name"]


async def test_pause_and_continue_reach_the_run(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(ASK)
        await runs.waits(run_id)
        async with viewing(runs, run_id) as (view, pilot):
            await pilot.press("p")
            await shows(runs, pilot, lambda: "paused" in text_of(view, "#head"))
            await pilot.press("c")
            await shows(runs, pilot, lambda: "awaiting input" in text_of(view, "#head"))


async def test_five_hundred_nodes_and_runs_that_go_on_in_new_workflow_runs_are_shown(
    runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker(rollover_events=50):
        run_id = await runs.start(LONG)
        async with viewing(runs, run_id) as (view, pilot):
            await shows(runs, pilot, lambda: "500 of 500 nodes done" in text_of(view, "#head"))
            assert cells(view, "n499")[2] == "✓ completed"
        assert (await runs.door.state(run_id)).continued > 0


async def test_a_worker_that_goes_away_is_said_and_waited_for(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(ASK)
        await runs.waits(run_id)
        feed = Feed(runs.door, run_id)
        await feed.begin()
    changes = feed.changes()
    change = await anext(changes)
    while change.problem is None:
        change = await anext(changes)
    assert "no worker answers" in change.problem
    async with running_worker():
        while change.problem is not None:
            change = await anext(changes)
    await changes.aclose()


async def test_a_run_that_is_not_there_is_said_before_the_screen_opens(client: Client, task_queue: str) -> None:
    with pytest.raises(RunNotFoundError):
        await Feed(Orchestrator(client, task_queue), "nobody").begin()


async def test_that_no_worker_answers_is_said_before_the_screen_opens(runs: Runs) -> None:
    run_id = await runs.start(ASK)

    with pytest.raises(WorkerMissingError):
        await Feed(runs.door, run_id).begin()
    await runs.handle(run_id).terminate()
