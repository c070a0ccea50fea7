"""Nothing is done twice, lost or left undone at the seam between two workflow runs."""

import asyncio
import json
import os
import threading
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from activities.blobs.folder import FolderBlobs
from orchestrator.contracts import ForkRequest, Message, MigrateRequest, RunRequest
from orchestrator.graph.plan import NodeId
from orchestrator.settings import Settings
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import broken, call, child, for_each, shout, ticking
from tests.integration.running import Runs
from tests.scenarios import ask, data, edge, graph
from tests.unit.loopback import Answer, web


@contextmanager
def loading_held(monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[threading.Event, threading.Event]]:
    """Reading blobs waits until the second event is set; the first says that somebody reads."""
    asked, go_on = threading.Event(), threading.Event()
    read: Any = vars(FolderBlobs)["_get"]

    def held(self: FolderBlobs, key: str) -> Any:
        asked.set()
        go_on.wait(20)
        return read(self, key)

    monkeypatch.setattr(FolderBlobs, "_get", held)
    try:
        yield asked, go_on
    finally:
        go_on.set()


ANYTHING: dict[str, Any] = {"x": {}}
NOISE = b64encode(os.urandom(720_000)).decode()
"""Takes as much when it is packed, so that the run's state goes to blob storage."""


async def test_a_parked_node_is_not_run_again(runs: Runs, running_worker: RunningWorker) -> None:
    tick, again = ticking("tick", 30)
    with web() as server:
        server.answers = [Answer(status=404)]
        definition = graph(
            [data("start"), call("pay", server.url), tick],
            [edge("start", "pay"), edge("start", "tick"), again],
        )
        async with running_worker(rollover_events=60):
            run_id = await runs.start(definition)
            await runs.parks(run_id)

            async def ticked() -> bool:
                state = await runs.door.state(run_id)
                return bool(state.nodes) and state.nodes[NodeId("tick")].visits == 30

            await runs.until(ticked)
            state = await runs.door.state(run_id)
            await runs.door.cancel(run_id)
    assert state.continued >= 1
    assert [parked.node for parked in state.parked] == ["pay"]
    assert len(server.seen) == 1


async def test_what_cannot_be_carried_fails_the_run_and_is_undone(runs: Runs, running_worker: RunningWorker) -> None:
    tick, again = ticking("tick", 3_500)
    fields = dict.fromkeys("abcdefg", "{{ inputs.big }}")
    many = for_each("all", list(range(24)), [data("d", 1)], fields, concurrency=1, inputs={"big": "{{ inputs.big }}"})
    definition = graph(
        [shout("book", "x", compensate="undo"), shout("undo", "undone"), many, tick, shout("bye", "{{ run.status }}")],
        [edge("book", "all"), edge("all", "tick"), again],
        inputs=ANYTHING | {"big": {"type": "string"}},
        **{"finally": ["bye"]},
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition, {"big": "x" * 110_000, "x": 0})

        async def stays() -> bool:
            state = await runs.door.state(run_id)
            return bool(state.nodes) and state.nodes[NodeId("tick")].visits > 20

        await runs.until(stays)
        await runs.door.cancel(run_id)
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
    assert (result.status, result.undone, result.path[-1], state.status) == (
        "cancelled",
        ("book",),
        "bye",
        "cancelled",
    )


