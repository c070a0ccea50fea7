"""Forks: a new run takes over what another has finished."""

from typing import Any

import pytest

from orchestrator.contracts import ForkRequest, Message, RunRequest, RunResult
from orchestrator.errors import RequestError
from orchestrator.fork import forked
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.scenarios import ask, compute, data, edge, graph, model

Node = dict[str, Any]


async def fork(runs: Runs, run_id: str, at: str, definition: Any = "", **changes: Any) -> RunResult:
    """Fork a run and wait for its end."""
    request = ForkRequest(run=run_id, at=at, set=changes, own_definition=not definition)
    await runs.door.start(RunRequest(definition=definition, fork=request), f"{run_id}-fork-{len(changes)}-{at}")
    return await runs.result(f"{run_id}-fork-{len(changes)}-{at}")


async def test_a_fork_runs_only_from_its_point_on(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [model("a", "one"), model("b", "{{ nodes.a.text }}"), model("side", "aside"), model("c", "{{ nodes.b.text }}")],
        [edge("a", "b"), edge("a", "side"), edge("b", "c")],
        outputs={"c": "{{ nodes.c.text }}"},
    )
    async with running_worker():
        run_id = await runs.start(definition)
        first = await runs.result(run_id)
        again = await fork(runs, run_id, "b")
        changed = await fork(runs, run_id, "b", **{"nodes.a.text": "another"})
    assert (again.status, again.outputs) == ("completed", first.outputs)
    assert again.usage.calls == 2
    assert sorted(again.path) == ["a", "b", "c", "side"]
    assert "another" in changed.outputs["c"]
    assert again.forked_from is not None
    assert (again.forked_from.run, again.forked_from.at, again.forked_from.taken) == (run_id, "b", 2)


async def test_a_fork_begins_inside_an_item_or_a_later_visit(runs: Runs, running_worker: RunningWorker) -> None:
    body = {
        "nodes": [model("m", "{{ item }}"), model("n", "{{ nodes.m.text }}")],
        "edges": [edge("m", "n")],
        "outputs": {"n": "{{ nodes.n.text }}"},
    }
    each: Node = {"id": "each", "type": "ForEach", "config": {"items": "inputs.list", "do": body}}
    definition = graph(
        [model("turn", "again"), each, data("end")],
        [
            edge("turn", "turn", when="nodes.turn.visits.size() < 3", max_visits=3),
            edge("turn", "each"),
            edge("each", "end"),
        ],
        inputs={"list": {"type": "array"}},
        outputs={"all": "{{ nodes.each.results }}"},
    )
    async with running_worker():
        run_id = await runs.start(definition, {"list": ["x", "y", "z"]})
        first = await runs.result(run_id)
        inside = await fork(runs, run_id, "each[1].n")
        item = await fork(runs, run_id, "each[1]")
        later = await fork(runs, run_id, "turn#2")
    assert first.usage.calls == 9
    assert (inside.outputs, inside.usage.calls) == (first.outputs, 1)
    assert (item.outputs, item.usage.calls) == (first.outputs, 2)
    assert (later.outputs, later.usage.calls) == (first.outputs, 8)


async def test_a_fork_can_go_on_with_another_definition(runs: Runs, running_worker: RunningWorker) -> None:
    def made(last: Node, **more: Any) -> Node:
        return graph(
            [model("a", "one"), ask("q", "?"), last, *more.get("nodes", [])],
            [edge("a", "q"), edge("q", last["id"]), *more.get("edges", [])],
        )

    async with running_worker():
        run_id = await runs.start(made(compute("broken", "1 / 0", {})))
        await runs.waits(run_id)
        await runs.door.answer(run_id, Message(text="hi"))
        await runs.parks(run_id)
        mended = await fork(runs, run_id, "broken", made(compute("broken", "1", {})))
        assert (mended.status, mended.usage.calls) == ("completed", 0)
        before = made(data("broken"), nodes=[data("first")], edges=[edge("first", "a")])
        with pytest.raises(RequestError, match=r"`a` was done in .* and has no place"):
            await forked(runs.client, ForkRequest(run=run_id, at="broken"), await plan_of(runs, before))
        with pytest.raises(RequestError, match="`nope` never ran"):
            await forked(runs.client, ForkRequest(run=run_id, at="nope"), None)
        await runs.door.cancel(run_id)


async def plan_of(_runs: Runs, definition: Node) -> Any:
    """A definition, compiled."""
    from orchestrator.compiler import compile_definition  # noqa: PLC0415 - as the worker does
    from orchestrator.definition.loader import load_mapping  # noqa: PLC0415

    return compile_definition(load_mapping(definition))


async def test_a_fork_of_a_run_that_went_on_in_new_runs(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [model("tick", "tick"), model("end", "end")],
        [edge("tick", "tick", when="true", max_visits=40), edge("tick", "end")],
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        await runs.result(run_id)
        late = await fork(runs, run_id, "tick#38")
        early = await fork(runs, run_id, "tick#3")
    assert late.usage.calls == 4
    assert early.usage.calls == 39
