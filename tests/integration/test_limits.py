"""What a run may do in one workflow task, and carry in one message: large and wide graphs end, and end right."""

from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from orchestrator.contracts import Message
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.scenarios import ask, data, edge, graph, model


def router(name: str, *routes: dict[str, Any], otherwise: str) -> dict[str, Any]:
    """A node that takes one way."""
    return {"id": name, "type": "Router", "config": {"routes": list(routes), "otherwise": otherwise}}


@pytest.mark.parametrize("behind", [False, True], ids=["as entries", "behind a common node"])
async def test_a_router_may_cancel_a_node_that_was_about_to_start(
    behind: bool,  # noqa: FBT001 - pytest's parameter
    runs: Runs,
    running_worker: RunningWorker,
) -> None:
    nodes = [
        router("r", {"when": "true", "to": "j"}, otherwise="k"),
        data("x"),
        data("j", join="any", cancel_others=True),
        data("k"),
        *([data("s")] if behind else []),
    ]
    edges = [edge("x", "j"), *([edge("s", "r"), edge("s", "x")] if behind else [])]
    async with running_worker():
        result = await runs.run(graph(nodes, edges))

    assert result.status == "completed", result.error
    assert [name for name in result.path if name != "s"] == ["r", "j"]


async def test_many_branches_that_read_one_large_document_spread_over_tasks(
    runs: Runs, running_worker: RunningWorker
) -> None:
    wide = [model(f"m{index}", "{{ inputs.document }}") for index in range(40)]
    definition = graph(
        [data("start"), *wide], [edge("start", node["id"]) for node in wide], inputs={"document": {"type": "string"}}
    )
    async with running_worker():
        result = await runs.run(definition, {"document": "word " * 24_000})

    assert result.status == "completed", result.error
    assert len(result.path) == 41


async def test_quick_nodes_with_large_outputs_in_a_chain_and_side_by_side(
    runs: Runs, running_worker: RunningWorker
) -> None:
    text = "{% for i in range(60) %}{{ inputs.line }}{% endfor %}"
    nodes = [{"id": f"f{index}", "type": "Format", "config": {"template": text}} for index in range(18)]
    chain = [edge(f"f{index}", f"f{index + 1}") for index in range(8)]
    chain += [edge("f8", f"f{index}") for index in range(9, 18)]
    async with running_worker():
        result = await runs.run(graph(nodes, chain, inputs={"line": {"type": "string"}}), {"line": "x" * 10_000})

    assert result.status == "completed", result.error
    assert len(result.path) == 18


async def test_a_loop_of_nothing_but_routers_rests_between_tasks(runs: Runs, running_worker: RunningWorker) -> None:
    nodes = [router("r", {"when": "true", "to": "r", "max_visits": 1_800}, otherwise="end"), data("end")]
    async with running_worker():
        run_id = await runs.start(graph(nodes, limits={"steps": 5_000}))
        result = await runs.result(run_id)
        history = await runs.handle(run_id).fetch_history()

    timers = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_TIMER_FIRED]
    assert result.status == "completed", result.error
    assert result.path[-1] == "end"
    assert result.path_omitted == 801
    assert len(timers) == 3


async def test_conditions_that_are_too_costly_together_are_an_error(runs: Runs, running_worker: RunningWorker) -> None:
    ways = [data(f"n{index}") for index in range(300)]
    costly = "inputs.l.all(x, x >= 0 && x < 99999)"
    definition = graph(
        [data("a"), *ways],
        [edge("a", way["id"], when=costly) for way in ways],
        inputs={"l": {"type": "array", "items": {"type": "integer"}}},
        on_failure="fail",
    )
    async with running_worker():
        result = await runs.run(definition, {"l": list(range(6_000))})

    assert result.error is not None
    assert (result.error.code, result.error.node) == ("EXPRESSION_TOO_COSTLY", "a")


async def test_a_question_too_long_to_show_is_refused_at_its_node(runs: Runs, running_worker: RunningWorker) -> None:
    definition = graph([ask("q", "{{ inputs.text }}")], inputs={"text": {"type": "string"}}, on_failure="fail")
    async with running_worker():
        result = await runs.run(definition, {"text": "x" * 30_000})

    assert result.error is not None
    assert (result.error.code, result.error.node) == ("TOO_LARGE", "q")


async def test_sixty_questions_at_once_are_answered_in_any_order(runs: Runs, running_worker: RunningWorker) -> None:
    questions = [ask(f"q{index}", "{{ inputs.text }}") for index in range(60)]
    definition = graph(questions, inputs={"text": {"type": "string"}}, outputs={"last": "{{ nodes.q59.text }}"})
    async with running_worker():
        run_id = await runs.start(definition, {"text": "x" * 15_000})
        await runs.waits(run_id)
        replies = [
            await runs.door.answer(run_id, Message(text=str(index), node=f"q{index}")) for index in reversed(range(60))
        ]
        result = await runs.result(run_id)

    assert [reply.node for reply in replies[-2:]] == ["q1", "q0"]
    assert result.outputs == {"last": "59"}


async def test_the_state_of_a_run_with_large_outputs_is_still_readable(
    runs: Runs, running_worker: RunningWorker
) -> None:
    nodes = [data(f"n{index}", "{{ inputs.text }}") for index in range(20)]
    async with running_worker():
        run_id = await runs.start(graph(nodes, inputs={"text": {"type": "string"}}), {"text": "x" * 120_000})
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)

    assert result.status == "completed", result.error
    assert state.nodes.keys() == {node["id"] for node in nodes}
    assert len(state.omitted) == 6
