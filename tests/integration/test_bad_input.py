"""What must not wedge, hang or kill a run: nonsense from a bare client, in starts, signals, updates and queries."""

import asyncio
import json
import uuid
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from orchestrator.contracts import WORKFLOW_TYPE, Message, SubmitReply
from orchestrator.errors import AnswerError
from tests import scenarios
from tests.integration.conftest import RunningWorker
from tests.integration.running import PATIENCE_S, Runs
from tests.scenarios import ask, data, edge


def graph(nodes: list[dict[str, Any]], edges: list[dict[str, Any]] | None = None, **rest: Any) -> dict[str, Any]:
    """A definition whose run fails where it would park."""
    return scenarios.graph(nodes, edges, **{"on_failure": "fail", **rest})


def raw(text: str, encoding: str = "json/plain") -> RawValue:
    """A payload as a bare client sends it."""
    return RawValue(Payload(metadata={"encoding": encoding.encode()}, data=text.encode()))


NESTED = "[" * 5_000 + "]" * 5_000
BAD_STARTS: dict[str, list[Any]] = {
    "nothing": [],
    "null": [None],
    "a scalar": [42],
    "text": ["hello"],
    "a list": [[1, 2]],
    "two arguments": [{"definition": "x"}, {"definition": "y"}],
    "no definition": [{}],
    "a typo": [{"definition": "x", "input": {}}],
    "a definition that is a number": [{"definition": 5}],
    "a definition that is empty": [{"definition": {}}],
    "a name with a path in it": [{"definition": "../../etc/passwd"}],
    "a name nobody has": [{"definition": "nobody@9.9.9"}],
    "inputs that are a list": [{"definition": "x", "inputs": []}],
    "an unknown limit": [{"definition": "x", "limits": {"money": 1}}],
    "a nonsense timeout": [{"definition": graph([data("a")]), "limits": {"timeout": "soon"}}],
    "broken json": [raw('{"definition": ')],
    "deeply nested json": [raw(f'{{"definition": {{"name": {NESTED}}}}}')],
    "bytes": [raw("\x00\x01", "binary/plain")],
    "an unknown encoding": [raw("x", "avro/binary")],
    "control characters in an id": [{"definition": graph([data("a\x07b")])}],
    "a surrogate": [raw('{"definition": "\\ud800"}')],
}


