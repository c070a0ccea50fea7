"""The client on runs that somebody has to look after: parked, paused, and waiting for an approval."""

import uuid
from typing import Any

import pytest

from orchestrator.contracts import Message, Parked, ResolveRequest
from orchestrator.errors import (
    AnswerError,
    MessageError,
    NothingAwaitedError,
    NotParkedError,
    RequestError,
    RunNotFoundError,
)
from orchestrator.graph.plan import NodeId
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.unit.loopback import Answer, web

CLOSED = "http://127.0.0.1:1/"
PARKS: dict[str, Any] = {
    "name": "parks",
    "inputs": {"url": {"type": "string", "default": CLOSED}},
    "nodes": [
        {"id": "begin", "type": "Format", "config": {"template": "begin"}},
        {"id": "beside", "type": "Format", "config": {"template": "beside"}},
        {
            "id": "fetch",
            "type": "HttpRequest",
            "config": {"url": "{{ inputs.url }}"},
            "retry": {"max_attempts": 1},
        },
        {"id": "say", "type": "Format", "config": {"template": "got {{ nodes.fetch.status }}"}},
    ],
    "edges": [{"from": "begin", "to": "beside"}, {"from": "begin", "to": "fetch"}, {"from": "fetch", "to": "say"}],
    "outputs": {"beside": "{{ nodes.beside.text }}"},
}
ASK: dict[str, Any] = {
    "name": "ask",
    "state": {"tone": {"type": "string", "initial": "plain"}},
    "nodes": [
        {"id": "sure", "type": "UserInput", "config": {"question": "Sure?"}},
        {"id": "say", "type": "Format", "config": {"template": "{{ state.tone }}"}},
    ],
    "edges": [{"from": "sure", "to": "say"}],
    "outputs": {"said": "{{ nodes.say.text }}"},
}
APPROVE: dict[str, Any] = {
    "name": "approve",
    "nodes": [
        {
            "id": "review",
            "type": "Approval",
            "config": {"question": "Send it?", "proposal": {"text": "Hi"}, "assignees": ["ada", "grace"]},
        }
    ],
    "outputs": {"decision": "{{ nodes.review.decision }}", "value": "{{ nodes.review.value }}"},
}


async def parks(runs: Runs, definition: dict[str, Any] = PARKS) -> tuple[str, Parked]:
    """A run that has parked a node."""
    run_id = await runs.start(definition)
    found: list[Parked] = []

    async def stuck() -> bool:
        found[:] = await runs.door.parked(run_id)
        return bool(found)

    await runs.until(stuck)
    return run_id, found[0]


async def stands(runs: Runs, run_id: str, status: str) -> None:
    """Wait until a run says that it stands so."""

    async def so() -> bool:
        return (await runs.door.progress(run_id, limit=1)).status == status

    await runs.until(so)