async def test_what_comes_in_while_a_state_is_loaded_counts(
    runs: Runs, running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick, again = ticking("tick", 25)
    definition = graph(
        [data("start"), tick], [edge("start", "tick"), again], inputs=ANYTHING, outputs={"x": "{{ inputs.x | length }}"}
    )
    with loading_held(monkeypatch) as (asked, go_on):
        async with running_worker(rollover_events=60):
            run_id = await runs.start(definition, {"x": NOISE})
            assert await asyncio.to_thread(asked.wait, 20)
            await runs.door.pause(run_id)
            await runs.handle(run_id).signal("resume")
            go_on.set()
            result = await runs.result(run_id)
            events = await runs.events(run_id)
    kinds = [event.type for event in events]
    assert result.status == "completed"
    assert [kind for kind in kinds if kind in ("RUN_PAUSED", "RUN_RESUMED")] == ["RUN_PAUSED", "RUN_RESUMED"]
    assert [event.seq for event in events] == list(range(events[0].seq, events[0].seq + len(events)))


async def test_a_run_cancelled_while_its_state_is_loaded_is_undone(
    runs: Runs, running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick, again = ticking("tick", 60)
    definition = graph(
        [shout("book", "x", compensate="undo"), shout("undo", "u"), tick, shout("bye", "b")],
        [edge("book", "tick"), again],
        inputs=ANYTHING,
        outputs={"x": "{{ inputs.x | length }}"},
        **{"finally": ["bye"]},
    )
    with loading_held(monkeypatch) as (asked, go_on):
        async with running_worker(rollover_events=60):
            run_id = await runs.start(definition, {"x": NOISE})
            assert await asyncio.to_thread(asked.wait, 20)
            await runs.door.cancel(run_id)
            go_on.set()
            result = await runs.result(run_id)
    assert (result.status, result.undone, result.path[-1]) == ("cancelled", ("book",), "bye")


async def test_waiting_children_of_a_continued_parent_take_no_room(
    runs: Runs, running_worker: RunningWorker, worker_settings: Settings
) -> None:
    think = {"id": "m", "type": "ModelInvoke", "config": {"model": "simulated", "prompt": "x"}}
    kid = {
        "name": "kid",
        "inputs": {"n": {"type": "integer"}},
        "nodes": [ask("q", "go?"), think],
        "edges": [edge("q", "m")],
        "outputs": {"t": "{{ nodes.m.model }}"},
    }
    (worker_settings.definitions_dir / "kid.yaml").write_text(json.dumps(kid))
    count = 6
    tick, again = ticking("tick", 20)
    each = for_each(
        "all", list(range(count)), [child("kid", "kid", n="{{ index }}")], {"t": "{{ nodes.kid.t }}"}, concurrency=count
    )
    definition = graph(
        [data("start"), each, tick],
        [edge("start", "all"), edge("start", "tick"), again],
        outputs={"all": "{{ nodes.all.results }}"},
    )
    async with running_worker(rollover_events=50, max_concurrent_activities=4):
        run_id = await runs.start(definition)

        async def rolled() -> bool:
            state = await runs.door.state(run_id)
            return state.continued >= 1 and len(state.children) == count

        await runs.until(rolled)
        for kin in (await runs.door.state(run_id)).children:
            await runs.waits(kin.run)
            await runs.door.answer(kin.run, Message(text="go"))
        result = await runs.result(run_id)
    assert result.outputs == {"all": [{"t": "simulated"}] * count}


async def test_what_fails_while_undoing_is_told_in_bounds(runs: Runs, running_worker: RunningWorker) -> None:
    undo = {"id": "undo", "type": "DataInput", "config": {"data": "{{ output.result.a.b" + ".ccccccc" * 100 + " }}"}}
    body = [shout("do", "w{{ item }}", compensate="undo"), undo]
    last = broken("last", on_failure="fail")
    definition = graph([for_each("all", list(range(150)), body, {}), last], [edge("all", "last")])
    async with running_worker():
        result = await runs.run(definition)
    assert (result.status, len(result.aside), result.undone) == ("failed", 100, ())
    assert max(len(info.message) for info in result.aside) <= 500


async def test_a_fork_that_moves_keeps_where_it_comes_from(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([data("a", 1), ask("q", "?")], [edge("a", "q")])
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        request = RunRequest(definition="scenario@1.0.0", fork=ForkRequest(run=run_id, at="q"))
        forked = await runs.door.fork(request, f"{run_id}-fork")
        await runs.waits(forked)
        await runs.door.migrate(forked, MigrateRequest(definition=definition | {"version": "1.0.1"}))

        async def moved() -> bool:
            return (await runs.door.state(forked)).definition.endswith("1.0.1")

        await runs.until(moved)
        lineage = (await runs.door.state(forked)).result.forked_from
        await runs.door.cancel(run_id)
        await runs.door.cancel(forked)
    assert lineage is not None
    assert (lineage.run, lineage.at) == (run_id, "q")
