"""Promises of ``docs/failure-contract.md`` that need more than one worker killed once: see also ``test_kills.py``."""

import json
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

from orchestrator.client import Orchestrator
from orchestrator.contracts import WORKFLOW_TYPE, Message, ResolveRequest, RunRequest
from orchestrator.errors import NothingAwaitedError
from orchestrator.replaying import replay
from tests.e2e.kills.cases.building import Json, call, once, world
from tests.e2e.kills.driver import Case, Stage
from tests.e2e.kills.far_side import Answer
from tests.e2e.kills.people import Scene, arrived, asked, finished, says
from tests.e2e.kills.servers import mortal_server
from tests.e2e.kills.story import tries
from tests.scenarios import ask, edge

_NODE: Json = world([call("a")], outputs={"path": "{{ nodes.a.body.path }}"})
_ONE_NODE = Case(_NODE, done=once("a#1"))
_HELD = replace(_ONE_NODE, held=frozenset({"a"}))
_QUESTION: Json = world(
    [call("a"), ask("name", "Who?"), call("b", "{{ nodes.name.value }}")],
    [edge("a", "name"), edge("name", "b")],
    outputs={"name": "{{ nodes.b.body.got }}"},
)
_ASKING = Case(_QUESTION, done=once("a#1", "b#1"))
_BAD: list[tuple[Json | str, Json, str]] = [
    ("nowhere", {}, "DEFINITION_NOT_FOUND"),
    ({**_NODE, "nodes": []}, {}, "DEFINITION_INVALID"),
    (_NODE, {"farr": "typo"}, "INPUT_INVALID"),
]


async def test_a_run_whose_start_returned_survives_the_death_of_the_server(stage: Stage, tmp_path: Path) -> None:
    async with mortal_server(tmp_path) as server:
        scene = await replace(stage, client=await server.start()).open(_ONE_NODE)
        await server.kill()

        stage = replace(stage, client=await server.start())
        worker = await stage.worker(scene.run, {})
        result = await Orchestrator(stage.client, scene.run).result(scene.run)
        await worker.kill()

    assert (result.status, result.outputs, dict(scene.room.done)) == ("completed", {"path": "a"}, {"a#1": 1})


@pytest.mark.parametrize("worker_dies_too", [False, True])
async def test_a_server_that_is_killed_and_comes_back_on_its_file_has_lost_nothing(
    *, worker_dies_too: bool, stage: Stage, tmp_path: Path
) -> None:
    parking = replace(_ONE_NODE, broken={"a": Answer(404)})
    waiting = Case(
        world(
            [call("a"), {"id": "wait", "type": "Wait", "config": {"for": "2s"}}, call("b")],
            [edge("a", "wait"), edge("wait", "b")],
        ),
        done=once("a#1", "b#1"),
    )
    async with mortal_server(tmp_path) as server:
        before = replace(stage, client=await server.start())
        held, asking = await before.open(_HELD), await before.open(_ASKING)
        parked, sleeping = await before.open(parking), await before.open(waiting)
        runs = [held, asking, parked, sleeping]
        workers = [await before.worker(scene.run, {}) for scene in runs]
        await arrived("a")(held)
        await asked("name")(asking)
        await says(RunStatus="needs_attention")(parked)
        await finished("a")(sleeping)

        await server.kill()
        if worker_dies_too:
            for worker in workers:
                await worker.kill()
        after = replace(stage, client=await server.start())
        if worker_dies_too:
            workers = [await after.worker(scene.run, {}) for scene in runs]
        await held.room.release()
        await parked.room.mend("a")
        door = Orchestrator(after.client, asking.run)
        await door.answer(asking.run, Message(text="Ada", message_id="m-1"))
        await door.resolve(parked.run, ResolveRequest(action="retry", node="a"))
        results = [await door.result(scene.run) for scene in runs]
        in_history = [await tries(after.client, scene.run) for scene in runs]
        for worker in workers:
            await worker.kill()

    assert [result.status for result in results] == ["completed"] * 4
    assert results[1].outputs == {"name": "Ada"}
    done = [dict(scene.room.done) for scene in runs]
    # The node in flight ran again if its answer could not be delivered, and nothing else did.
    assert done[0] in ({"a#1": 1}, {"a#1": 2})
    assert done[1:] == [{"a#1": 1, "b#1": 1}, {"a#1": 1}, {"a#1": 1, "b#1": 1}]
    assert all(tried.attempts == 1 for mine in in_history[1:] for tried in mine)


