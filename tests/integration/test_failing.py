"""What becomes of failures: on_error, parking and resolving, undoing, finally, cancelling, timeouts."""

import asyncio
from typing import Any

import pytest

from orchestrator.contracts import ResolveRequest
from orchestrator.errors import InputError, NotParkedError, RequestError
from orchestrator.graph.plan import NodeId
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import N, Node, shout
from tests.integration.running import Runs
from tests.scenarios import ask, data, edge, graph


def compute(name: str, expression: str, **rest: Any) -> Node:
    config = {"operation": "expression", "input": {"n": "{{ inputs.n }}"}, "expression": expression}
    return {"id": name, "type": "Transform", "config": config, **rest}


async def test_an_error_takes_its_own_way_as_data(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [
            compute("risky", "1 / input.n", on_error="sorry"),
            shout("fine", "ok"),
            shout("sorry", "{{ nodes.risky.error.code }}"),
        ],
        [edge("risky", "fine")],
        inputs=N,
        outputs={
            "said": "{{ nodes.sorry.result if nodes.sorry is defined else '' }}"
            "{{ nodes.fine.result if nodes.fine is defined else '' }}"
        },
    )
    async with running_worker():
        failed = await runs.run(definition)
        fine = await runs.run(definition, {"n": 1})
    assert failed.error is None
    assert (failed.status, failed.outputs) == ("completed", {"said": "EXPRESSION_FAILED"})
    assert (fine.status, fine.outputs) == ("completed", {"said": "OK"})
    assert "fine" not in failed.path


