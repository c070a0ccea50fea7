"""GraphWorkflow on a real server: every feature of this release, and how a run ends."""

import asyncio
from threading import Event as Flag
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from orchestrator.contracts import Message, RunResult
from orchestrator.errors import AnswerError, MessageError, NothingAwaitedError
from orchestrator.settings import Settings
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.scenarios import SCENARIOS, ask, data, edge, graph, model
from tests.unit.loopback import Answer, web


def http(name: str, url: str, **rest: Any) -> dict[str, Any]:
    """A node that sends a request."""
    return {"id": name, "type": "HttpRequest", "config": {"url": url}, **rest}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_scenario_ends_with_its_outputs_and_path(name: str, runs: Runs, running_worker: RunningWorker) -> None:
    scenario = SCENARIOS[name]
    async with running_worker():
        run_id = await runs.play(scenario)
        result = await runs.result(run_id)

    assert result.status == "completed", result.error
    assert result.outputs == scenario.outputs
    assert tuple(sorted(result.path)) == scenario.path


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_scenario_ends_the_same_when_each_message_finds_a_worker_that_never_saw_the_run(
    name: str, runs: Runs, running_worker: RunningWorker
) -> None:
    scenario = SCENARIOS[name]
    run_id = await runs.start(scenario.definition, scenario.inputs)
    for number, _ in enumerate(scenario.answers):
        async with running_worker():
            await runs.reply(run_id, scenario, number)
            await runs.rests(run_id)  # what is handed to a worker on its way out comes back only after a timeout
    async with running_worker():
        result = await runs.result(run_id)

    assert (result.status, result.outputs) == ("completed", scenario.outputs)


async def test_a_run_is_pinned_and_the_next_one_uses_what_changed_on_disk(
    runs: Runs, running_worker: RunningWorker, worker_settings: Settings
) -> None:
    file = worker_settings.definitions_dir / "greeting.yaml"

    def write(version: str, text: str) -> None:
        file.write_text(
            f"name: greeting\nversion: {version}\n"
            "nodes:\n"
            "  - {id: ask, type: UserInput, config: {question: Who?}}\n"
            f"  - {{id: greet, type: Format, config: {{template: '{text} {{{{ nodes.ask.text }}}}'}}}}\n"
            "edges: [{from: ask, to: greet}]\n"
            "outputs: {text: '{{ nodes.greet.text }}'}\n",
            encoding="utf-8",
        )

    write("1.0.0", "Hello")
    async with running_worker():
        first = await runs.start("greeting")
        await runs.waits(first)
        write("1.1.0", "Goodbye")
        second = await runs.start("greeting")
        for run_id in (first, second):
            await runs.waits(run_id)
            await runs.door.answer(run_id, Message(text="Ada"))
        outputs = [(await runs.result(run_id)).outputs["text"] for run_id in (first, second)]
        pinned = await runs.door.definition(first)

    assert outputs == ["Hello Ada", "Goodbye Ada"]
    assert pinned["version"] == "1.0.0"


async def test_a_failing_request_is_tried_again_and_its_key_stays_the_same(
    runs: Runs, running_worker: RunningWorker
) -> None:
    definition = graph(
        [
            {
                "id": "post",
                "type": "HttpRequest",
                "config": {"url": "{{ inputs.url }}", "method": "POST", "json": {"a": 1}},
                "retry": {"initial_delay": "10ms", "jitter": False},
            }
        ],
        inputs={"url": {"type": "string"}},
        outputs={"status": "{{ nodes.post.status }}"},
    )
    with web() as server:
        server.answers = [Answer(503), Answer(429, headers={"Retry-After": "0"}), Answer(201)]
        async with running_worker():
            result = await runs.run(definition, {"url": server.url})

        keys = {seen.headers["idempotency-key"] for seen in server.seen}
    assert result.outputs == {"status": 201}
    assert len(server.seen) == 3
    assert len(keys) == 1


