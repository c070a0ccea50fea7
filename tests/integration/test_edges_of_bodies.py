"""Where graphs inside nodes could come apart: no items and many, wrong ones, questions, failures, limits, children."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from orchestrator.contracts import Message, ResolveRequest, RunContext, RunRequest
from orchestrator.errors import NothingAwaitedError
from orchestrator.graph.plan import NodeId
from orchestrator.settings import Settings
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import N, Node, broken, child, for_each, risky, shout, sub, ticking
from tests.integration.running import Runs
from tests.scenarios import ask, data, edge, graph, model

ANYTHING: Node = {"x": {}}


@pytest.fixture
def library(worker_settings: Settings) -> Path:
    """Where the worker finds definitions by name."""
    return worker_settings.definitions_dir


@pytest.mark.parametrize("count", [0, 1, 1_000])
async def test_every_item_gives_its_result_however_many_there_are(
    runs: Runs, running_worker: RunningWorker, count: int
) -> None:
    node = for_each("all", "inputs.x", [shout("s", "w{{ item }}")], {"s": "{{ nodes.s.result }}"}, concurrency=100)
    definition = graph(
        [node], inputs=ANYTHING, outputs={"all": "{{ nodes.all.results }}", "n": "{{ nodes.all.count }}"}
    )
    async with running_worker():
        result = await runs.run(definition, {"x": list(range(count))})
    assert result.error is None
    assert result.outputs == {"all": [{"s": f"W{n}"} for n in range(count)], "n": count}


async def test_hundreds_of_items_that_wait_for_room_do_not_hold_each_other_up(
    runs: Runs, running_worker: RunningWorker
) -> None:
    node = for_each("all", "inputs.x", [model("m", "{{ item }}")], {"i": "{{ index }}"}, concurrency=600)
    definition = graph([node], inputs=ANYTHING, outputs={"all": "{{ nodes.all.results }}"})
    async with running_worker():
        result = await runs.run(definition, {"x": list(range(600))})
    assert result.error is None
    assert result.outputs == {"all": [{"i": n} for n in range(600)]}


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        (None, "must be a list, and is of type null"),
        ({"a": 1}, "must be a list, and is of type object"),
        ("abc", "must be a list, and is of type string"),
        (True, "must be a list, and is of type boolean"),
        ([1, 2, 3], "has 3 items, more than the 2 that `max_items` allows"),
    ],
)
async def test_what_is_no_fit_list_of_items_is_one_clear_error(
    runs: Runs, running_worker: RunningWorker, items: Any, problem: str
) -> None:
    node = for_each("all", "inputs.x", [shout("s", "{{ item }}")], {}, max_items=2)
    async with running_worker():
        run_id = await runs.start(graph([node], inputs=ANYTHING, on_failure="fail"), {"x": items})
        result = await runs.result(run_id)
        kinds = [event.type for event in await runs.events(run_id)]
    assert result.error is not None
    assert problem in result.error.message
    assert result.error.node == "all"
    assert kinds.count("ERROR") == 1


async def test_a_wrong_list_parks_and_is_mended_by_other_inputs(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each("all", "inputs.x", [shout("s", "{{ item }}")], {"s": "{{ nodes.s.result }}"})
    definition = graph([node], inputs=ANYTHING, outputs={"all": "{{ nodes.all.results }}"})
    async with running_worker():
        run_id = await runs.start(definition, {"x": "a"})
        assert [parked.node for parked in await runs.parks(run_id)] == ["all"]
        await runs.door.resolve(run_id, ResolveRequest(action="retry", inputs={"x": ["a"]}))
        result = await runs.result(run_id)
    assert result.outputs == {"all": [{"s": "A"}]}


async def test_nested_questions_are_answered_in_any_order_while_the_run_goes_on_elsewhere(
    runs: Runs, running_worker: RunningWorker
) -> None:
    inner = for_each("in", "item", [ask("q", "{{ item }}?")], {"said": "{{ nodes.q.text }}"})
    outer = for_each("out", "inputs.x", [inner], {"row": "{{ nodes.in.results }}"})
    definition = graph([outer], inputs=ANYTHING, outputs={"rows": "{{ nodes.out.results }}"})
    rows = [[f"{row}{column}" for column in range(5)] for row in range(5)]
    names = [f"out[{row}].in[{column}].q" for row in range(5) for column in range(5)]
    random.Random(7).shuffle(names)  # noqa: S311 - the same order every time
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition, {"x": rows})
        for name in names:
            await runs.waits(run_id, name)
            await runs.door.answer(run_id, Message(text=name, node=name))
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
    assert result.error is None
    assert result.outputs == {
        "rows": [{"row": [{"said": f"out[{row}].in[{column}].q"} for column in range(5)]} for row in range(5)]
    }
    assert state.continued >= 1


async def test_sixty_questions_of_items_wait_at_once(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each("all", "inputs.x", [ask("q", "{{ item }}?")], {"said": "{{ nodes.q.text }}"}, concurrency=60)
    definition = graph([node], inputs=ANYTHING, outputs={"all": "{{ nodes.all.results }}"})
    async with running_worker():
        run_id = await runs.start(definition, {"x": list(range(60))})
        await runs.waits(run_id)
        for number in reversed(range(60)):
            await runs.door.answer(run_id, Message(text=str(number), node=f"all[{number}].q"))
        result = await runs.result(run_id)
    assert result.outputs == {"all": [{"said": str(number)} for number in range(60)]}


async def test_a_for_each_with_questions_is_cancelled_by_the_faster_branch(
    runs: Runs, running_worker: RunningWorker
) -> None:
    slow = for_each("slow", ["a", "b"], [ask("q", "{{ item }}?"), data("bye")], {}, **{"finally": ["bye"]})
    definition = graph(
        [data("start"), ask("fast", "?"), slow, data("first", join="any", cancel_others=True), ask("last", "?")],
        [
            *[edge("start", "fast"), edge("start", "slow"), edge("fast", "first"), edge("slow", "first")],
            edge("first", "last"),
        ],
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id, "slow[1].q")
        await runs.door.answer(run_id, Message(text="yes", node="fast"))
        await runs.waits(run_id, "last")
        assert [waiting.node for waiting in await runs.door.awaiting(run_id)] == ["last"]
        state = await runs.door.state(run_id)
        assert state.status == "awaiting_input"
        with pytest.raises(NothingAwaitedError, match="does not wait for an answer now"):
            await runs.door.answer(run_id, Message(text="late", node="slow[0].q"))
        await runs.door.answer(run_id, Message(text="done"))
        result = await runs.result(run_id)
        cancelled = [event.node for event in await runs.events(run_id) if event.type == "CANCELLED"]
    assert result.status == "completed"
    assert cancelled == ["slow"]
    assert sorted(result.path[-2:]) == ["slow[0].bye", "slow[1].bye"]


async def test_a_loop_around_a_for_each_names_its_visits(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [
            for_each(
                "all",
                ["a", "b"],
                [shout("s", "{{ item }}{{ inputs.turn }}")],
                {"s": "{{ nodes.s.result }}"},
                inputs={"turn": "{{ state.n }}"},
            )
            | {"write": {"n": 1}}
        ],
        [edge("all", "all", when="state.n < 2", max_visits=5)],
        state={"n": {"type": "integer", "initial": 0, "reducer": "add"}},
        outputs={"all": "{{ nodes.all.results }}"},
    )
    async with running_worker():
        result = await runs.run(definition)
    assert result.error is None
    assert set(result.path) == {"all[0].s", "all[1].s", "all", "all#2[0].s", "all#2[1].s", "all#2"}
    assert result.outputs == {"all": [{"s": "A1"}, {"s": "B1"}]}


@pytest.mark.parametrize("caught", [False, True])
async def test_items_that_fail_all_at_once_are_one_failure(
    runs: Runs,
    running_worker: RunningWorker,
    caught: bool,  # noqa: FBT001 - pytest's parameter
) -> None:
    node = for_each(
        "all", "inputs.x", [broken("bad")], {}, on_failure="fail", **({"on_error": "sorry"} if caught else {})
    )
    definition = graph(
        [node, *([shout("sorry", "{{ nodes.all.error.node }}")] if caught else [])],
        inputs=ANYTHING,
        on_failure="fail",
        outputs={"said": "{{ nodes.sorry.result if nodes.sorry is defined else '' }}"} if caught else {},
    )
    async with running_worker():
        result = await runs.run(definition, {"x": list(range(10))})
    if caught:
        assert (result.status, result.outputs) == ("completed", {"said": "ALL[0].BAD"})
    else:
        assert result.status == "failed"
        assert result.error is not None
        assert (result.error.code, result.error.node) == ("EXPRESSION_FAILED", "all[0].bad")


async def test_the_error_way_of_a_for_each_takes_its_other_questions_back(
    runs: Runs, running_worker: RunningWorker
) -> None:
    body = [ask("q", "{{ item }}?"), risky("six", "{{ nodes.q.text | int }}")]
    node = for_each("all", ["a", "b", "c"], body, {}, edges=[edge("q", "six")], on_error="last")
    async with running_worker():
        run_id = await runs.start(graph([node, ask("last", "{{ nodes.all.error.node }}?")]))
        await runs.waits(run_id, "all[2].q")
        await runs.door.answer(run_id, Message(text="0", node="all[1].q"))
        waiting = await runs.waits(run_id, "last")
        assert waiting.question == "all[1].six?"
        assert len(await runs.door.awaiting(run_id)) == 1
        await runs.door.answer(run_id, Message(text="ok"))
        result = await runs.result(run_id)
    assert result.status == "completed"
    assert result.path == ("all[1].q", "all", "last")


async def test_max_parallel_counts_the_work_of_all_scopes(runs: Runs, running_worker: RunningWorker) -> None:
    inner = for_each("in", "inputs.numbers", [model("m", "{{ item }}")], {})
    outer = for_each("out", "inputs.x", [inner], {}, inputs={"numbers": "{{ inputs.x }}"}, concurrency=5)
    definition = graph([outer, model("beside", "me")], inputs=ANYTHING, limits={"max_parallel": 3})
    async with running_worker():
        run_id = await runs.start(definition, {"x": list(range(6))})
        result = await runs.result(run_id)
        events = await runs.events(run_id)
    assert result.error is None
    under_way, most = 0, 0
    for event in events:
        if event.node is not None and event.node.endswith((".m", "beside")):
            under_way += {"STARTED": 1, "COMPLETED": -1}[event.type]
            most = max(most, under_way)
    assert (under_way, most) == (0, 3)
    assert len([name for name in result.path if name.endswith(".m")]) == 36


async def test_limits_steps_counts_the_visits_of_all_scopes(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each("all", "inputs.x", [sub("sub", [shout("s", "a")], {})], {})
    async with running_worker():
        result = await runs.run(graph([node], inputs=ANYTHING, limits={"steps": 6}), {"x": list(range(5))})
    assert result.error is not None
    assert "6 visits" in result.error.message
    assert result.status == "failed"


async def test_the_finally_nodes_of_a_sub_workflow_left_early_run_once(
    runs: Runs, running_worker: RunningWorker
) -> None:
    slow = sub("sub", [ask("q", "?"), shout("bye", "{{ run.status }}")], {}, **{"finally": ["bye"]})
    definition = graph(
        [slow, ask("fast", "?"), data("first", join="any", cancel_others=True)],
        [edge("fast", "first"), edge("sub", "first")],
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id, "sub.q")
        await runs.door.answer(run_id, Message(text="go", node="fast"))
        finished = await runs.result(run_id)
        run_id = await runs.start(definition)
        await runs.waits(run_id, "sub.q")
        await runs.door.cancel(run_id)
        cancelled = await runs.result(run_id)
    assert (finished.status, finished.path.count("sub.bye")) == ("completed", 1)
    assert (cancelled.status, cancelled.path.count("sub.bye")) == ("cancelled", 1)


CHILD_ASKS = """
name: asks
nodes: [{id: q, type: UserInput, config: {question: 'Well?'}}]
outputs: {said: '{{ nodes.q.text }}'}
"""
CHILD_FAILS = """
name: fails
nodes: [{id: bad, type: Transform, config: {operation: expression, input: {}, expression: 1 / 0}}]
outputs: {said: '{{ nodes.bad.result }}'}
"""


async def started_child(runs: Runs, run_id: str) -> str:
    """The id of a run's only child, once it has one."""
    found: list[str] = []

    async def there() -> bool:
        found[:] = [kid.run for kid in (await runs.door.progress(run_id)).children]
        return bool(found)

    await runs.until(there)
    return found[0]