async def test_a_parked_node_is_tried_again_with_other_inputs(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([compute("risky", "6 / input.n")], inputs=N, outputs={"r": "{{ nodes.risky.result }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        (parked,) = await runs.parks(run_id)
        assert (parked.node, parked.tries, parked.error.code) == ("risky", 1, "EXPRESSION_FAILED")
        with pytest.raises(InputError):
            await runs.door.resolve(run_id, ResolveRequest(action="retry", inputs={"n": "many"}))
        await runs.door.resolve(run_id, ResolveRequest(action="retry", inputs={"n": 3}, by="ada"))
        result = await runs.result(run_id)
        assert result.outputs == {"r": 2}
        kinds = [event.type for event in await runs.events(run_id)]
    assert kinds == ["RUN_STARTED", "STARTED", "ERROR", "PARKED", "RESOLVED", "COMPLETED", "RUN_COMPLETED"]


@pytest.mark.parametrize(
    ("request_", "status", "outputs"),
    [
        (ResolveRequest(action="retry", config={"expression": "42"}), "completed", {"r": "42"}),
        (ResolveRequest(action="override", output={"result": 5}), "completed", {"r": "5"}),
        (ResolveRequest(action="skip"), "completed", {"r": ""}),
        (ResolveRequest(action="fail"), "failed", {}),
    ],
    ids=lambda value: value.action if isinstance(value, ResolveRequest) else "",
)
async def test_a_parked_node_is_resolved(
    runs: Runs, running_worker: RunningWorker, request_: ResolveRequest, status: str, outputs: Node
) -> None:
    definition = graph(
        [compute("risky", "1 / input.n"), data("after")],
        [edge("risky", "after")],
        inputs=N,
        outputs={"r": "{{ nodes.risky.result if nodes.risky is defined else '' }}"},
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.parks(run_id)
        await runs.door.resolve(run_id, request_)
        result = await runs.result(run_id)
    assert (result.status, result.outputs) == (status, outputs)
    assert ("after" in result.path) == (status == "completed" and request_.action != "skip")


async def test_other_branches_go_on_while_one_is_parked(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [data("start"), compute("risky", "1 / input.n"), shout("other", "on"), data("end")],
        [edge("start", "risky"), edge("start", "other"), edge("risky", "end"), edge("other", "end")],
        inputs=N,
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.parks(run_id)

        async def other_is_done() -> bool:
            return (await runs.door.state(run_id)).nodes[NodeId("other")].status == "completed"

        await runs.until(other_is_done)
        assert (await runs.door.state(run_id)).status == "needs_attention"
        with pytest.raises(NotParkedError, match="`other` is not parked; these are: `risky`"):
            await runs.door.resolve(run_id, ResolveRequest(action="skip", node="other"))
        with pytest.raises(RequestError, match="needs an `output`"):
            await runs.door.resolve(run_id, ResolveRequest(action="override"))
        await runs.door.resolve(run_id, ResolveRequest(action="override", output={"result": 1}))
        result = await runs.result(run_id)
    assert sorted(result.path) == ["end", "other", "risky", "start"]


def saga(**more: Any) -> Node:
    return graph(
        [
            shout("one", "a", compensate="undo"),
            shout("two", "b", compensate="undo"),
            *more.pop("last"),
            shout("undo", "undo {{ output.result }}"),
            shout("bye", "{{ run.status }}"),
        ],
        [edge("one", "two"), edge("two", "last")],
        **{"finally": ["bye"]},
        inputs=N,
        **more,
    )


async def test_a_failed_run_is_undone_in_reverse_and_cleaned_up(runs: Runs, running_worker: RunningWorker) -> None:
    definition = saga(last=[compute("last", "1 / input.n")], on_failure="fail")
    async with running_worker():
        run_id = await runs.start(definition)
        result = await runs.result(run_id)
        assert (result.status, result.error.code if result.error else None) == ("failed", "EXPRESSION_FAILED")
        assert result.undone == ("two", "one")
        assert result.path == ("one", "two", "undo:two", "undo:one", "bye")
        state = await runs.door.state(run_id)
        assert state.nodes[NodeId("bye")].output == {"result": "FAILED"}
        fine = await runs.run(definition, {"n": 1})
    assert (fine.status, fine.undone, fine.path[-1]) == ("completed", (), "bye")


async def test_a_cancelled_run_is_undone_and_cleaned_up(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(saga(last=[ask("last", "?")]))
        await runs.waits(run_id)
        await runs.door.cancel(run_id)
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
        description = await runs.handle(run_id).describe()
    assert (result.status, result.undone) == ("cancelled", ("two", "one"))
    assert state.nodes[NodeId("bye")].output == {"result": "CANCELLED"}
    assert description.status is not None
    assert description.status.name == "CANCELED"


async def test_a_run_out_of_time_is_undone_and_cleaned_up(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        result = await runs.run(saga(last=[ask("last", "?")], limits={"timeout": "500ms"}))
    assert (result.status, result.undone, result.path[-1]) == ("timed_out", ("two", "one"), "bye")


async def test_what_fails_while_undoing_is_recorded_and_passed_over(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [
            shout("one", "a", compensate="undo"),
            shout("two", "b", compensate="broken"),
            compute("last", "1 / input.n"),
            shout("undo", "undo {{ output.result }}"),
            compute("broken", "1 / 0"),
            compute("bad", "2 / 0"),
            shout("bye", "bye"),
        ],
        [edge("one", "two"), edge("two", "last")],
        **{"finally": ["bad", "bye"]},
        inputs=N,
        on_failure="fail",
    )
    async with running_worker():
        result = await runs.run(definition)
    assert result.undone == ("one",)
    assert [info.node for info in result.aside] == ["broken:two", "bad"]
    assert result.path[-1] == "bye"


async def test_pausing_stops_what_is_new_and_keeps_answers(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [ask("q", "?"), shout("after", "{{ nodes.q.text }} {{ state.mark }}")],
        [edge("q", "after")],
        state={"mark": {"type": "string", "initial": "-"}},
        outputs={"said": "{{ nodes.after.result }}"},
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        await runs.door.pause(run_id)

        async def paused() -> bool:
            return (await runs.door.state(run_id)).status == "paused"

        await runs.until(paused)
        await runs.update(run_id, [{"text": "hi"}])
        state = await runs.door.state(run_id)
        assert (state.nodes[NodeId("q")].status, state.nodes[NodeId("after")].status) == ("completed", "ready")
        await runs.door.resume(run_id, {"nope": 1})

        async def refused() -> bool:
            return any(event.type == "REJECTED" for event in await runs.events(run_id))

        await runs.until(refused)
        assert (await runs.door.state(run_id)).status == "paused"
        await runs.door.resume(run_id, {"mark": "!"})
        result = await asyncio.wait_for(runs.result(run_id), 10)
    assert result.outputs == {"said": "HI !"}