async def test_a_node_in_flight_runs_again_with_the_same_idempotency_key(stage: Stage) -> None:
    scene = await stage.open(_HELD)
    worker = await stage.worker(scene.run, {})
    await arrived("a")(scene)
    await worker.kill()
    await scene.room.release()
    worker = await stage.worker(scene.run, {})

    result = await scene.door.result(scene.run)
    await worker.kill()

    assert result.status == "completed"
    assert len(scene.room.deeds) == 2
    assert len({deed.key for deed in scene.room.deeds}) == 1


async def test_three_deaths_in_one_node_do_not_lose_it(stage: Stage) -> None:
    scene = await stage.open(_four_attempts())
    await _die_in_it(stage, scene, times=3)
    await scene.room.release()
    worker = await stage.worker(scene.run, {})

    result = await scene.door.result(scene.run)
    await worker.kill()

    assert (result.status, len(scene.room.deeds)) == ("completed", 4)


async def test_four_deaths_in_one_node_park_it_and_it_can_be_retried(stage: Stage) -> None:
    scene = await stage.open(_four_attempts())
    await _die_in_it(stage, scene, times=4)
    worker = await stage.worker(scene.run, {})
    await says(RunStatus="needs_attention", CurrentNode="a")(scene)
    (parked,) = await scene.door.parked(scene.run)
    await scene.room.release()

    await scene.door.resolve(scene.run, ResolveRequest(action="retry", node="a", by="ada"))
    result = await scene.door.result(scene.run)
    await worker.kill()

    assert (parked.node, parked.error.code) == ("a", "NODE_TIMED_OUT")
    assert "worker died or hung" in parked.error.message
    assert (result.status, len(scene.room.deeds)) == ("completed", 5)
    assert len({deed.key for deed in scene.room.deeds}) == 1


async def test_an_answer_counts_once_and_a_late_one_is_refused(stage: Stage) -> None:
    scene = await stage.open(_ASKING)
    worker = await stage.worker(scene.run, {})
    await asked("name")(scene)
    scene.room.held.add("b")
    first = await scene.door.answer(scene.run, Message(text="Ada", message_id="m-1"))
    await arrived("b")(scene)
    await worker.kill()
    worker = await stage.worker(scene.run, {})

    again = await scene.door.answer(scene.run, Message(text="Bob", message_id="m-1"))
    with pytest.raises(NothingAwaitedError):
        await scene.door.answer(scene.run, Message(text="Bob", message_id="m-2"))
    await scene.room.release()
    result = await scene.door.result(scene.run)
    with pytest.raises(NothingAwaitedError, match="has ended"):
        await scene.door.answer(scene.run, Message(text="Bob", message_id="m-3"))
    page = await scene.door.progress(scene.run, limit=1000)
    await worker.kill()

    assert (first.node, first.visit) == (again.node, again.visit) == ("name", 1)
    assert result.outputs == {"name": "Ada"}
    assert [event.type for event in page.events if event.node == "name"].count("COMPLETED") == 1