@pytest.mark.parametrize("later", [False, True], ids=["at once", "after going on in a new workflow run"])
async def test_cancelling_a_run_cancels_its_child(
    runs: Runs,
    running_worker: RunningWorker,
    library: Path,
    later: bool,  # noqa: FBT001 - pytest's parameter
) -> None:
    (library / "asks.yaml").write_text(CHILD_ASKS)
    tick, again = ticking("tick", 30)
    definition = graph(
        [data("start"), child("sub", "asks"), *([tick] if later else [])],
        [edge("start", "sub"), *([edge("start", "tick"), again] if later else [])],
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        kid = await started_child(runs, run_id)
        await runs.waits(kid)
        if later:

            async def went_on() -> bool:
                state = await runs.door.state(run_id)
                return state.continued >= 1 and state.nodes[NodeId("tick")].visits == 30

            await runs.until(went_on)
        await runs.door.cancel(run_id)
        result = await runs.result(run_id)
        kid_result = await runs.result(kid)
        kinds = [event.type for event in await runs.events(run_id)]
    assert (result.status, kid_result.status) == ("cancelled", "cancelled")
    assert "PARKED" not in kinds


async def test_what_is_parked_in_a_child_shows_in_its_parent_until_it_is_resolved(
    runs: Runs, running_worker: RunningWorker, library: Path
) -> None:
    (library / "fails.yaml").write_text(CHILD_FAILS)
    definition = graph([child("sub", "fails")], outputs={"said": "{{ nodes.sub.said }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        kid = await started_child(runs, run_id)
        await runs.parks(kid)

        async def shows() -> bool:
            page = await runs.door.progress(run_id)
            return [parked.node for kid in page.children for parked in kid.parked] == ["bad"]

        await runs.until(shows)
        state = await runs.door.state(run_id)
        assert state.status == "needs_attention"
        await runs.door.resolve(kid, ResolveRequest(action="override", output={"result": 5}))
        result = await runs.result(run_id)
        kid_result = await runs.result(kid)
    assert (result.outputs, kid_result.outputs) == ({"said": 5}, {"said": 5})


async def test_a_child_ends_after_its_parent_has_gone_on_elsewhere(
    runs: Runs, running_worker: RunningWorker, library: Path
) -> None:
    (library / "asks.yaml").write_text(CHILD_ASKS)
    tick, again = ticking("tick", 40)
    definition = graph(
        [child("sub", "asks"), tick, data("end")],
        [again, edge("sub", "end"), edge("tick", "end")],
        outputs={"said": "{{ nodes.sub.said }}"},
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        kid = await started_child(runs, run_id)

        async def ticked() -> bool:
            state = await runs.door.state(run_id)
            return state.continued >= 2

        await runs.until(ticked)
        await runs.door.answer(kid, Message(text="at last"))
        result = await runs.result(run_id)
    assert result.error is None
    assert result.outputs == {"said": "at last"}
    assert result.path.count("sub") == 1


async def test_a_definition_that_calls_itself_ends_at_the_deepest_level(
    runs: Runs, running_worker: RunningWorker, library: Path
) -> None:
    (library / "again.yaml").write_text(
        "name: again\non_failure: fail\n"
        "nodes: [{id: sub, type: Subworkflow, config: {definition: again, mode: child}}]\n"
    )
    async with running_worker():
        result = await runs.run("again")
    assert result.status == "failed"
    assert result.error is not None
    assert "more than 10 deep" in result.error.message


async def test_a_child_has_the_context_of_its_parent(runs: Runs, running_worker: RunningWorker, library: Path) -> None:
    (library / "asks.yaml").write_text(CHILD_ASKS.replace("Well?", "Well, {{ context.user }}?"))
    async with running_worker():
        request = RunRequest(definition=graph([child("sub", "asks")]), context=RunContext(user="ada"))
        run_id = await runs.door.start(request, f"context-{random.getrandbits(64)}")
        kid = await started_child(runs, run_id)
        assert (await runs.waits(kid)).question == "Well, ada?"
        await runs.door.answer(kid, Message(text="ok"))
        await runs.result(run_id)


async def test_a_terminated_child_parks_its_node_and_a_retry_starts_another(
    runs: Runs, running_worker: RunningWorker, library: Path
) -> None:
    (library / "asks.yaml").write_text(CHILD_ASKS)
    definition = graph([child("sub", "asks")], outputs={"said": "{{ nodes.sub.said }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        kid = await started_child(runs, run_id)
        await runs.waits(kid)
        await runs.handle(kid).terminate()
        (parked,) = await runs.parks(run_id)
        assert "ended without a result" in parked.error.message
        await runs.door.resolve(run_id, ResolveRequest(action="retry"))
        other = await started_child(runs, run_id)
        assert other != kid
        await runs.waits(other)
        await runs.door.answer(other, Message(text="hello"))
        result = await asyncio.wait_for(runs.result(run_id), 10)
        description = await runs.handle(kid).describe()
    assert description.status == WorkflowExecutionStatus.TERMINATED
    assert result.outputs == {"said": "hello"}


async def test_an_item_with_a_sub_workflow_is_tried_again_inside(runs: Runs, running_worker: RunningWorker) -> None:
    inside = sub("sub", [risky("six", "{{ inputs.n }}")], {"six": "{{ nodes.six.result }}"}, inputs={"n": "{{ item }}"})
    node = for_each("all", "inputs.x", [inside], {"six": "{{ nodes.sub.six }}"})
    definition = graph([node], inputs={**ANYTHING, **N}, outputs={"all": "{{ nodes.all.results }}"})
    async with running_worker():
        run_id = await runs.start(definition, {"x": [1, 0, 2]})
        (parked,) = await runs.parks(run_id)
        assert parked.node == "all[1].sub.six"
        await runs.door.resolve(
            run_id, ResolveRequest(action="retry", node="all[1].sub.six", config={"input": {"n": 3}})
        )
        result = await runs.result(run_id)
    assert result.outputs == {"all": [{"six": 6}, {"six": 2}, {"six": 3}]}