@pytest.mark.parametrize("arguments", BAD_STARTS.values(), ids=BAD_STARTS.keys())
async def test_a_bad_start_ends_failed_with_one_clear_error(
    arguments: list[Any], runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        handle = await runs.client.start_workflow(
            WORKFLOW_TYPE, args=arguments, id=f"bad-{uuid.uuid4()}", task_queue=runs.task_queue
        )
        with pytest.raises(WorkflowFailureError) as failure:
            await asyncio.wait_for(handle.result(), PATIENCE_S)
        state: dict[str, Any] = await handle.query("state")

    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type in {"REQUEST_INVALID", "DEFINITION_INVALID", "DEFINITION_NOT_FOUND", "INPUT_INVALID"}
    assert len(cause.message) < 2_000
    assert "Traceback" not in cause.message
    assert state["result"]["error"]["code"] == cause.type


async def test_inputs_larger_than_a_run_may_carry_are_refused_at_the_door(
    runs: Runs, running_worker: RunningWorker
) -> None:
    definition = graph([data("d", "{{ inputs.x }}")], inputs={"x": {"type": "string"}})
    async with running_worker():
        result = await runs.run(definition, {"x": "x" * 1_200_000})

    assert result.error is not None
    assert result.error.code == "TOO_LARGE"


async def test_a_node_that_reads_more_than_a_call_may_carry_is_named(runs: Runs, running_worker: RunningWorker) -> None:
    # Each stays just below what goes to blob storage.
    nodes = [data(f"n{number}", "{{ inputs.text }}") for number in range(10)]
    every = [f"{{{{ nodes.{node['id']}.data }}}}" for node in nodes]
    again = {"id": "again", "type": "Transform", "config": {"operation": "concat", "input": every}}
    edges = [edge(node["id"], "again") for node in nodes]
    async with running_worker():
        definition = graph([*nodes, again], edges, inputs={"text": {"type": "string"}})
        result = await runs.run(definition, {"text": "x" * 120_000})

    assert result.error is not None
    assert (result.error.code, result.error.node) == ("TOO_LARGE", "again")


BAD_MESSAGES: dict[str, list[Any]] = {
    "nothing": [],
    "a scalar": [42],
    "an unknown field": [{"txt": "hi"}],
    "two arguments": [{"text": "a"}, {"text": "b"}],
    "broken json": [raw("{")],
    "deeply nested json": [raw(f'{{"values": {NESTED}}}')],
    "an empty answer": [{}],
    "text that is too long": [{"text": "x" * 200_000}],
    "bytes": [raw("x", "binary/plain")],
}


@pytest.mark.parametrize("arguments", BAD_MESSAGES.values(), ids=BAD_MESSAGES.keys())
async def test_a_bad_message_is_refused_and_the_run_goes_on(
    arguments: list[Any], runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id = await runs.start(graph([ask("q", "?", {"type": "string", "minLength": 1})]))
        await runs.waits(run_id)
        await runs.handle(run_id).signal("message", args=arguments)
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            await asyncio.wait_for(runs.update(run_id, arguments), PATIENCE_S)
        await runs.door.answer(run_id, Message(text="fine"))
        result = await runs.result(run_id)
        rejected = [event for event in await runs.events(run_id) if event.type == "REJECTED"]

    cause = refusal.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type in {"MESSAGE_INVALID", "ANSWER_INVALID"}
    assert result.status == "completed"
    assert len(rejected) == 1


@pytest.mark.parametrize("arguments", [[42], [{"after": -1}], [{"limit": 10_000}], [{"since": 1}], [raw("{")]], ids=str)
async def test_a_bad_query_is_refused_and_harms_nothing(
    arguments: list[Any], runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id = await runs.start(graph([data("a")]))
        await runs.result(run_id)
        with pytest.raises(WorkflowQueryFailedError, match="ProgressRequest"):
            await runs.handle(run_id).query("progress", args=arguments)
        page = await runs.handle(run_id).query("progress")

    assert page["status"] == "completed"


async def test_more_messages_than_a_run_keeps_show_as_rejected(runs: Runs, running_worker: RunningWorker) -> None:
    run_id = await runs.start(graph([ask("q", "?"), ask("r", "?")], [edge("q", "r")]))
    for number in range(105):
        await runs.door.send(run_id, Message(text=str(number), node="r"))
    async with running_worker():
        await runs.waits(run_id)
        rejected = [event.data["message"] for event in await runs.events(run_id) if event.type == "REJECTED"]
        await runs.door.answer(run_id, Message(text="go"))
        result = await runs.result(run_id)

    assert result.status == "completed"
    assert rejected == ["100 messages already wait for a question"] * 5


async def test_update_with_start_answers_a_run_that_does_not_exist_yet(
    runs: Runs, running_worker: RunningWorker
) -> None:
    definition = graph([ask("q", "?")], outputs={"answer": "{{ nodes.q.text }}"})
    operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        WORKFLOW_TYPE,
        {"definition": definition},
        id=f"session-{uuid.uuid4()}",
        task_queue=runs.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    client: Any = runs.client  # the SDK's overloads are not fully typed
    async with running_worker():
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            # The handler waits for the plan, then finds that the question is not asked yet.
            await client.execute_update_with_start_workflow(
                "submit", {"txt": "wrong field"}, start_workflow_operation=operation, result_type=SubmitReply
            )

    assert isinstance(refusal.value.cause, ApplicationError)
    assert refusal.value.cause.type == "MESSAGE_INVALID"


async def test_an_expression_that_fails_names_its_way_and_its_node(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([data("a", {"n": 1}), data("b")], [edge("a", "b", when="nodes.a.data.missing == 1")])
    async with running_worker():
        result = await runs.run(definition)

    assert result.error is not None
    assert (result.error.code, result.error.node) == ("EXPRESSION_FAILED", "a")
    assert "the way to `b`" in result.error.message
    assert "missing" in result.error.message


async def test_a_runaway_expression_ends_the_run_instead_of_stalling_the_worker(
    runs: Runs, running_worker: RunningWorker
) -> None:
    runaway = "inputs.l.all(a, inputs.l.all(b, inputs.l.all(c, a + b + c >= 0)))"
    definition = graph(
        [data("a"), data("b")],
        [edge("a", "b", when=runaway)],
        inputs={"l": {"type": "array", "items": {"type": "integer"}}},
    )
    async with running_worker():
        result = await runs.run(definition, {"l": list(range(500))})

    assert result.error is not None
    assert result.error.code == "EXPRESSION_TOO_COSTLY"


async def test_an_update_larger_than_the_server_takes_leaves_the_run_well(
    runs: Runs, running_worker: RunningWorker
) -> None:
    async with running_worker():
        run_id = await runs.start(graph([ask("q", "?")]))
        await runs.waits(run_id)
        with pytest.raises(RPCError):
            await asyncio.wait_for(runs.update(run_id, [{"values": "z" * 2_110_000}]), PATIENCE_S)
        await runs.door.send(run_id, Message(text="fine"))
        result = await runs.result(run_id)

    assert result.status == "completed"


async def test_refused_answers_leave_no_trace_in_history(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(graph([ask("q", "?", {"type": "integer"})]))
        await runs.waits(run_id)
        before = (await runs.handle(run_id).describe()).history_length
        for _ in range(5):
            with pytest.raises(AnswerError):
                await runs.door.answer(run_id, Message(text="many"))
        after = (await runs.handle(run_id).describe()).history_length
        await runs.door.answer(run_id, Message(text="1"))
        await runs.result(run_id)

    assert after == before


async def test_values_nested_deeper_than_a_run_can_carry_end_in_a_clear_error(
    runs: Runs, running_worker: RunningWorker
) -> None:
    deep: Any = 1
    for _ in range(185):
        deep = [deep]
    shown: Any = "{{ inputs.x }}"
    for _ in range(40):
        shown = [shown]
    outputs = {"deep": {"value": shown}, "text": "{{ inputs.y }}!"}
    definition = graph([data("a")], inputs={"x": {}, "y": {"type": "string"}}, outputs=outputs)
    async with running_worker():
        result = await runs.run(definition, {"x": deep, "y": "y"})

    assert result.error is not None
    assert (result.error.code, "nested" in result.error.message) == ("NODE_FAILED", True)


async def test_a_typed_output_may_refer_to_its_own_definitions(runs: Runs, running_worker: RunningWorker) -> None:
    schema = {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}}
    definition = graph([data("a", [1, 2])], outputs={"o": {"value": "{{ nodes.a.data }}", **schema}})
    async with running_worker():
        result = await runs.run(definition)

    assert result.outputs == {"o": [1, 2]}, result.error


async def test_a_question_whose_schema_turns_out_to_be_none_fails_its_node(
    runs: Runs, running_worker: RunningWorker
) -> None:
    question = {"id": "q", "type": "UserInput", "config": {"question": "?", "answer": "{{ inputs.schema }}"}}
    definition = graph([question], inputs={"schema": {"type": "object"}})
    async with running_worker():
        result = await runs.run(definition, {"schema": {"type": "strin"}})

    assert result.error is not None
    assert (result.error.code, result.error.node) == ("INPUT_INVALID", "q")


async def test_outputs_that_do_not_fit_their_types_fail_the_run(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([data("a", "text")], outputs={"n": {"value": "{{ nodes.a.data }}", "type": "integer"}})
    async with running_worker():
        result = await runs.run(definition)

    assert result.error is not None
    assert result.error.message == 'the outputs do not fit their types: n: "text" is not of type "integer"'


async def test_a_write_that_does_not_fit_its_channel_fails_the_node(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph(
        [data("a", "text", write={"n": "{{ output.data }}"})],
        state={"n": {"type": "integer", "initial": 0, "reducer": "add"}},
    )
    async with running_worker():
        result = await runs.run(definition)

    assert result.error is not None
    assert (result.error.code, result.error.node) == ("NODE_FAILED", "a")
    assert "state.n" in result.error.message


def test_the_nested_payload_is_really_nested() -> None:
    with pytest.raises(RecursionError):
        json.loads(f"[{NESTED}]")
