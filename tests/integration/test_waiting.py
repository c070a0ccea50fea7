"""Questions, approvals and waits: who answers, until when, and what becomes of it."""

from typing import Any

import pytest

from orchestrator.contracts import Message
from orchestrator.errors import AnswerError, NothingAwaitedError
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.scenarios import data, edge, graph

Node = dict[str, Any]


def approval(**config: Any) -> Node:
    usual = {"question": "Pay?", "proposal": {"amount": 5}, "assignees": ["ada", "bob"]}
    return {"id": "ok", "type": "Approval", "config": {**usual, **config}}


def with_ways(node: Node) -> Node:
    return graph(
        [node, data("pay"), data("no"), data("late")],
        [edge("ok", "pay")],
        outputs={"ok": "{{ nodes.ok }}"},
    )


async def test_an_approval_is_given_by_who_may(runs: Runs, running_worker: RunningWorker) -> None:
    definition = with_ways(approval(on_reject="no", expires="1h", on_expiry="late"))
    async with running_worker():
        run_id = await runs.start(definition)
        waiting = await runs.waits(run_id)
        assert (waiting.kind, waiting.decisions) == ("approval", ("approve", "reject", "modify", "defer"))
        assert waiting.expires is not None
        with pytest.raises(AnswerError, match="only be answered by ada, bob; `eve` is none of them"):
            await runs.door.answer(run_id, Message(decision="approve", by="eve"))
        with pytest.raises(AnswerError, match="say what you decide"):
            await runs.door.answer(run_id, Message(by="ada"))
        await runs.door.answer(run_id, Message(decision="defer", until="10m", by="ada"))
        assert (await runs.waits(run_id)).deferred_until is not None
        await runs.door.answer(run_id, Message(text="Approve", by="bob", comment="fine"))
        result = await runs.result(run_id)
        with pytest.raises(NothingAwaitedError, match="has ended"):
            await runs.door.answer(run_id, Message(decision="approve", by="bob"))
    told = result.outputs["ok"]
    assert (told["decision"], told["by"], told["comment"], told["value"]) == ("approved", "bob", "fine", {"amount": 5})
    assert sorted(result.path) == ["ok", "pay"]


async def test_a_rejection_takes_its_own_way(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(with_ways(approval(on_reject="no", expires="1h", on_expiry="late")))
        await runs.waits(run_id)
        await runs.door.answer(run_id, Message(decision="reject", by="ada"))
        result = await runs.result(run_id)
    assert (result.outputs["ok"]["decision"], sorted(result.path)) == ("rejected", ["no", "ok"])


async def test_a_changed_proposal_has_to_fit_its_form(runs: Runs, running_worker: RunningWorker) -> None:
    form = {"type": "object", "properties": {"amount": {"type": "integer", "maximum": 9}}, "required": ["amount"]}
    async with running_worker():
        run_id = await runs.start(with_ways(approval(form=form, on_reject="no", expires="1h", on_expiry="late")))
        await runs.waits(run_id)
        with pytest.raises(AnswerError, match="does not fit"):
            await runs.door.answer(run_id, Message(decision="modify", values={"amount": 10}, by="ada"))
        await runs.door.answer(run_id, Message(decision="modify", values={"amount": 9}, by="ada"))
        result = await runs.result(run_id)
    assert (result.outputs["ok"]["decision"], result.outputs["ok"]["value"]) == ("modified", {"amount": 9})


async def test_a_question_expires_after_its_reminders(runs: Runs, running_worker: RunningWorker) -> None:
    node = approval(on_reject="no", expires="2s", on_expiry="late", reminders=["100ms", "1s"])
    async with running_worker():
        run_id = await runs.start(with_ways(node))
        result = await runs.result(run_id)
        kinds = [event.type for event in await runs.events(run_id)]
    assert (result.outputs["ok"]["expired"], sorted(result.path)) == (True, ["late", "ok"])
    assert kinds.count("REMINDER") == 2
    assert kinds.count("EXPIRED") == 1


async def test_without_a_way_for_it_an_expiry_parks(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([{"id": "q", "type": "UserInput", "config": {"question": "?", "expires": "100ms"}}])
    async with running_worker():
        run_id = await runs.start(definition)
        (parked,) = await runs.parks(run_id)
        with pytest.raises(NothingAwaitedError, match="expired at"):
            await runs.door.answer(run_id, Message(text="late", node="q"))
        await runs.door.cancel(run_id)
        await runs.result(run_id)
    assert parked.error.code == "EXPIRED"


async def test_a_wait_ends_by_itself(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [
            {"id": "a", "type": "Wait", "config": {"for": "{{ inputs.ms }}ms"}},
            {"id": "b", "type": "Wait", "config": {"until": "2020-01-01T00:00:00Z"}},
        ],
        [edge("a", "b")],
        inputs={"ms": {"type": "integer"}},
        outputs={"at": "{{ nodes.b.at }}"},
    )
    async with running_worker():
        result = await runs.run(definition, {"ms": 20})
    assert result.status == "completed"
