"""Definitions that change while runs go on: how far runs fit, forks that go on with another one, and runs that move."""

from itertools import pairwise
from typing import Any

import pytest

from orchestrator.compiler import compile_definition
from orchestrator.contracts import ForkRequest, Message, MigrateRequest, RunContext, RunRequest
from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, InputError, MigrationError, RequestError
from orchestrator.fork import fork_of, request_for
from orchestrator.graph.plan import Plan
from orchestrator.settings import Settings
from orchestrator.trace import trace_of
from orchestrator.upgrade import Verdict, check_upgrade
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import Node, child, for_each
from tests.integration.running import Runs
from tests.scenarios import ask, compute, data, edge, graph, model


def plan_of(definition: Node) -> Plan:
    return compile_definition(load_mapping(definition))


def version(number: int, *names: Node | str, **rest: Any) -> Node:
    """A definition of nodes one after the other; names stand for model calls."""
    nodes = [model(name, name) if isinstance(name, str) else name for name in names]
    ids = [node["id"] for node in nodes]
    edges = [edge(first, second) for first, second in pairwise(ids)]
    return {**graph(nodes, edges, **rest), "version": f"{number}.0.0"}


async def verdict(runs: Runs, run_id: str, definition: Node) -> Verdict:
    """How a run gets on with a definition."""
    [found] = [item async for item in check_upgrade(runs.client, [run_id], plan_of(definition))]
    return found


