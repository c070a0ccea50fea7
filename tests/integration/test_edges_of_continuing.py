"""Where going on in a new workflow run could lose, repeat or wedge something."""

import os
from base64 import b64encode
from typing import Any

import pytest

from orchestrator.contracts import Message, ResolveRequest
from orchestrator.graph.plan import NodeId
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import Node, broken, call, for_each, shout, sub, ticking
from tests.integration.running import Runs
from tests.scenarios import ask, compute, data, edge, graph
from tests.unit.loopback import Answer, Web

ANYTHING: Node = {"x": {}}


def undoable(count: int, last: Node, *more: Node, **rest: Any) -> Node:
    """A ForEach whose items each have to be undone, and a node behind it."""
    body = [
        shout("do", "w{{ item }}", compensate="undo"),
        {"id": "undo", "type": "ModelInvoke", "config": {"model": "simulated", "prompt": "undo {{ output.result }}"}},
    ]
    return graph(
        [for_each("all", list(range(count)), body, {}, concurrency=1), last, *more, shout("bye", "{{ run.status }}")],
        [edge("all", str(last["id"]))],
        **{"finally": ["bye"]},
        **rest,
    )


@pytest.mark.parametrize("how", ["fails", "cancelled while asking", "cancelled at work", "out of time at work"])
async def test_many_visits_are_undone_once_each_over_several_workflow_runs(
    runs: Runs, running_worker: RunningWorker, slow: Web, how: str
) -> None:
    last = {
        "fails": broken("last", on_failure="fail"),
        "cancelled while asking": ask("last", "?"),
        "cancelled at work": call("last", slow.url),
        "out of time at work": call("last", slow.url),
    }[how]
    limits = {"limits": {"timeout": "6s"}} if how.startswith("out") else {}
    async with running_worker(rollover_events=60):
        run_id = await runs.start(undoable(45, last, **limits))
        if how.startswith("cancelled"):

            async def reached() -> bool:
                nodes = (await runs.door.state(run_id)).nodes
                return bool(nodes) and nodes[NodeId("last")].status == "running"

            await runs.until(reached)
            before = (await runs.door.state(run_id)).continued
            await runs.door.cancel(run_id)
        else:
            before = 0
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
        kinds = [event.type for event in await runs.events(run_id)]
    assert result.status == {"f": "failed", "c": "cancelled", "o": "timed_out"}[how[0]]
    assert result.undone == tuple(f"all[{index}].do" for index in reversed(range(45)))
    assert result.aside == ()
    assert kinds.count("COMPENSATED") == 45
    assert result.path[-1] == "bye"
    assert state.nodes[NodeId("bye")].output == {"result": result.status.upper()}
    assert state.continued - before >= 2


async def test_no_message_is_lost_while_a_large_state_is_stored(runs: Runs, running_worker: RunningWorker) -> None:
    tick, again = ticking("tick", 36)
    definition = graph(
        [data("start"), *[ask(f"q{n}", "?") for n in range(2)], tick],
        [*[edge("start", f"q{n}") for n in range(2)], edge("start", "tick"), again],
        inputs=ANYTHING,
        outputs={"x": "{{ inputs.x | length }}", "q": "{{ nodes.q0.value }}"},
    )
    # Random text, so that it takes as much when it is packed.
    noise = b64encode(os.urandom(720_000)).decode()
    sent: list[str] = []
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition, {"x": noise})
        await runs.waits(run_id, "q1")

        async def ticked() -> bool:
            sent.append(f"m{len(sent)}")
            await runs.door.send(run_id, Message(text=sent[-1], node="q0", message_id=sent[-1]))
            nodes = (await runs.door.state(run_id)).nodes  # none while the state is being fetched
            return len(sent) > 90 or (bool(nodes) and nodes[NodeId("tick")].visits == 36)

        await runs.until(ticked)
        await runs.door.answer(run_id, Message(text="ok", node="q1"))
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
        rejected = [event.data["message_id"] for event in await runs.events(run_id) if event.type == "REJECTED"]
        history = await runs.handle(run_id).fetch_history()
    activities = [event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events]
    assert result.error is None
    assert result.outputs == {"x": str(len(noise)), "q": sent[0]}
    assert rejected == sent[1:]
    assert "load_page" in activities
    assert state.continued >= 2