async def test_a_node_that_failed_for_good_is_parked_and_the_rest_goes_on(
    runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id, parked = await parks(runs)
        await stands(runs, run_id, "needs_attention")
        state = await runs.door.state(run_id)

    assert (parked.node, parked.visit, parked.tries) == ("fetch", 1, 1)
    assert parked.error.message
    assert (state.status, state.parked) == ("needs_attention", (parked,))
    assert state.nodes[NodeId("beside")].status == "completed"


async def test_a_parked_node_is_tried_again_with_what_was_changed(runs: Runs, running_worker: RunningWorker) -> None:
    with web() as far:
        far.answers = [Answer(status=200)]
        async with running_worker():
            run_id, _ = await parks(runs)
            request = ResolveRequest(action="retry", node="fetch", config={"url": far.url}, by="ada", comment="moved")
            reply = await runs.door.resolve(run_id, request)
            result = await runs.result(run_id)
            events = await runs.events(run_id)

    assert reply.resolved == ("fetch",)
    assert (result.status, len(far.seen)) == ("completed", 1)
    resolved = [event for event in events if event.type == "RESOLVED"]
    assert [(event.node, event.data["action"], event.data["by"]) for event in resolved] == [("fetch", "retry", "ada")]


async def test_a_retry_that_fails_parks_the_node_again_and_counts(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id, _ = await parks(runs)
        await runs.door.resolve(run_id, ResolveRequest(action="retry"))

        async def tried_twice() -> bool:
            return [item.tries for item in await runs.door.parked(run_id)] == [2]

        await runs.until(tried_twice)


async def test_to_resolve_a_second_time_is_refused_and_changes_nothing(
    runs: Runs, running_worker: RunningWorker
) -> None:
    wait = {"id": "wait", "type": "UserInput", "config": {"question": "?"}}
    edges = [*PARKS["edges"], {"from": "begin", "to": "wait"}]
    definition = {**PARKS, "nodes": [*PARKS["nodes"], wait], "edges": edges}
    request = ResolveRequest(action="override", node="fetch", output={"status": 204, "headers": {}, "body": None})
    async with running_worker():
        run_id, _ = await parks(runs, definition)
        await runs.door.resolve(run_id, request)
        with pytest.raises(NotParkedError):
            await runs.door.resolve(run_id, request)
        with pytest.raises(NotParkedError):
            await runs.door.resolve(run_id, ResolveRequest(action="skip"))
        await runs.waits(run_id, "wait")
        await runs.door.answer(run_id, Message(text="go", node="wait"))
        result = await runs.result(run_id)
        with pytest.raises(NotParkedError, match="has ended"):
            await runs.door.resolve(run_id, request)

    assert result.status == "completed"
    assert sorted(result.path) == ["begin", "beside", "fetch", "say", "wait"]


@pytest.mark.parametrize(("action", "status"), [("skip", "completed"), ("fail", "failed")])
async def test_a_parked_node_is_skipped_or_fails_the_run(
    runs: Runs, running_worker: RunningWorker, action: Any, status: str
) -> None:
    async with running_worker():
        run_id, _ = await parks(runs)
        await runs.door.resolve(run_id, ResolveRequest(action=action, node="fetch"))
        result = await runs.result(run_id)

    assert result.status == status
    assert "say" not in result.path


async def test_what_does_not_fit_a_parked_node_is_refused_and_it_stays_parked(
    runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id, parked = await parks(runs)
        for request in (
            ResolveRequest(action="skip", node="beside"),
            ResolveRequest(action="skip", node="nobody"),
            ResolveRequest(action="override", node="fetch"),
        ):
            with pytest.raises((MessageError, RequestError)):
                await runs.door.resolve(run_id, request)
        still = await runs.door.parked(run_id)

    assert still == (parked,)


async def test_every_run_that_needs_attention_is_resolved_and_one_refusal_stops_none(
    runs: Runs, running_worker: RunningWorker
) -> None:
    name = f"parks-{uuid.uuid4().hex[:8]}"
    async with running_worker():
        run_ids = [(await parks(runs, {**PARKS, "name": name}))[0] for _ in range(3)]

        async def listed() -> bool:
            return len(await runs.door.runs(status="needs_attention", name=name)) == len(run_ids)

        await runs.until(listed)
        troubles = [trouble async for trouble in runs.door.troubles(run_ids)]
        await runs.door.resolve(run_ids[1], ResolveRequest(action="skip"))
        request = ResolveRequest(action="skip", by="ada")
        found = {item.run: item async for item in runs.door.resolve_each(run_ids, request)}
        results = [await runs.result(run_id) for run_id in run_ids]

    assert [trouble.first.node for trouble in troubles if trouble.first] == ["fetch"] * 3
    assert [found[run_id].resolved for run_id in run_ids] == [("fetch",), (), ("fetch",)]
    refused = found[run_ids[1]].error
    assert refused is not None
    assert refused.code == "NOT_PARKED"
    assert {result.status for result in results} == {"completed"}


async def test_all_runs_of_one_definition_are_resolved_by_its_name(runs: Runs, running_worker: RunningWorker) -> None:
    name = f"parks-{uuid.uuid4().hex[:8]}"
    async with running_worker():
        ours, _ = await parks(runs, {**PARKS, "name": name})
        other, _ = await parks(runs)

        async def listed() -> bool:
            return bool(await runs.door.runs(status="needs_attention", name=name))

        await runs.until(listed)
        found = [item async for item in runs.door.resolve_all(ResolveRequest(action="skip"), name=name)]
        left = await runs.door.parked(other)

    assert [(item.run, item.error) for item in found] == [(ours, None)]
    assert left


async def test_without_a_worker_what_is_wrong_is_not_known(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id, _ = await parks(runs)

    [trouble] = [trouble async for trouble in runs.door.troubles([run_id])]

    assert trouble.unknown
    assert trouble.first is None


async def test_a_paused_run_takes_answers_and_starts_nothing_until_it_is_resumed(
    runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id = await runs.start(ASK)
        await runs.waits(run_id)
        await runs.door.pause(run_id)
        await stands(runs, run_id, "paused")
        await runs.door.answer(run_id, Message(text="yes"))
        held = [event.node for event in await runs.events(run_id) if event.type == "STARTED"]
        await runs.door.resume(run_id, {"tone": "formal"})
        result = await runs.result(run_id)
        types = [event.type for event in await runs.events(run_id)]

    assert held == ["sure"]
    assert result.outputs == {"said": "formal"}
    assert types.index("RUN_PAUSED") < types.index("RUN_RESUMED")


@pytest.mark.parametrize("variables", [{"tone": 7}, {"tune": "formal"}])
async def test_a_resume_whose_values_do_not_fit_leaves_the_run_paused(
    runs: Runs, running_worker: RunningWorker, variables: dict[str, Any]
) -> None:
    async with running_worker():
        run_id = await runs.start(ASK)
        await runs.waits(run_id)
        await runs.door.pause(run_id)
        await stands(runs, run_id, "paused")
        await runs.door.resume(run_id, variables)
        page = await runs.door.progress(run_id)

    assert page.status == "paused"
    assert page.events[-1].type == "REJECTED"
    assert page.events[-1].data["code"] == "REQUEST_INVALID"
    assert page.events[-1].data["message"]


async def test_an_approval_is_decided_by_one_of_its_assignees(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(APPROVE)
        asked = await runs.waits(run_id)
        with pytest.raises(AnswerError):
            await runs.door.answer(run_id, Message(decision="approve", by="eve"))
        later = await runs.door.answer(run_id, Message(decision="defer", until="2h", by="ada"))
        changed = Message(decision="modify", values={"text": "Dear Ada"}, by="grace", comment="politer")
        await runs.door.answer(run_id, changed)
        result = await runs.result(run_id)
        with pytest.raises(NothingAwaitedError):
            await runs.door.answer(run_id, Message(decision="approve", by="ada"))

    assert (asked.kind, asked.proposal, asked.assignees) == ("approval", {"text": "Hi"}, ("ada", "grace"))
    assert [question.deferred_until is not None for question in later.awaiting] == [True]
    assert result.outputs == {"decision": "modified", "value": {"text": "Dear Ada"}}


async def test_what_is_asked_of_a_run_that_is_not_there_is_refused(runs: Runs) -> None:
    with pytest.raises(RunNotFoundError):
        await runs.door.pause("nope")
    with pytest.raises(RunNotFoundError):
        await runs.door.resume("nope")
    with pytest.raises(RunNotFoundError):
        await runs.door.resolve("nope", ResolveRequest(action="retry"))
    with pytest.raises(RunNotFoundError):
        await runs.door.parked("nope")
