"""Runs that go on in new workflow runs, with everything they know."""

from typing import Any

from orchestrator.contracts import Message, ResolveRequest
from orchestrator.graph.plan import NodeId
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.scenarios import ask, data, edge, graph

Node = dict[str, Any]


async def lives(runs: Runs, run_id: str) -> int:
    """How many workflow runs a run took."""
    listed = runs.client.list_workflows(f"WorkflowId = '{run_id}'")
    return len([execution async for execution in listed])


async def test_a_loop_goes_on_in_new_runs(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [
            {
                "id": "add",
                "type": "ModelInvoke",
                "config": {"model": "simulated", "prompt": "one more"},
                "write": {"n": 1},
            }
        ],
        [edge("add", "add", when="state.n < 60", max_visits=1000)],
        state={"n": {"type": "number", "initial": 0, "reducer": "add"}},
        outputs={"n": "{{ state.n }}"},
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
        events = (await runs.door.progress(run_id, limit=1000)).events
    assert result.error is None
    assert result.outputs == {"n": 60}
    assert len(result.path) == 60
    assert state.continued >= 2
    assert await lives(runs, run_id) == state.continued + 1
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_a_for_each_goes_on_in_new_runs(runs: Runs, running_worker: RunningWorker) -> None:
    body = {
        "nodes": [{"id": "m", "type": "ModelInvoke", "config": {"model": "simulated", "prompt": "{{ item }}"}}],
        "outputs": {"index": "{{ index }}", "text": "{{ nodes.m.text }}"},
    }
    node = {"id": "all", "type": "ForEach", "config": {"items": "inputs.items", "do": body, "concurrency": 7}}
    definition = graph([node], inputs={"items": {"type": "array"}}, outputs={"all": "{{ nodes.all.results }}"})
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition, {"items": [f"item {n}" for n in range(60)]})
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
    assert result.error is None
    assert [item["index"] for item in result.outputs["all"]] == list(range(60))
    assert all(f"item {n}" in item["text"] for n, item in enumerate(result.outputs["all"]))
    assert state.continued >= 2
    assert result.usage.calls == 60


async def test_a_conversation_goes_on_in_new_runs(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [ask("q", "Say something"), data("end")],
        [edge("q", "q", when="output.text != 'stop'", max_visits=1000), edge("q", "end")],
        outputs={"last": "{{ nodes.q.text }}", "visits": "{{ nodes.q.visits | length }}"},
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        for number in range(40):
            await runs.waits(run_id)
            reply = await runs.door.answer(run_id, Message(text=f"t{number}", message_id=f"m{number}"))
            assert reply.visit == number + 1
        again = await runs.door.answer(run_id, Message(text="t3", message_id="m3"))
        assert (again.node, again.visit) == ("q", 4)
        state = await runs.door.state(run_id)
        assert state.continued >= 2
        await runs.door.answer(run_id, Message(text="stop"))
        result = await runs.result(run_id)
    assert result.outputs == {"last": "stop", "visits": "41"}


async def test_what_waits_is_parked_or_paused_goes_on(runs: Runs, running_worker: RunningWorker) -> None:
    loop = {"id": "tick", "type": "ModelInvoke", "config": {"model": "simulated", "prompt": "tick"}}
    nothing: Node = {"operation": "expression", "input": {}, "expression": "1 / 0"}
    broken = {"id": "broken", "type": "Transform", "config": nothing}
    definition = graph(
        [
            data("start"),
            ask("q", "Still there?"),
            broken,
            loop,
            {"id": "wait", "type": "Wait", "config": {"for": "3s"}},
            data("end"),
        ],
        [
            *[edge("start", name) for name in ("q", "broken", "tick", "wait")],
            edge("tick", "tick", when="true", max_visits=40),
            *[edge(name, "end") for name in ("q", "broken", "tick", "wait")],
        ],
        outputs={"said": "{{ nodes.q.text }}"},
        limits={"timeout": "1h"},
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        await runs.parks(run_id)

        async def ticked() -> bool:
            return (await runs.door.state(run_id)).nodes[NodeId("tick")].visits == 40

        await runs.until(ticked)
        state = await runs.door.state(run_id)
        assert state.continued >= 1
        assert [parked.node for parked in state.parked] == ["broken"]
        kinds = [event.type for event in await runs.events(run_id)]
        assert kinds.count("PARKED") == kinds.count("AWAITING_INPUT") == 1
        await runs.door.resolve(run_id, ResolveRequest(action="skip"))
        await runs.door.answer(run_id, Message(text="yes"))
        result = await runs.result(run_id)
    assert result.outputs == {"said": "yes"}
