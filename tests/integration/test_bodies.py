"""ForEach and Subworkflow: graphs inside nodes."""

import asyncio
from typing import Any

from orchestrator.contracts import Message, ResolveRequest
from orchestrator.graph.plan import NodeId
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import Node, for_each, shout
from tests.integration.running import Runs
from tests.scenarios import ask, data, edge, graph


async def test_results_stand_in_the_order_of_the_items(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each(
        "all",
        "inputs.words",
        [shout("shout", "{{ item }} {{ inputs.mark }} {{ index }}")],
        {"said": "{{ nodes.shout.result }}"},
        inputs={"mark": "{{ inputs.mark }}"},
        concurrency=3,
    )
    definition = graph(
        [data("start"), node, data("end")],
        [edge("start", "all"), edge("all", "end")],
        inputs={"words": {"type": "array"}, "mark": {"type": "string"}},
        outputs={"said": "{{ nodes.all.results }}", "n": "{{ nodes.all.count }}"},
    )
    words = [f"w{number}" for number in range(25)]
    async with running_worker():
        result = await runs.run(definition, {"words": words, "mark": "!"})
    assert result.error is None
    assert result.outputs == {"said": [{"said": f"W{n} ! {n}"} for n in range(25)], "n": 25}
    assert "all[3].shout" in result.path


async def test_no_items_give_no_results(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each("all", "inputs.words", [shout("shout", "{{ item }}")], {"said": "{{ nodes.shout.result }}"})
    definition = graph([node], inputs={"words": {"type": "array"}}, outputs={"said": "{{ nodes.all.results }}"})
    async with running_worker():
        result = await runs.run(definition, {"words": []})
    assert result.outputs == {"said": []}


async def test_questions_inside_items_are_answered_by_item(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each("all", ["a", "b", "c"], [ask("q", "What of {{ item }}?")], {"got": "{{ nodes.q.text }}"})
    definition = graph([node], outputs={"got": "{{ nodes.all.results }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        for name in ("all[2].q", "all[0].q", "all[1].q"):
            waiting = await runs.waits(run_id, name)
            assert waiting.question == f"What of {'abc'[int(name[4])]}?"
            await runs.door.answer(run_id, Message(text=name, node=name))
        result = await runs.result(run_id)
    assert result.outputs == {"got": [{"got": f"all[{n}].q"} for n in range(3)]}


async def test_bodies_nest(runs: Runs, running_worker: RunningWorker) -> None:
    inner = for_each("inner", "item", [shout("s", "{{ item }}")], {"s": "{{ nodes.s.result }}"})
    outer = for_each("outer", "inputs.rows", [inner], {"row": "{{ nodes.inner.results }}"})
    definition = graph([outer], inputs={"rows": {"type": "array"}}, outputs={"rows": "{{ nodes.outer.results }}"})
    async with running_worker():
        result = await runs.run(definition, {"rows": [["a", "b"], ["c"]]})
    assert result.error is None
    assert result.outputs == {"rows": [{"row": [{"s": "A"}, {"s": "B"}]}, {"row": [{"s": "C"}]}]}
    assert "outer[0].inner[1].s" in result.path


FAILS_ON_B = {
    "id": "check",
    "type": "Transform",
    "config": {"operation": "expression", "input": {"x": "{{ item }}"}, "expression": "input.x == 'b' ? 1 / 0 : 1"},
}


async def test_errors_of_items_are_collected(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each("all", ["a", "b", "c"], [FAILS_ON_B], {"ok": "{{ nodes.check.result }}"}, on_item_error="collect")
    definition = graph([node], outputs={"all": "{{ nodes.all }}"})
    async with running_worker():
        result = await runs.run(definition)
    assert result.error is None
    assert result.outputs["all"]["results"] == [{"ok": 1}, None, {"ok": 1}]
    assert [error["index"] for error in result.outputs["all"]["errors"]] == [1]


async def test_a_failing_item_parks_inside_and_goes_on_when_resolved(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each("all", ["a", "b", "c"], [FAILS_ON_B], {"ok": "{{ nodes.check.result }}"})
    definition = graph([node], outputs={"all": "{{ nodes.all.results }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        parked = await runs.parks(run_id)
        assert [item.node for item in parked] == ["all[1].check"]
        state = await runs.door.state(run_id)
        assert state.status == "needs_attention"
        await runs.door.resolve(run_id, ResolveRequest(action="override", output={"result": 7}))
        result = await runs.result(run_id)
    assert result.outputs == {"all": [{"ok": 1}, {"ok": 7}, {"ok": 1}]}


async def test_an_inline_subworkflow_runs_a_definition_of_the_library(
    runs: Runs, running_worker: RunningWorker, worker_settings: Any
) -> None:
    (worker_settings.definitions_dir / "greet.yaml").write_text(
        "name: greet\ninputs: {who: {type: string}, mark: {type: string, default: '!'}}\n"
        "nodes: [{id: hi, type: Format, config: {template: 'Hi {{ inputs.who }}{{ inputs.mark }}'}}]\n"
        "outputs: {text: '{{ nodes.hi.text }}'}\n"
    )
    for mode in ("inline", "child"):
        node = {
            "id": "sub",
            "type": "Subworkflow",
            "config": {"definition": "greet", "inputs": {"who": "{{ inputs.who }}"}, "mode": mode},
        }
        definition = graph([node], inputs={"who": {"type": "string"}}, outputs={"text": "{{ nodes.sub.text }}"})
        async with running_worker():
            result = await runs.run(definition, {"who": "Ada"})
        assert result.error is None, mode
        assert result.outputs == {"text": "Hi Ada!"}, mode


async def test_two_items_at_most_are_under_way(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each("all", ["a", "b", "c"], [ask("q", "{{ item }}?")], {}, concurrency=2)
    async with running_worker():
        run_id = await runs.start(graph([node]))
        await runs.waits(run_id, "all[1].q")
        assert [item.node for item in await runs.door.awaiting(run_id)] == ["all[0].q", "all[1].q"]
        for _ in range(3):
            await runs.waits(run_id)
            await runs.door.answer(run_id, Message(text="yes"))
        await asyncio.wait_for(runs.result(run_id), 10)


async def test_items_come_from_a_list_in_blob_storage(runs: Runs, running_worker: RunningWorker) -> None:
    longer = "input.l.map(x, x + 'abcdefghij' + 'abcdefghij' + 'abcdefghij')"
    config = {"operation": "expression", "input": {"l": "{{ inputs.l }}"}, "expression": longer}
    big: Node = {"id": "big", "type": "Transform", "config": config}
    node = for_each(
        "all", "nodes.big.result.filter(x, x.startsWith('5'))", [data("d", "{{ item }}")], {"n": "{{ index }}"}
    )
    definition = graph(
        [big, node], [edge("big", "all")], inputs={"l": {"type": "array"}}, outputs={"n": "{{ nodes.all.count }}"}
    )
    async with running_worker():
        run_id = await runs.start(definition, {"l": [str(number) + "x" * 20 for number in range(3_000)]})
        result = await runs.result(run_id)
        assert "$blob" in (await runs.door.state(run_id)).nodes[NodeId("big")].output["result"]
    assert result.error is None
    assert result.outputs == {"n": 111}
