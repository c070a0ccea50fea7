"""Where answers could go wrong: late, twice, by the wrong person, too large, while paused, or after going on."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from orchestrator.contracts import Awaiting, Message, RunRequest
from orchestrator.errors import AnswerError, MessageError, NothingAwaitedError, OrchestratorError
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import Node, shout, sub, ticking
from tests.integration.running import Runs
from tests.scenarios import ask, data, edge, graph


def question(name: str, **config: Any) -> Node:
    """A UserInput with every field that it may have."""
    return {"id": name, "type": "UserInput", "config": {"question": f"{name}?", **config}}


def approval(name: str, **config: Any) -> Node:
    """An Approval."""
    return {"id": name, "type": "Approval", "config": {"question": f"{name}?", **config}}


AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}


async def test_an_answer_that_cannot_be_used_leaves_its_question_waiting(
    runs: Runs, running_worker: RunningWorker
) -> None:
    definition = graph(
        [question("q", answer=AGE, assignees=["ada"]), ask("r", "?")],
        [edge("q", "r")],
        outputs={"age": "{{ nodes.q.value.age }}"},
    )
    refused: list[tuple[Message, type[OrchestratorError], str]] = [
        (Message(values={"age": "x"}, by="ada"), AnswerError, "does not fit"),
        (Message(text="36", by="ada"), AnswerError, "does not fit"),
        (Message(values={"age": 3, "more": 1}, by="ada"), AnswerError, "does not fit"),
        (Message(values={"age": 3}, by="eve"), AnswerError, "`eve` is none of them"),
        (Message(values={"age": 3}), AnswerError, "say who answers"),
        (Message(by="ada"), AnswerError, "is empty"),
        (Message(decision="approve", by="ada"), AnswerError, "not for a decision"),
        (Message(text="x", node="r"), NothingAwaitedError, "`r` does not wait for an answer now; these do: `q`"),
        (Message(text="x", node="nope"), MessageError, "has no node `nope`"),
        (Message(text="x", node="q[1].a"), NothingAwaitedError, "does not wait"),
    ]
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id, "q")
        for message, kind, problem in refused:
            with pytest.raises(kind, match=problem):
                await runs.door.answer(run_id, message)
        with pytest.raises(MessageError, match="bytes"):
            await runs.door.answer(run_id, Message(values={"age": 3, "x": "y" * 140_000}, by="ada"))
        await runs.door.answer(run_id, Message(values={"age": 3}, by="ada", message_id="one"))
        await runs.waits(run_id, "r")
        again = await runs.door.answer(run_id, Message(values={"age": 4}, by="ada", message_id="one"))
        assert (again.node, again.visit, [waiting.node for waiting in again.awaiting]) == ("q", 1, ["r"])
        with pytest.raises(NothingAwaitedError, match="it was answered by ada"):
            await runs.door.answer(run_id, Message(values={"age": 4}, by="ada", node="q"))
        await runs.door.answer(run_id, Message(text="end"))
        result = await runs.result(run_id)
        with pytest.raises(NothingAwaitedError, match="has ended"):
            await runs.door.answer(run_id, Message(values={"age": 4}, by="ada", message_id="two"))
        rejected = [event for event in await runs.events(run_id) if event.type == "REJECTED"]
    assert result.outputs == {"age": 3}
    assert rejected == []


async def test_two_answers_at_the_same_time_count_as_one(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([ask("q", "?"), data("end")], [edge("q", "end")], outputs={"said": "{{ nodes.q.text }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        answers = [runs.door.answer(run_id, Message(text=str(n), node="q")) for n in range(5)]
        told = await asyncio.gather(*answers, return_exceptions=True)
        result = await runs.result(run_id)
    taken = [number for number, reply in enumerate(told) if not isinstance(reply, BaseException)]
    assert len(taken) == 1
    assert result.outputs == {"said": str(taken[0])}
    assert {type(reply) for number, reply in enumerate(told) if number not in taken} == {NothingAwaitedError}


async def test_a_deferral_past_the_end_of_the_question_is_refused(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([approval("ok", expires="1h", reminders=["10m"]), ask("q", "?")])
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id, "ok")
        for until, problem in {
            "2h": "lies behind the end",
            "2020-01-01T00:00:00Z": "must lie ahead",
            "soon": "must be a duration",
        }.items():
            with pytest.raises(AnswerError, match=problem):
                await runs.door.answer(run_id, Message(decision="defer", until=until, node="ok"))
        with pytest.raises(AnswerError, match="belongs to the decision `defer`"):
            await runs.door.answer(run_id, Message(decision="approve", until="10m", node="ok"))
        with pytest.raises(AnswerError, match="cannot be decided here"):
            await runs.door.answer(run_id, Message(decision="modify", values=1, node="ok"))
        await runs.door.answer(run_id, Message(decision="defer", node="ok", comment="later"))
        order = [waiting.node for waiting in await runs.door.awaiting(run_id)]
        await runs.door.answer(run_id, Message(text="first"))
        await runs.door.answer(run_id, Message(text="APPROVE "))
        result = await runs.result(run_id)
    assert order == ["q", "ok"]
    assert result.path == ("q", "ok")


async def test_reminders_and_the_end_of_a_question_stay_when_the_run_goes_on_elsewhere(
    runs: Runs, running_worker: RunningWorker
) -> None:
    tick, again = ticking("tick", 30)
    asked = question("q", expires="6s", reminders=["100ms", "5s"], on_expiry="late")
    definition = graph(
        [data("start"), asked, tick, data("late")],
        [edge("start", "q"), edge("start", "tick"), again],
        outputs={"at": "{{ nodes.q.at }}"},
    )
    seen: set[str | None] = set()
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        state = await runs.door.state(run_id)
        reminded = 0
        while state.result.status not in ("completed", "failed"):
            waiting: list[Awaiting] = await runs.door.awaiting(run_id)
            seen |= {item.expires for item in waiting}
            reminded = max([reminded, *(item.reminded for item in waiting)])
            state = await runs.door.state(run_id)
        result = await runs.result(run_id)
        events = await runs.events(run_id)
    (expires,) = seen
    times = {kind: [event.at for event in events if event.type == kind] for kind in ("REMINDER", "EXPIRED")}
    assert state.continued >= 2
    assert (len(times["REMINDER"]), len(times["EXPIRED"]), reminded) == (2, 1, 2)
    late = datetime.fromisoformat(times["EXPIRED"][0]) - datetime.fromisoformat(str(expires))
    assert 0 <= late.total_seconds() < 1
    assert "late" in result.path


async def test_a_run_paused_before_it_has_begun_starts_nothing(runs: Runs, running_worker: RunningWorker) -> None:
    run_id = await runs.start(graph([ask("q", "?")], outputs={"said": "{{ nodes.q.text }}"}))
    await runs.door.pause(run_id)
    await runs.door.send(run_id, Message(text="early"))
    async with running_worker():

        async def paused() -> bool:
            return (await runs.door.progress(run_id)).status == "paused"

        await runs.until(paused)
        assert [event.type for event in await runs.events(run_id)] == ["RUN_STARTED", "RUN_PAUSED"]
        await runs.door.resume(run_id)
        result = await runs.result(run_id)
    assert result.outputs == {"said": "early"}


async def test_a_pause_holds_while_the_run_goes_on_elsewhere(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [*[ask(f"q{n}", "?") for n in range(30)], shout("after", "done")],
        [edge(f"q{n}", "after") for n in range(30)],
        outputs={"said": "{{ nodes.after.result }}"},
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        await runs.door.pause(run_id)
        for number in range(30):
            await runs.door.answer(run_id, Message(text="yes", node=f"q{number}"))

        async def went_on() -> bool:
            return (await runs.door.state(run_id)).continued >= 1

        await runs.until(went_on)
        state = await runs.door.state(run_id)
        assert state.status == "paused"
        assert "after" not in state.result.path
        await runs.door.resume(run_id)
        result = await runs.result(run_id)
        kinds = [event.type for event in await runs.events(run_id)]
    assert result.outputs == {"said": "DONE"}
    assert (kinds.count("RUN_PAUSED"), kinds.count("RUN_RESUMED")) == (1, 1)


async def test_messages_sent_before_there_is_a_question_are_used_in_order(
    runs: Runs, running_worker: RunningWorker
) -> None:
    tick, again = ticking("tick", 40)
    definition = graph(
        [tick, ask("a", "?"), ask("b", "?")],
        [again, edge("tick", "a"), edge("a", "b")],
        outputs={"said": ["{{ nodes.a.text }}", "{{ nodes.b.text }}"]},
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(definition)
        await runs.door.send(run_id, Message(text="1", message_id="m1"))
        await runs.door.send(run_id, Message(text="1", message_id="m1"))
        await runs.door.send(run_id, Message(text="2", message_id="m2"))
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)
        rejected = [event for event in await runs.events(run_id) if event.type == "REJECTED"]
    assert result.outputs == {"said": ["1", "2"]}
    assert state.continued >= 1
    assert rejected == []


async def test_a_message_for_a_node_inside_a_body_waits_for_its_question(
    runs: Runs, running_worker: RunningWorker
) -> None:
    body = sub("sub", [ask("q", "?")], {"said": "{{ nodes.q.text }}"})
    definition = graph([ask("first", "?"), body], [edge("first", "sub")], outputs={"said": "{{ nodes.sub.said }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        await runs.door.send(run_id, Message(text="inner", node="sub.q"))
        await runs.door.answer(run_id, Message(text="outer", node="first"))
        result = await runs.result(run_id)
    assert result.outputs == {"said": "inner"}


async def test_what_nothing_ever_asked_for_shows_as_rejected(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(graph([ask("q", "?")]))
        await runs.waits(run_id)
        await runs.door.send(run_id, Message(text="?", node="nope", message_id="m0"))
        await runs.door.send(run_id, Message(text="a", node="q", message_id="m1"))
        await runs.result(run_id)
        rejected = [event.data for event in await runs.events(run_id) if event.type == "REJECTED"]
    assert [data["message_id"] for data in rejected] == ["m0"]


async def test_the_answer_of_a_cancelled_wait_counts_for_nothing(runs: Runs, running_worker: RunningWorker) -> None:
    wait: Node = {"id": "wait", "type": "Wait", "config": {"for": "1h"}}
    definition = graph(
        [data("start"), wait, ask("q", "?"), data("first", join="any", cancel_others=True)],
        [edge("start", "wait"), edge("start", "q"), edge("wait", "first"), edge("q", "first")],
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        await runs.door.answer(run_id, Message(text="go"))
        result = await runs.result(run_id)
        events = await runs.events(run_id)
    assert result.path == ("start", "q", "first")
    assert [event.node for event in events if event.type == "CANCELLED"] == ["wait"]


async def test_an_update_sent_with_the_start_waits_for_the_first_question(
    runs: Runs, running_worker: RunningWorker
) -> None:
    request = RunRequest(definition=graph([ask("q", "?")], outputs={"said": "{{ nodes.q.text }}"}))
    run_id = await runs.door.start(request, f"early-{id(request)}-{runs.task_queue}")
    answer = asyncio.create_task(runs.update(run_id, [{"text": "early"}]))
    async with running_worker():
        reply = await answer
        result = await runs.result(run_id)
    assert reply["node"] == "q"
    assert result.outputs == {"said": "early"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"for": "{{ inputs.given }}"}, "neither `for` nor `until` of `wait` holds anything"),
        ({"until": "{{ inputs.given }}"}, "neither `for` nor `until` of `wait` holds anything"),
        ({"for": "{{ inputs.listed }}"}, "`for` must be a duration such as 2h; it is '[1]'"),
    ],
)
async def test_a_wait_for_what_is_no_time_says_so(
    runs: Runs, running_worker: RunningWorker, config: dict[str, Any], message: str
) -> None:
    definition = {
        "name": "waits",
        "on_failure": "fail",
        "inputs": {"given": {"type": ["string", "null"], "default": None}, "listed": {"type": "array", "default": [1]}},
        "nodes": [{"id": "wait", "type": "Wait", "config": config}],
    }
    async with running_worker():
        result = await runs.run(definition)

    assert result.error is not None
    assert (result.error.code, result.error.node) == ("NODE_FAILED", "wait")
    assert message in result.error.message