async def test_a_signal_that_cannot_be_used_shows_as_rejected(stage: Stage) -> None:
    scene = await stage.open(_ASKING)
    worker = await stage.worker(scene.run, {})
    await asked("name")(scene)
    await scene.door.send(scene.run, Message(text="Ada", node="nobody", message_id="m-1"))
    await scene.door.send(scene.run, Message(text="Ada", message_id="m-2"))
    await scene.door.result(scene.run)
    page = await scene.door.progress(scene.run, limit=1000)
    await worker.kill()

    assert [event.data.get("message_id") for event in page.events if event.type == "REJECTED"] == ["m-1"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_that_is_told_to_stop_lets_its_nodes_finish(how: signal.Signals, stage: Stage) -> None:
    scene = await stage.open(_HELD)
    worker = await stage.worker(scene.run, {})
    await arrived("a")(scene)
    stopping = worker.tell(how)
    await worker.says("nodes in flight may finish")
    await scene.room.release()

    code = await stopping
    next_worker = await stage.worker(scene.run, {})
    result = await scene.door.result(scene.run)
    (tried,) = await tries(stage.client, scene.run)
    await next_worker.kill()

    assert (code, result.status) == (0, "completed")
    assert (len(scene.room.deeds), tried.attempts) == (1, 1)


async def test_a_definition_that_changes_does_not_touch_a_run_under_way(stage: Stage) -> None:
    file = stage.nursery.folder / "definitions" / "changing.json"
    definition = {**_QUESTION, "name": "changing"}
    file.write_text(json.dumps(definition), encoding="utf-8")
    scene = await stage.open(replace(_ASKING, definition="changing"))
    worker = await stage.worker(scene.run, {})
    await asked("name")(scene)
    await worker.kill()
    file.write_text(json.dumps({**definition, "nodes": [call("other")], "edges": [], "outputs": {}}), encoding="utf-8")
    worker = await stage.worker(scene.run, {})
    await scene.door.answer(scene.run, Message(text="Ada"))

    result = await scene.door.result(scene.run)
    await worker.kill()

    assert (result.status, result.outputs) == ("completed", {"name": "Ada"})
    assert dict(scene.room.done) == {"a#1": 1, "b#1": 1}


async def test_a_run_with_many_deaths_in_it_replays(stage: Stage) -> None:
    scene = await stage.open(_four_attempts())
    await _die_in_it(stage, scene, times=2)
    await scene.room.release()
    worker = await stage.worker(scene.run, {})
    await scene.door.result(scene.run)
    await worker.kill()
    history: WorkflowHistory = await stage.client.get_workflow_handle(scene.run).fetch_history()

    assert [tried.attempts for tried in await tries(stage.client, scene.run)] == [3]
    await replay(history, stage.client.data_converter)


async def test_a_provider_is_asked_again_when_it_says_and_not_after_a_refusal(stage: Stage) -> None:
    busy = replace(_ONE_NODE, answers={"a": (Answer(429, retry_after=1), Answer(503, retry_after=1))})
    refused = Case(world([call("a")], on_failure="fail"), done={}, broken={"a": Answer(404)})
    runs = [await stage.open(busy), await stage.open(refused)]
    workers = [await stage.worker(scene.run, {}) for scene in runs]
    began = time.monotonic()

    fine, failed = [await scene.door.result(scene.run) for scene in runs]
    took = time.monotonic() - began
    for worker in workers:
        await worker.kill()

    assert (fine.status, len(runs[0].room.deeds)) == ("completed", 3)
    assert took >= 2
    assert failed.error is not None
    assert (failed.status, failed.error.code, len(runs[1].room.deeds)) == ("failed", "PROVIDER_REJECTED", 1)


@pytest.mark.parametrize(("definition", "inputs", "code"), _BAD)
async def test_bad_input_is_refused_and_nothing_is_begun(
    definition: Json | str, inputs: Json, code: str, stage: Stage
) -> None:
    run = f"bad-{time.time_ns()}"
    worker = await stage.worker(run, {})
    request = RunRequest(definition=definition, inputs=inputs)
    await stage.client.start_workflow(WORKFLOW_TYPE, request, id=run, task_queue=run)

    result = await Orchestrator(stage.client, run).result(run)
    begun = await tries(stage.client, run)
    await worker.kill()

    assert result.error is not None
    assert (result.status, result.error.code, begun) == ("failed", code, [])


def _four_attempts() -> Case:
    node = call("a", retry={"max_attempts": 4, "initial_delay": "20ms", "max_delay": "50ms"})
    return Case(world([node]), done=once("a#1"), held=frozenset({"a"}))


async def _die_in_it(stage: Stage, scene: Scene, times: int) -> None:
    """Let so many workers die while they perform the node ``a``."""
    for number in range(times):
        worker = await stage.worker(scene.run, {})
        await arrived("a", number + 1)(scene)
        await worker.kill()