async def test_a_node_that_fails_for_good_fails_the_run_with_its_code_and_result(
    runs: Runs, running_worker: RunningWorker
) -> None:
    with web() as server:
        server.answers = [Answer(404, body="nope")]
        async with running_worker():
            run_id = await runs.start(
                graph([data("a"), http("get", server.url)], [edge("a", "get")], on_failure="fail")
            )
            with pytest.raises(WorkflowFailureError) as failure:
                await runs.handle(run_id).result()
            result = await runs.result(run_id)
            state = await runs.door.state(run_id)
            events = await runs.events(run_id)

    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "PROVIDER_REJECTED"
    assert RunResult.model_validate(cause.details[0]) == result == state.result
    assert result.error is not None
    assert (result.status, result.path, result.error.node) == ("failed", ("a",), "get")
    assert [event.type for event in events[-2:]] == ["ERROR", "RUN_FAILED"]


async def test_a_node_that_takes_too_long_says_so(runs: Runs, running_worker: RunningWorker) -> None:
    hold = Flag()
    with web() as server:
        server.answers = [Answer(hold=hold)]
        async with running_worker():
            node = http("slow", server.url, timeout="200ms", retry={"max_attempts": 1})
            result = await runs.run(graph([node], on_failure="fail"))
        hold.set()

    assert result.error is not None
    assert (result.status, result.error.code, result.error.node) == ("failed", "NODE_TIMED_OUT", "slow")


async def test_a_run_past_its_timeout_ends_timed_out_and_stops_what_is_under_way(
    runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id = await runs.start(graph([ask("q", "Anybody?")], limits={"timeout": "1h"}), timeout=0.3)
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)

    assert result.error is not None
    assert (result.status, result.error.code) == ("timed_out", "RUN_TIMED_OUT")
    assert state.status == "timed_out"


async def test_cancelling_ends_the_run_cancelled_with_its_state_still_readable(
    runs: Runs, running_worker: RunningWorker
) -> None:
    hold = Flag()
    with web() as server:
        server.answers = [Answer(hold=hold)]
        async with running_worker():
            run_id = await runs.start(
                graph([data("a"), http("slow", server.url), ask("q", "?")], [edge("a", "slow"), edge("a", "q")])
            )
            await runs.waits(run_id)
            await runs.door.cancel(run_id)
            result = await runs.result(run_id)
            description = await runs.handle(run_id).describe()
            state = await runs.door.state(run_id)
        hold.set()

    assert result.status == "cancelled"
    assert description.status == WorkflowExecutionStatus.CANCELED
    assert (state.status, state.result.path) == ("cancelled", ("a",))


