"""What every node activity has in common: rendering, validation, heartbeats, errors, sizes."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from threading import Thread, current_thread
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Dependencies, all_activities
from activities.providers.simulated import Simulated
from activities.render import render
from activities.runtime import node_activity, quick_activity, retry_delay
from orchestrator.contracts import MAX_PAYLOAD_BYTES, RENDER_ACTIVITY, NodeCall, NodeOutput, RenderCall
from orchestrator.errors import NodeError, ProviderRateLimitedError, ProviderUnavailableError
from orchestrator.graph.plan import Retry
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.base import ConfigModel, NodeType, Text, Verbatim
from tests.unit.loopback import call, perform


class ProbeConfig(ConfigModel):
    text: Text = ""
    as_it_is: Verbatim = ""
    number: int = 0


QUICK = NodeType(name="Probe", summary="", tier="quick", config=ProbeConfig, outputs=None)
WORK = replace(QUICK, tier="work")


def failing(error: Exception) -> Any:
    def handle(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        raise error

    return quick_activity(QUICK, ProbeConfig, handle)


def echo(config: ProbeConfig, _call: NodeCall) -> NodeOutput:
    return NodeOutput(output=config.model_dump())


async def failure(perform_node: Any, node_call: NodeCall, *, attempt: int = 1) -> ApplicationError:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt)
    with pytest.raises(ApplicationError) as caught:
        await environment.run(perform_node, node_call)
    return caught.value


async def test_every_node_type_that_needs_an_activity_has_one_and_no_other_does() -> None:
    async with httpx.AsyncClient() as client:
        built = all_activities(Dependencies(http=client, chat={"simulated": Simulated()}))
    names = {getattr(item, "__temporal_activity_definition").name for item in built}
    assert names == {row.activity for row in NODE_TYPES.values() if row.activity} | {RENDER_ACTIVITY}


def test_every_node_type_stands_in_the_table_under_its_own_name() -> None:
    assert list(NODE_TYPES) == [row.name for row in NODE_TYPES.values()]


async def test_templates_are_filled_in_but_verbatim_fields_are_not() -> None:
    config = {"text": "Hi {{ inputs.name }}", "as_it_is": "{{ inputs.name }}", "number": "{{ inputs.n }}"}
    output = await ActivityEnvironment().run(
        quick_activity(QUICK, ProbeConfig, echo), call("Probe", config, {"inputs": {"name": "Ada", "n": 3}})
    )
    assert output.output == {"text": "Hi Ada", "as_it_is": "{{ inputs.name }}", "number": 3}


@pytest.mark.parametrize(
    ("config", "field"),
    [({"number": "many"}, "config.number"), ({"nmber": 1}, "config.nmber"), ("no map", "config"), (None, "config")],
)
async def test_a_config_that_does_not_fit_names_the_field_and_is_not_retried(config: Any, field: str) -> None:
    error = await failure(quick_activity(QUICK, ProbeConfig, echo), call("Probe", config))
    assert (error.type, error.non_retryable, error.details[0]["field"]) == ("NODE_FAILED", True, field)
    assert error.message.startswith(f"{field} of node 'node': ")
    assert "many" not in error.message


async def test_an_undefined_reference_is_not_retried() -> None:
    error = await failure(quick_activity(QUICK, ProbeConfig, echo), call("Probe", {"text": "{{ nodes.a.b }}"}))
    assert (error.type, error.non_retryable) == ("TEMPLATE_FAILED", True)


async def test_our_errors_keep_code_message_details_and_posture() -> None:
    error = await failure(failing(NodeError("it broke", details={"why": 1})), call("Probe", {}))
    assert (error.type, error.message, error.non_retryable) == ("NODE_FAILED", "it broke", True)
    assert error.details == ({"why": 1},)


async def test_what_the_provider_asks_for_comes_before_our_own_delay() -> None:
    error = await failure(failing(ProviderRateLimitedError("slow down", retry_after_s=42)), call("Probe", {}))
    assert (error.next_retry_delay, error.non_retryable) == (timedelta(seconds=42), False)


async def test_without_a_word_from_the_provider_the_node_s_own_delay_counts() -> None:
    retry = Retry(strategy="linear", initial_delay=2, jitter=False)
    error = await failure(failing(ProviderUnavailableError("away")), call("Probe", {}, retry=retry), attempt=3)
    assert error.next_retry_delay == timedelta(seconds=6)


async def test_an_unforeseen_error_is_retried_and_tells_nothing_of_the_config() -> None:
    error = await failure(failing(ZeroDivisionError("secret-value")), call("Probe", {"text": "secret-value"}))
    assert (error.type, error.non_retryable) == ("INTERNAL", False)
    assert "ZeroDivisionError" in error.message
    assert "secret-value" not in error.message
    assert error.__cause__ is None


async def test_too_large_an_output_names_the_node_and_the_size() -> None:
    error = await failure(quick_activity(QUICK, ProbeConfig, echo), call("Probe", {"text": "x" * MAX_PAYLOAD_BYTES}))
    assert (error.type, error.non_retryable) == ("TOO_LARGE", True)
    assert "'node'" in error.message
    assert error.details[0]["bytes"] > MAX_PAYLOAD_BYTES


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("\ud800", "surrogates not allowed"),
        (object(), "unknown type"),
        (nested(100), "more than 100 deep"),
        (nested(500), "depth exceeded"),
    ],
)
async def test_an_output_that_has_no_json_names_the_node_and_is_not_retried(value: Any, reason: str) -> None:
    def handle(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        return NodeOutput(output={"value": value})

    error = await failure(quick_activity(QUICK, ProbeConfig, handle), call("Probe", {}))
    assert (error.type, error.non_retryable) == ("NODE_FAILED", True)
    assert error.message.startswith("the output of node 'node' ")
    assert reason in error.message


async def test_an_output_may_be_nested_a_hundred_deep_and_as_wide_as_it_likes() -> None:
    value: dict[str, Any] = {"deep": nested(99), "wide": [{}] * 200}

    def handle(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        return NodeOutput(output=value)

    output = await ActivityEnvironment().run(quick_activity(QUICK, ProbeConfig, handle), call("Probe", {}))
    assert output.output == value


async def test_a_work_node_heartbeats_while_it_runs() -> None:
    beaten = asyncio.Event()

    async def wait_for_a_beat(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        await asyncio.wait_for(beaten.wait(), 5)
        return NodeOutput(output={})

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_timeout=timedelta(milliseconds=30))
    environment.on_heartbeat = lambda *_: beaten.set()
    output = await environment.run(node_activity(WORK, ProbeConfig, wait_for_a_beat), call("Probe", {}))
    assert output == NodeOutput(output={})


async def test_cancelling_a_work_node_ends_it_as_cancelled() -> None:
    started = asyncio.Event()

    async def wait_for_ever(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        started.set()
        await asyncio.Event().wait()
        return NodeOutput(output={})

    environment = ActivityEnvironment()
    running = environment.run(node_activity(WORK, ProbeConfig, wait_for_ever), call("Probe", {}))
    task = asyncio.ensure_future(running)
    await started.wait()
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_handler_with_another_config_than_its_type_is_refused() -> None:
    with pytest.raises(TypeError, match="ProbeConfig"):
        quick_activity(NODE_TYPES["Format"], ProbeConfig, echo)


@pytest.mark.parametrize(
    ("retry", "delays"),
    [
        (Retry(strategy="fixed", initial_delay=3, jitter=False), [3, 3, 3]),
        (Retry(strategy="linear", initial_delay=3, jitter=False, max_delay=7), [3, 6, 7]),
        (Retry(strategy="exponential", initial_delay=1, multiplier=3, jitter=False), [1, 3, 9]),
    ],
)
def test_the_delay_follows_the_strategy(retry: Retry, delays: list[float]) -> None:
    assert [retry_delay(retry, attempt) for attempt in (1, 2, 3)] == delays


@given(st.integers(1, 100_000), st.sampled_from(["fixed", "linear", "exponential"]))
def test_jitter_takes_at_most_half_and_no_delay_passes_the_longest(attempt: int, strategy: Any) -> None:
    retry = Retry(strategy=strategy, initial_delay=2, max_delay=20)
    full = retry_delay(retry.model_copy(update={"jitter": False}), attempt)
    assert full / 2 <= retry_delay(retry, attempt) <= full <= 20


async def test_render_fills_in_any_value() -> None:
    rendered = await ActivityEnvironment().run(
        render, RenderCall(value={"a": "{{ inputs.x }}", "b": "<{{ inputs.x }}>"}, values={"inputs": {"x": [1]}})
    )
    assert rendered == {"a": [1], "b": "<[1]>"}


@pytest.mark.parametrize(
    ("value", "code"), [("{{ inputs.gone }}", "TEMPLATE_FAILED"), (["{{ inputs.big }}"] * 3, "TOO_LARGE")]
)
async def test_render_says_what_is_wrong(value: Any, code: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(render, RenderCall(value=value, values={"inputs": {"big": "x" * 500_000}}))
    assert (caught.value.type, caught.value.non_retryable) == (code, True)


@pytest.mark.parametrize("long", [False, True])
async def test_what_may_take_long_is_done_beside_the_event_loop(*, long: bool) -> None:
    threads: list[Thread] = []

    def handle(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        threads.append(current_thread())
        return NodeOutput(output={})

    text = "{{ inputs.x }}!" * (200 if long else 1)
    await ActivityEnvironment().run(
        quick_activity(QUICK, ProbeConfig, handle), call("Probe", {"text": text}, {"inputs": {"x": 1}})
    )
    assert (threads != [current_thread()]) == long


async def test_the_event_loop_goes_on_while_many_templates_are_filled_in() -> None:
    slow = "{% for i in range(9000) %}{% if i > 99999 %}x{% endif %}{% endfor %}{{ inputs.x }}"
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await ActivityEnvironment().run(render, RenderCall(value=[slow] * 20, values={"inputs": {"x": 1}}))
    counting.cancel()
    assert turns > 3


async def test_the_same_call_gives_the_same_output_on_every_attempt() -> None:
    node_call = call("Format", {"template": "{{ inputs.x }}"}, {"inputs": {"x": 1}})
    assert await perform(node_call) == await perform(node_call)
