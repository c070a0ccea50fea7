"""Where failing, parking, undoing and cancelling could come apart: at the same time, in loops and bodies, half way."""

import asyncio
from typing import Any

import pytest

from orchestrator.contracts import Message, ResolveRequest
from orchestrator.errors import NotParkedError, OrchestratorError, RequestError
from orchestrator.graph.plan import NodeId
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import N, Node, broken, call, for_each, risky, shout, sub
from tests.integration.running import Runs
from tests.scenarios import ask, compute, data, edge, graph
from tests.unit.loopback import Answer, Web


async def arrived(runs: Runs, server: Web, count: int = 1) -> None:
    """Wait until the web server has been asked."""

    async def asked() -> bool:
        return len(server.seen) >= count

    await runs.until(asked)


async def test_one_of_two_that_resolve_at_the_same_time_is_refused(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([broken("bad"), ask("q", "?")], outputs={"r": "{{ nodes.bad.result }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.parks(run_id)
        asked = [
            runs.door.resolve(run_id, ResolveRequest(action="override", node="bad", output={"result": n}))
            for n in range(5)
        ]
        told = await asyncio.gather(*asked, return_exceptions=True)
        taken = [number for number, reply in enumerate(told) if not isinstance(reply, BaseException)]
        await runs.door.answer(run_id, Message(text="ok"))
        result = await runs.result(run_id)
        kinds = [event.type for event in await runs.events(run_id)]
    assert len(taken) == 1
    assert all(isinstance(reply, NotParkedError) for number, reply in enumerate(told) if number not in taken)
    assert result.outputs == {"r": taken[0]}
    assert kinds.count("RESOLVED") == 1


async def test_what_cannot_be_resolved_is_refused_and_stays_parked(runs: Runs, running_worker: RunningWorker) -> None:
    refused: list[tuple[ResolveRequest, str]] = [
        (ResolveRequest(action="skip", node="nope"), "`nope` is not parked; these are: `bad`"),
        (ResolveRequest(action="skip", node="bad#2"), "`bad#2` is not parked"),
        (ResolveRequest(action="skip", config={"a": 1}), "belong to the action `retry`"),
        (ResolveRequest(action="override"), "needs an `output`"),
        (ResolveRequest(action="retry", inputs={"nope": 1}), "nope"),
    ]
    async with running_worker():
        run_id = await runs.start(graph([broken("bad")], inputs=N))
        await runs.parks(run_id)
        for request, problem in refused:
            with pytest.raises(OrchestratorError, match=problem):
                await runs.door.resolve(run_id, request)
        await runs.door.resolve(run_id, ResolveRequest(action="skip", node="bad#1"))
        result = await runs.result(run_id)
        with pytest.raises(OrchestratorError):
            await runs.door.resolve(run_id, ResolveRequest(action="skip"))
    assert result.status == "completed"


async def test_a_retry_with_a_config_that_makes_no_sense_parks_again(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([broken("bad")], outputs={"r": "{{ nodes.bad.result }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        (first,) = await runs.parks(run_id)
        codes: list[str] = []
        for tries, config in enumerate(({"nope": 1}, {"expression": "1 +"}, {"expression": 7}), 2):
            await runs.door.resolve(run_id, ResolveRequest(action="retry", config=config))

            async def parked_again(tries: int = tries) -> bool:
                parked = (await runs.door.progress(run_id)).parked
                return bool(parked) and parked[0].tries == tries

            await runs.until(parked_again)
            codes.append((await runs.parks(run_id))[0].error.code)
        await runs.door.resolve(run_id, ResolveRequest(action="override", output={"result": 1}))
        result = await runs.result(run_id)
    assert first.tries == 1
    assert "INTERNAL" not in codes
    assert result.outputs == {"r": 1}


async def test_an_override_that_breaks_a_condition_parks_again(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [broken("bad"), data("big"), data("small")],
        [edge("bad", "big", when="output.result > 3"), edge("bad", "small", when="output.result <= 3")],
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.parks(run_id)
        await runs.door.resolve(run_id, ResolveRequest(action="override", output={"result": "many"}))
        (parked,) = await runs.parks(run_id)
        assert (parked.node, parked.tries) == ("bad", 2)
        await runs.door.resolve(run_id, ResolveRequest(action="override", output={"result": 4}))
        result = await runs.result(run_id)
    assert result.path == ("bad", "big")


async def test_a_condition_that_fails_parks_its_node(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([data("a", 5), data("b")], [edge("a", "b", when="output.data.x > 3")])
    async with running_worker():
        run_id = await runs.start(definition)
        (parked,) = await runs.parks(run_id)
        assert (parked.node, parked.error.code) == ("a", "EXPRESSION_FAILED")
        await runs.door.resolve(run_id, ResolveRequest(action="override", output={"data": {"x": 4}}))
        result = await runs.result(run_id)
    assert result.path == ("a", "b")


@pytest.mark.parametrize("action", ["retry", "skip"])
async def test_a_router_whose_condition_fails_parks(runs: Runs, running_worker: RunningWorker, action: str) -> None:
    router: Node = {
        "id": "r",
        "type": "Router",
        "config": {"routes": [{"when": "6 / inputs.n > 3", "to": "big"}], "otherwise": "small"},
    }
    definition = graph([router, data("big"), data("small")], inputs=N)
    async with running_worker():
        run_id = await runs.start(definition)
        (parked,) = await runs.parks(run_id)
        assert parked.node == "r"
        wanted: Any = {"action": action, **({"inputs": {"n": 1}} if action == "retry" else {})}
        await runs.door.resolve(run_id, ResolveRequest(**wanted))
        result = await runs.result(run_id)
    assert result.status == "completed"
    assert result.path == (("r", "big") if action == "retry" else ())


async def test_skipping_in_a_loop_ends_it(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [data("head", write={"n": 1}), compute("bad", "6 / (2 - input.n)", {"n": "{{ state.n }}"}), data("end")],
        [edge("head", "bad"), edge("bad", "head", when="state.n < 5", max_visits=9), edge("bad", "end")],
        state={"n": {"type": "integer", "initial": 0, "reducer": "add"}},
    )
    async with running_worker():
        run_id = await runs.start(definition)
        (parked,) = await runs.parks(run_id)
        assert (parked.node, parked.visit) == ("bad", 2)
        await runs.door.resolve(run_id, ResolveRequest(action="skip", node="bad#2"))
        result = await runs.result(run_id)
        skipped = [event.node for event in await runs.events(run_id) if event.type == "SKIPPED"]
    assert result.status == "completed"
    assert result.path == ("head", "bad", "head#2")
    assert "end" in skipped


async def test_skipping_before_a_join_any_leaves_it_to_the_other_branch(
    runs: Runs, running_worker: RunningWorker
) -> None:
    definition = graph(
        [data("start"), broken("bad"), ask("q", "?"), data("first", join="any")],
        [edge("start", "bad"), edge("start", "q"), edge("bad", "first"), edge("q", "first")],
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.parks(run_id)
        await runs.door.resolve(run_id, ResolveRequest(action="skip"))
        assert (await runs.door.state(run_id)).nodes[NodeId("first")].status == "pending"
        await runs.door.answer(run_id, Message(text="go"))
        result = await runs.result(run_id)
    assert result.path == ("start", "q", "first")


async def test_a_parked_node_is_cancelled_by_the_faster_branch(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [data("start"), broken("bad"), ask("q", "?"), data("first", join="any", cancel_others=True), ask("last", "?")],
        [edge("start", "bad"), edge("start", "q"), edge("bad", "first"), edge("q", "first"), edge("first", "last")],
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.parks(run_id)
        await runs.door.answer(run_id, Message(text="go", node="q"))
        await runs.waits(run_id, "last")
        state = await runs.door.state(run_id)
        assert (state.status, state.parked) == ("awaiting_input", ())
        with pytest.raises(NotParkedError, match="nothing is parked"):
            await runs.door.resolve(run_id, ResolveRequest(action="skip"))
        await runs.door.answer(run_id, Message(text="end"))
        await runs.result(run_id)


@pytest.mark.parametrize("action", ["skip", "override"])
async def test_a_body_whose_outputs_need_what_was_skipped_parks_at_its_outputs(
    runs: Runs, running_worker: RunningWorker, action: str
) -> None:
    node = for_each("all", ["a", "b"], [risky("six", "{{ index }}")], {"six": "{{ nodes.six.result }}"})
    definition = graph([node], outputs={"all": "{{ nodes.all.results }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.parks(run_id)
        await runs.door.resolve(run_id, ResolveRequest(action="skip", node="all[0].six"))
        (parked,) = await runs.parks(run_id)
        assert parked.node == "all[0]"
        wanted: Any = {"action": action, **({"output": {"six": 0}} if action == "override" else {})}
        await runs.door.resolve(run_id, ResolveRequest(**wanted))
        result = await runs.result(run_id)
    assert result.outputs == {"all": [{"six": 0} if action == "override" else None, {"six": 6}]}


async def test_a_run_out_of_time_while_a_node_is_parked_is_undone(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [shout("one", "a", compensate="undo"), broken("bad"), shout("undo", "undo")],
        [edge("one", "bad")],
        limits={"timeout": "1s"},
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.parks(run_id)
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
    assert (result.status, result.undone) == ("timed_out", ("one",))
    assert state.parked == ()


@pytest.mark.parametrize("way", ["on_error", "parks", "inside a body"])
async def test_cancelling_a_node_at_work_is_no_failure_of_that_node(
    runs: Runs, running_worker: RunningWorker, slow: Web, way: str
) -> None:
    work = call("work", slow.url, **({"on_error": "sorry"} if way == "on_error" else {}))
    nodes = [shout("one", "a", compensate="undo"), shout("undo", "undo"), shout("bye", "bye")]
    if way == "inside a body":
        nodes.append(for_each("all", ["a", "b"], [work], {}))
        ways = [edge("one", "all")]
    else:
        nodes += [work, *([shout("sorry", "sorry")] if way == "on_error" else [])]
        ways = [edge("one", "work")]
    definition = graph(nodes, ways, **{"finally": ["bye"]})
    async with running_worker():
        run_id = await runs.start(definition)
        await arrived(runs, slow)
        await runs.door.cancel(run_id)
        result = await runs.result(run_id)
        kinds = [event.type for event in await runs.events(run_id)]
    assert (result.status, result.undone, result.aside) == ("cancelled", ("one",), ())
    assert result.path == ("one", "undo:one", "bye")
    assert not {"ERROR", "PARKED"} & set(kinds)


async def test_cancelling_again_does_not_stop_the_undoing(runs: Runs, running_worker: RunningWorker, slow: Web) -> None:
    slow.answers = [Answer(hold=slow.answers[0].hold), Answer(body={"ok": True})]
    definition = graph(
        [
            shout("one", "a", compensate="undo"),
            shout("two", "b", compensate="back"),
            ask("q", "?"),
            shout("undo", "undo"),
            call("back", slow.url, timeout="1s", retry={"max_attempts": 2, "initial_delay": "10ms"}),
            shout("bye", "bye"),
        ],
        [edge("one", "two"), edge("two", "q")],
        **{"finally": ["bye"]},
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        await runs.door.cancel(run_id)
        await arrived(runs, slow)
        assert (await runs.door.state(run_id)).status == "cancelling"
        await runs.handle(run_id).cancel()
        await runs.door.pause(run_id)
        with pytest.raises(NotParkedError):
            await runs.door.resolve(run_id, ResolveRequest(action="skip"))
        result = await runs.result(run_id)
    assert result.status == "cancelled"
    assert result.undone == ("two", "one")
    assert result.path[-1] == "bye"


async def test_bodies_are_undone_in_reverse_each_visit_once(runs: Runs, running_worker: RunningWorker) -> None:
    body = [shout("do", "{{ item }}", compensate="undo"), shout("undo", "un{{ output.result }}")]
    inner = sub("sub", [shout("did", "x", compensate="undid"), shout("undid", "y")], {})
    definition = graph(
        [
            for_each("all", ["a", "b", "c"], body, {}, concurrency=1),
            inner,
            ask("q", "?"),
        ],
        [edge("all", "sub"), edge("sub", "q")],
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        await runs.door.cancel(run_id)
        result = await runs.result(run_id)
    assert result.undone == ("sub.did", "all[2].do", "all[1].do", "all[0].do")
    undoing = [name for name in result.path if "undo" in name or "undid" in name]
    assert undoing == ["sub.undid:did", "all[2].undo:do", "all[1].undo:do", "all[0].undo:do"]


async def test_resolving_with_fail_ends_the_run_through_undoing(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each(
        "all",
        ["a", "b"],
        [shout("do", "{{ item }}", compensate="undo"), broken("bad"), shout("undo", "-")],
        {},
        edges=[edge("do", "bad")],
    )
    async with running_worker():
        run_id = await runs.start(graph([node]))
        await runs.parks(run_id, 2)
        await runs.door.resolve(run_id, ResolveRequest(action="fail"))
        result = await runs.result(run_id)
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.node in {"all[0].bad", "all[1].bad"}
    assert sorted(result.undone) == ["all[0].do", "all[1].do"]


async def test_every_parked_node_is_resolved_at_once(runs: Runs, running_worker: RunningWorker) -> None:
    node = for_each("all", list(range(20)), [broken("bad")], {"r": "{{ nodes.bad.result }}"}, concurrency=20)
    definition = graph([node], outputs={"all": "{{ nodes.all.results }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.parks(run_id, 20)
        reply = await runs.door.resolve(run_id, ResolveRequest(action="override", output={"result": 1}))
        result = await runs.result(run_id)
    assert (len(reply.resolved), reply.parked) == (20, ())
    assert result.outputs == {"all": [{"r": 1}] * 20}


async def test_outputs_that_do_not_fit_park_and_are_overridden(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [data("a", "text")],
        outputs={"n": {"value": "{{ nodes.a.data }}", "type": "integer"}},
    )
    async with running_worker():
        run_id = await runs.start(definition)
        (parked,) = await runs.parks(run_id)
        assert parked.node == "outputs"
        with pytest.raises(RequestError):
            await runs.door.resolve(run_id, ResolveRequest(action="override", node="outputs"))
        await runs.door.resolve(run_id, ResolveRequest(action="override", node="outputs", output={"n": 1}))
        result = await runs.result(run_id)
    assert result.outputs == {"n": 1}