async def test_a_step_limit_ends_a_run_that_goes_on_for_ever(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([data("a"), data("b")], [edge("a", "b"), edge("b", "a", when="true", max_visits=1000)])
    async with running_worker():
        result = await runs.run(definition, steps=7)

    assert result.error is not None
    assert result.error.code == "LIMIT_REACHED"
    assert len(result.path) == 7


async def test_no_more_nodes_run_at_once_than_the_limit_says(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.play(SCENARIOS["parallel_and_state"])
        events = await runs.events(run_id)

    under_way = most = 0
    for event in events:
        under_way += {"STARTED": 1, "COMPLETED": -1}.get(event.type, 0)
        most = max(most, under_way)
    assert most == 2


async def test_progress_pages_have_every_event_once_and_in_order(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.play(SCENARIOS["loop"])
        seen: list[int] = []
        page = await runs.door.progress(run_id, limit=3)
        while page.events:
            seen += [event.seq for event in page.events]
            page = await runs.door.progress(run_id, after=page.cursor, limit=3)
        followed = [event.seq async for event in runs.door.follow(run_id)]

    assert seen == followed == list(range(1, len(seen) + 1))
    assert page.oldest == 1


async def test_answers_count_once_and_those_that_do_not_fit_are_refused(
    runs: Runs, running_worker: RunningWorker
) -> None:
    definition = graph(
        [ask("first", "A number?", {"type": "integer"}), ask("second", "Another?", {"type": "integer"})],
        [edge("first", "second")],
        outputs={"first": "{{ nodes.first.value }}"},
    )
    async with running_worker():
        run_id = await runs.start(definition)
        await runs.waits(run_id)
        with pytest.raises(AnswerError, match='"many" is not of type "integer"'):
            await runs.door.answer(run_id, Message(text="many"))
        with pytest.raises(NothingAwaitedError, match="`second` does not wait for an answer now; these do: `first`"):
            await runs.door.answer(run_id, Message(text="1", node="second"))
        with pytest.raises(MessageError, match="the definition has no node `third`"):
            await runs.door.answer(run_id, Message(text="1", node="third"))
        applied = await runs.door.answer(run_id, Message(text="1", message_id="m"))
        again = await runs.door.answer(run_id, Message(text="2", message_id="m"))
        await runs.waits(run_id, "second")
        await runs.door.answer(run_id, Message(text="3"))
        result = await runs.result(run_id)
        with pytest.raises(NothingAwaitedError, match="has ended"):
            await runs.door.answer(run_id, Message(text="4"))

    assert (applied.node, again.node, again.visit) == ("first", "first", 1)
    assert [awaiting.node for awaiting in applied.awaiting] == ["second"]
    assert result.outputs == {"first": 1}


async def test_a_signal_is_kept_until_a_question_waits_and_shows_as_rejected_when_it_cannot_be_used(
    runs: Runs, running_worker: RunningWorker
) -> None:
    definition = graph([ask("first", "One?"), ask("second", "Two?", {"type": "integer"})], [edge("first", "second")])
    run_id = await runs.start(definition)
    await runs.door.send(run_id, Message(text="not a number", node="second"))
    await runs.door.send(run_id, Message(text="early"))
    await runs.door.send(run_id, Message(text="2", node="second", message_id="twice"))
    await runs.door.send(run_id, Message(text="3", node="second", message_id="twice"))
    await runs.door.send(run_id, Message(text="never asked", node="first"))
    async with running_worker():
        await runs.result(run_id)
        state = await runs.door.state(run_id)
        rejected = [event.data for event in await runs.events(run_id) if event.type == "REJECTED"]

    assert state.nodes["first"].output["text"] == "early"  # type: ignore[index]
    assert state.nodes["second"].output["value"] == 2  # type: ignore[index]
    assert [item["code"] for item in rejected] == ["ANSWER_INVALID", "NOTHING_AWAITED"]


async def test_the_web_ui_sees_where_a_run_is(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(graph([model("think", "hm"), ask("q", "Which order?")], [edge("think", "q")]))
        await runs.waits(run_id)
        handle = runs.handle(run_id)

        async def indexed() -> bool:
            return [run.id for run in await runs.door.runs(status="awaiting_input")].count(run_id) == 1

        await runs.until(indexed)
        row = next(run for run in await runs.door.runs(name="scenario") if run.id == run_id)
        metadata = await handle.query("__temporal_workflow_metadata")
        history = await handle.fetch_history()
        await runs.door.cancel(run_id)

    scheduled = [e for e in history.events if e.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    assert (row.status, row.current_node, row.definition) == ("awaiting_input", "q", "scenario")
    assert "awaiting_input" in metadata.current_details
    assert "Waits at `q`" in metadata.current_details
    assert [e.activity_task_scheduled_event_attributes.activity_id for e in scheduled] == ["think"]
    assert b"think" in scheduled[0].user_metadata.summary.data


async def test_runs_go_on_when_a_worker_comes_back(runs: Runs, running_worker: RunningWorker) -> None:
    run_id = await runs.start(graph([ask("q", "?"), model("m", "{{ nodes.q.text }}")], [edge("q", "m")]))
    async with running_worker():
        await runs.waits(run_id)
    async with running_worker():
        await runs.door.answer(run_id, Message(text="back"))
        result = await runs.result(run_id)

    assert result.path == ("q", "m")


async def test_many_runs_at_once_all_end_well(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        results = await asyncio.gather(*[runs.run(SCENARIOS["loop"].definition) for _ in range(25)])

    assert {result.status for result in results} == {"completed"}