async def test_parked_items_go_on_parked_and_are_resolved_elsewhere(runs: Runs, running_worker: RunningWorker) -> None:
    tick, again = ticking("tick", 30)
    body = [compute("six", "6 / input.n", {"n": "{{ item }}"})]
    each = for_each("all", [1, 0, 2, 0], body, {"six": "{{ nodes.six.result }}"})
    definition = graph(
        [data("start"), each, tick],
        [edge("start", "all"), edge("start", "tick"), again],
        outputs={"all": "{{ nodes.all.results }}"},
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)

        async def ticked() -> bool:
            state = await runs.door.state(run_id)
            return bool(state.nodes) and state.nodes[NodeId("tick")].visits == 30 and state.continued >= 1

        await runs.until(ticked)
        parked = await runs.parks(run_id, 2)
        assert [item.node for item in parked] == ["all[1].six", "all[3].six"]
        await runs.door.resolve(run_id, ResolveRequest(action="retry", node="all[1].six", config={"input": {"n": 3}}))
        await runs.door.resolve(run_id, ResolveRequest(action="override", output={"result": 9}))
        result = await runs.result(run_id)
        kinds = [event.type for event in await runs.events(run_id)]
    assert result.outputs == {"all": [{"six": 6}, {"six": 2}, {"six": 3}, {"six": 9}]}
    assert (kinds.count("PARKED"), kinds.count("ERROR")) == (2, 2)


async def test_what_is_at_work_ends_before_the_run_goes_on(
    runs: Runs, running_worker: RunningWorker, slow: Web
) -> None:
    hold = slow.answers[0].hold
    assert hold is not None
    slow.answers.append(Answer(body={"ok": True}))
    tick, again = ticking("tick", 40)
    definition = graph(
        [data("start"), call("work", slow.url, retry={"max_attempts": 2, "initial_delay": "10ms"}), tick],
        [edge("start", "work"), edge("start", "tick"), again],
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)

        async def long_enough() -> bool:
            history = await runs.handle(run_id).fetch_history()
            return len(history.events) >= 60

        await runs.until(long_enough)
        assert (await runs.door.state(run_id)).continued == 0
        hold.set()  # hangs up, so that the node is tried again
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
    assert result.error is None
    assert (len(slow.seen), result.path.count("work"), result.path.count("tick#40")) == (2, 1, 1)
    assert state.continued >= 2


async def test_waits_and_deadlines_stay_where_they_were(runs: Runs, running_worker: RunningWorker) -> None:
    tick, again = ticking("tick", 1_000)
    wait: Node = {"id": "wait", "type": "Wait", "config": {"for": "3s"}}
    definition = graph(
        [data("start"), wait, tick, data("first", join="any", cancel_others=True)],
        [edge("start", "wait"), edge("start", "tick"), edge("wait", "first"), again, edge("tick", "first")],
        limits={"timeout": "30s"},
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
    assert result.status == "completed", result.error
    assert state.continued >= 1
    assert result.path[-2:] == ("wait", "first")


async def test_loops_and_shared_state_inside_bodies_go_on(runs: Runs, running_worker: RunningWorker) -> None:
    loop = {
        "id": "m",
        "type": "ModelInvoke",
        "config": {"model": "simulated", "prompt": "{{ state.n }}"},
        "write": {"n": 1, "log": "{{ item }}"},
    }
    body = [loop, shout("after", "x{{ state.n }}")]
    node = for_each(
        "all",
        ["a", "b", "c"],
        body,
        {"n": "{{ state.n }}", "log": "{{ state.log }}", "said": "{{ nodes.after.result }}"},
        edges=[edge("m", "m", when="state.n < 12", max_visits=20), edge("m", "after")],
        state={
            "n": {"type": "integer", "initial": 0, "reducer": "add"},
            "log": {"type": "array", "initial": [], "reducer": "append"},
        },
    )
    definition = graph([node], outputs={"all": "{{ nodes.all.results }}"})
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
    assert result.error is None
    assert result.outputs == {"all": [{"n": 12, "log": [name] * 12, "said": "X12"} for name in "abc"]}
    assert "all[1].m#12" in result.path
    assert state.continued >= 2
    assert result.usage.calls == 36


async def test_a_collecting_for_each_keeps_its_errors(runs: Runs, running_worker: RunningWorker) -> None:
    inner = sub(
        "sub",
        [
            {"id": "m", "type": "ModelInvoke", "config": {"model": "simulated", "prompt": "x"}},
            compute("six", "6 / input.n", {"n": "{{ inputs.n }}"}),
            shout("bye", "bye"),
        ],
        {"six": "{{ nodes.six.result }}"},
        edges=[edge("m", "six")],
        inputs={"n": "{{ item }}"},
        **{"finally": ["bye"]},
    )
    node = for_each("all", "inputs.x", [inner], {"six": "{{ nodes.sub.six }}"}, on_item_error="collect", concurrency=4)
    definition = graph([node], inputs=ANYTHING, outputs={"all": "{{ nodes.all }}"})
    numbers = [number % 4 for number in range(60)]
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition, {"x": numbers})
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
    assert result.error is None
    told = result.outputs["all"]
    assert told["results"] == [{"six": 6 // number} if number else None for number in numbers]
    assert [error["index"] for error in told["errors"]] == list(range(0, 60, 4))
    assert {error["code"] for error in told["errors"]} == {"EXPRESSION_FAILED"}
    assert sorted(name for name in result.path if name.endswith("bye")) == sorted(
        f"all[{index}].sub.bye" for index in range(60)
    )
    assert state.continued >= 2