async def test_a_waiting_run_is_told_how_it_gets_on_with_other_versions(
    runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id = await runs.start(version(1, "a", "b", ask("q", "?"), "c"))
        await runs.waits(run_id)

        same = await verdict(runs, run_id, version(2, "a", "b", ask("q", "?"), "other", "c"))
        fits = await verdict(runs, run_id, version(2, "a", "check", "b", ask("q", "?"), "c"))
        blocked = await verdict(runs, run_id, version(2, "b", ask("q", "?"), "c"))
        retyped = await verdict(runs, run_id, version(2, "a", data("b"), ask("q", "?")))
        renamed = await verdict(runs, run_id, version(2, "a", "b", ask("r", "?"), "c"))
        wants = await verdict(runs, run_id, version(2, "a", "b", ask("q", "?"), inputs={"x": {"type": "string"}}))
        unknown = await verdict(runs, "nobody", version(2, "a"))
        await runs.door.cancel(run_id)

    assert (same.verdict, same.definition, same.migrates) == ("same path", "scenario@1.0.0", True)
    assert (fits.verdict, fits.nodes, fits.at, fits.migrates) == ("fits from", ("check",), "b", False)
    assert (blocked.verdict, blocked.where, blocked.reason) == ("blocked", "a", "the definition has no such node")
    assert (retyped.verdict, retyped.where) == ("blocked", "b")
    assert (renamed.verdict, renamed.nodes, renamed.at) == ("fits from", ("r",), "q")
    assert (wants.verdict, wants.where) == ("blocked", "inputs")
    assert (unknown.verdict, unknown.migrates) == ("unknown", False)
    assert unknown.reason is not None


async def test_inside_items_and_after_going_on_in_new_runs_it_is_the_same(
    runs: Runs, running_worker: RunningWorker
) -> None:
    def made(number: int, *inner: Node, last: Node | None = None) -> Node:
        ids = [node["id"] for node in inner]
        edges = [edge(first, second) for first, second in pairwise(ids)]
        each = for_each("each", "[1, 2]", list(inner), {}, edges=edges)
        tick = edge("tick", "tick", when="true", max_visits=30)
        nodes = [model("tick", "tick"), each, last or data("end")]
        found = graph(nodes, [tick, edge("tick", "each"), edge("each", nodes[-1]["id"])])
        return {**found, "version": f"{number}.0.0"}

    async with running_worker(rollover_events=60):
        run_id = await runs.start(made(1, model("m", "m"), ask("q", "?")))
        await runs.waits(run_id, "each[0].q")
        await runs.waits(run_id, "each[1].q")
        await runs.door.answer(run_id, Message(text="yes", node="each[1].q"))
        same = await verdict(runs, run_id, made(2, model("m", "m"), ask("q", "?"), last=model("end", "new")))
        fits = await verdict(runs, run_id, made(2, data("first"), model("m", "m"), ask("q", "?")))
        gone = await verdict(runs, run_id, made(2, model("n", "m"), ask("q", "?")))
        assert (await runs.door.state(run_id)).continued > 0
        await runs.door.cancel(run_id)

    assert (same.verdict, same.reason) == ("same path", None)
    assert fits.verdict == "fits from" or (fits.where or "").startswith("each[")
    assert (gone.verdict, (gone.where or "").rpartition(".")[2]) == ("blocked", "m")


async def test_a_waiting_run_moves_to_a_new_version_and_finishes_there(
    runs: Runs, running_worker: RunningWorker
) -> None:
    state = {"log": {"type": "array", "reducer": "append"}}
    first = {**model("a", "a"), "write": {"log": "was here"}}
    outputs = {"log": "{{ state.log }}", "q": "{{ nodes.q.text }}", "new": "{{ nodes.new.data }}"}
    after = {**data("new", "after"), "write": {"log": "and there"}}
    async with running_worker():
        run_id = await runs.start(version(1, first, ask("q", "?"), "old", state=state))
        await runs.waits(run_id)
        reply = await runs.door.migrate(
            run_id, MigrateRequest(definition=version(2, first, ask("q", "?"), after, state=state, outputs=outputs))
        )
        await runs.until(lambda: _goes_by(runs, run_id, "scenario@2.0.0"))
        await runs.door.answer(run_id, Message(text="hi"))
        result = await runs.result(run_id)
        events = await runs.events(run_id)

    assert reply.definition == "scenario@2.0.0"
    assert (result.status, result.path) == ("completed", ("a", "q", "new"))
    assert result.outputs == {"log": ["was here", "and there"], "q": "hi", "new": "after"}
    assert result.usage.calls == 1
    assert any(event.type == "RUN_MIGRATED" for event in events)


async def _goes_by(runs: Runs, run_id: str, definition: str) -> bool:
    return (await runs.door.state(run_id)).definition == definition


async def test_a_run_that_waits_inside_an_item_moves_with_its_items(runs: Runs, running_worker: RunningWorker) -> None:
    def made(number: int, *after: Node) -> Node:
        nodes = [model("m", "{{ item }}"), ask("q", "?"), *after]
        edges = [edge("m", "q"), *[edge("q", node["id"]) for node in after]]
        outputs = {"said": "{{ nodes.q.text }}", **({"more": "{{ nodes.x.data }}"} if after else {})}
        each = for_each("each", "['u', 'v', 'w']", nodes, outputs, edges=edges, concurrency=2)
        return version(number, each, outputs={"all": "{{ nodes.each.results }}"})

    async with running_worker():
        run_id = await runs.start(made(1))
        await runs.waits(run_id, "each[1].q")
        await runs.door.answer(run_id, Message(text="one", node="each[1].q"))
        await runs.waits(run_id, "each[2].q")
        await runs.waits(run_id, "each[0].q")
        await runs.door.migrate(run_id, MigrateRequest(definition=made(2, data("x", "extra"))))
        await runs.until(lambda: _goes_by(runs, run_id, "scenario@2.0.0"))
        for index, text in ((0, "zero"), (2, "two")):
            await runs.waits(run_id, f"each[{index}].q")
            await runs.door.answer(run_id, Message(text=text, node=f"each[{index}].q"))
        result = await runs.result(run_id)

    assert result.outputs == {
        "all": [{"said": "zero", "more": "extra"}, {"said": "one"}, {"said": "two", "more": "extra"}]
    }
    assert result.usage.calls == 3


async def test_a_run_that_does_not_fit_is_refused_and_goes_on_as_it_was(
    runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id = await runs.start(version(1, "a", ask("q", "?"), "b"), {})
        await runs.waits(run_id)
        with pytest.raises(MigrationError, match="`a` has run, and the new definition has no such node"):
            await runs.door.migrate(run_id, MigrateRequest(definition=version(2, ask("q", "?"), "b")))
        with pytest.raises(DefinitionError) as broken:
            await runs.door.migrate(run_id, MigrateRequest(definition={**version(2, "a"), "nodes": []}))
        with pytest.raises(DefinitionNotFoundError):
            await runs.door.migrate(run_id, MigrateRequest(definition="nowhere@2.0.0"))
        wants = version(2, "a", ask("q", "?"), "b", inputs={"x": {"type": "string"}})
        with pytest.raises(InputError):
            await runs.door.migrate(run_id, MigrateRequest(definition=wants))
        await runs.door.answer(run_id, Message(text="hi"))
        result = await runs.result(run_id)
        with pytest.raises(MigrationError, match="has ended"):
            await runs.door.migrate(run_id, MigrateRequest(definition=version(2, "a", ask("q", "?"), "b")))

    assert broken.value.issues
    assert (result.status, result.path) == ("completed", ("a", "q", "b"))


async def test_a_fork_is_for_whom_the_run_was_and_says_where_it_comes_from(
    runs: Runs, running_worker: RunningWorker
) -> None:
    context = RunContext(tenant="acme", tags={"a": "b"})
    definition = version(1, "a", "b", outputs={"tenant": "{{ context.tenant }}"}, inputs={"n": {"type": "integer"}})
    request = RunRequest(definition=definition, inputs={"n": 1}, context=context, limits={"steps": 5, "timeout": "1h"})  # pyright: ignore[reportArgumentType]
    async with running_worker():
        await runs.door.start(request, "for-acme")
        await runs.result("for-acme")
        trace = await trace_of(runs.client, "for-acme")
        asked = ForkRequest(run="for-acme", at="b", set={"inputs.n": 2})
        again = request_for(trace, asked)
        await runs.door.fork(again, "for-acme-again")
        result = await runs.result("for-acme-again")
        memo = await (await runs.handle("for-acme-again").describe()).memo()
        state = await runs.door.state("for-acme-again")

    assert (again.context, again.limits, again.definition) == (context, request.limits, "scenario@1.0.0")
    assert (result.outputs, result.usage.calls) == ({"tenant": "acme"}, 1)
    assert state.inputs == {"n": 2}
    assert memo == {"forked_from": "for-acme", "forked_at": "b"}
    with pytest.raises(RequestError, match=r"`inputs\.n` cannot be set"):
        fork_of(trace, asked.model_copy(update={"set": {"inputs.n": "no"}}), None)
    with pytest.raises(RequestError, match=r"`state\.x` cannot be set"):
        fork_of(trace, asked.model_copy(update={"set": {"state.x": 1}}), None)
    with pytest.raises(RequestError, match=r"`nodes\.b\.text` cannot be set"):
        fork_of(trace, asked.model_copy(update={"set": {"nodes.b.text": 1}}), None)


async def test_a_fork_goes_through_nested_bodies_and_child_runs(
    runs: Runs, running_worker: RunningWorker, worker_settings: Settings
) -> None:
    helper = (
        "name: helper\nversion: 1.0.0\nnodes: [{id: h, type: ModelInvoke, config: {model: simulated, prompt: h}}]\n"
    )
    (worker_settings.definitions_dir / "helper.yaml").write_text(helper, encoding="utf-8")
    inner = for_each(
        "in", "[1, 2]", [model("m", "m"), model("n", "n")], {"n": "{{ nodes.n.text }}"}, edges=[edge("m", "n")]
    )
    outer = for_each("out", "[1, 2]", [inner, child("kid", "helper")], {}, edges=[edge("in", "kid")])
    left, right = model("left", "l"), model("right", "r")
    definition = graph(
        [outer, left, right, data("end")],
        [edge("out", "left"), edge("out", "right"), edge("left", "end"), edge("right", "end")],
    )
    async with running_worker():
        run_id = await runs.start(definition)
        whole = await runs.result(run_id)
        trace = await trace_of(runs.client, run_id)
        calls: dict[str, int] = {}
        for at in ("out[1].in[0].n", "out[1].kid", "left", "end"):
            name = f"{run_id}-{at}"
            await runs.door.fork(request_for(trace, ForkRequest(run=run_id, at=at)), name)
            result = await runs.result(name)
            assert (result.status, result.outputs) == (whole.status, whole.outputs)
            assert sorted(result.path) == sorted(whole.path)
            calls[at] = result.usage.calls

    assert whole.usage.calls == 12
    assert calls == {"out[1].in[0].n": 1 + 1 + 2, "out[1].kid": 1 + 2, "left": 1, "end": 0}


async def test_what_was_undone_is_done_again(runs: Runs, running_worker: RunningWorker) -> None:
    book = {**model("book", "book"), "compensate": "cancel"}
    definition = graph(
        [model("first", "f"), book, compute("broken", "1 / inputs.n", {}, on_failure="fail"), data("cancel")],
        [edge("first", "book"), edge("book", "broken")],
        inputs={"n": {"type": "integer"}},
    )
    definition["nodes"][2] = compute("broken", "1 / input.n", {"n": "{{ inputs.n }}"}, on_failure="fail")
    async with running_worker():
        run_id = await runs.start(definition, {"n": 0})
        failed = await runs.result(run_id)
        trace = await trace_of(runs.client, run_id)
        asked = ForkRequest(run=run_id, at="broken", set={"inputs.n": 1})
        found = fork_of(trace, asked, None)
        await runs.door.fork(request_for(trace, asked), f"{run_id}-again")
        again = await runs.result(f"{run_id}-again")

    assert (failed.status, failed.undone) == ("failed", ("book",))
    assert found.lineage.taken == 1
    assert (again.status, again.usage.calls) == ("completed", 1)


async def test_the_gate_looks_at_many_runs_in_order(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        ids = [await runs.start(version(1, ask("q", "?"), "b")) for _ in range(20)]
        for run_id in ids:
            await runs.waits(run_id)
        for run_id in ids[::2]:
            await runs.door.answer(run_id, Message(text="x"))
            await runs.result(run_id)
        plan = plan_of(version(2, ask("q", "?"), "c"))
        found = [item async for item in check_upgrade(runs.client, ids, plan)]
        for run_id in ids[1::2]:
            await runs.door.cancel(run_id)

    assert [item.run for item in found] == ids
    assert {item.verdict for item in found[1::2]} == {"same path"}
    assert {(item.verdict, item.where) for item in found[::2]} == {("blocked", "b")}
