"""What every node activity has in common: rendering, validation, heartbeats, errors, sizes."""

import asyncio
import gc
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread, current_thread
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Dependencies, all_activities
from activities.blobs import FolderBlobs
from activities.blobs.moving import MAX_VALUE_BYTES
from activities.collecting import uncollected
from activities.providers.simulated import Simulated
from activities.render import render_activity
from activities.runtime import node_activity, quick_activity, retry_delay
from orchestrator.contracts import (
    JOIN_PAGES_ACTIVITY,
    LOAD_PAGE_ACTIVITY,
    MAX_INLINE_BYTES,
    RENDER_ACTIVITY,
    STORE_PAGE_ACTIVITY,
    USAGE_ACTIVITY,
    NodeCall,
    NodeOutput,
    RenderCall,
)
from orchestrator.errors import NodeError, ProviderRateLimitedError, ProviderUnavailableError
from orchestrator.graph.blobs import BLOB_KEY, blob_of, blob_reference, is_blob
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


NO_BLOBS = FolderBlobs(Path("/dev/null/nothing can be kept here"))
render = render_activity(NO_BLOBS)


def quick(handle: Any = None, blobs: FolderBlobs = NO_BLOBS) -> Any:
    return quick_activity(QUICK, ProbeConfig, handle or echo, blobs)


def giving(value: Any, blobs: FolderBlobs = NO_BLOBS) -> Any:
    def handle(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        return NodeOutput(output={"value": value})

    return quick(handle, blobs)


def failing(error: Exception) -> Any:
    def handle(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        raise error

    return quick(handle)


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
        built = all_activities(Dependencies(http=client, chat={"simulated": Simulated()}, blobs=NO_BLOBS))
    names = {getattr(item, "__temporal_activity_definition").name for item in built}
    others = {RENDER_ACTIVITY, STORE_PAGE_ACTIVITY, LOAD_PAGE_ACTIVITY, JOIN_PAGES_ACTIVITY, USAGE_ACTIVITY}
    assert names == {row.activity for row in NODE_TYPES.values() if row.activity} | others


def test_every_node_type_stands_in_the_table_under_its_own_name() -> None:
    assert list(NODE_TYPES) == [row.name for row in NODE_TYPES.values()]


async def test_templates_are_filled_in_but_verbatim_fields_are_not() -> None:
    config = {"text": "Hi {{ inputs.name }}", "as_it_is": "{{ inputs.name }}", "number": "{{ inputs.n }}"}
    output = await ActivityEnvironment().run(quick(), call("Probe", config, {"inputs": {"name": "Ada", "n": 3}}))
    assert output.output == {"text": "Hi Ada", "as_it_is": "{{ inputs.name }}", "number": 3}


@pytest.mark.parametrize(
    ("config", "field"),
    [({"number": "many"}, "config.number"), ({"nmber": 1}, "config.nmber"), ("no map", "config"), (None, "config")],
)
async def test_a_config_that_does_not_fit_names_the_field_and_is_not_retried(config: Any, field: str) -> None:
    error = await failure(quick(), call("Probe", config))
    assert (error.type, error.non_retryable, error.details[0]["field"]) == ("NODE_FAILED", True, field)
    assert error.message.startswith(f"{field} of node 'node': ")
    assert "many" not in error.message


async def test_an_undefined_reference_is_not_retried() -> None:
    error = await failure(quick(), call("Probe", {"text": "{{ nodes.a.b }}"}))
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


async def test_an_output_beyond_what_even_blob_storage_takes_names_the_node_and_the_size() -> None:
    big = "x" * (MAX_VALUE_BYTES // 2)

    def handle(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        return NodeOutput(output={"one": big, "two": big})

    error = await failure(quick(handle), call("Probe", {}))
    assert (error.type, error.non_retryable) == ("TOO_LARGE", True)
    assert "'node'" in error.message
    assert error.details[0]["bytes"] > MAX_VALUE_BYTES


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

    error = await failure(quick(handle), call("Probe", {}))
    assert (error.type, error.non_retryable) == ("NODE_FAILED", True)
    assert error.message.startswith("the output of node 'node' ")
    assert reason in error.message


async def test_an_output_may_be_nested_a_hundred_deep_and_as_wide_as_it_likes() -> None:
    value: dict[str, Any] = {"deep": nested(99), "wide": [{}] * 200}

    def handle(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        return NodeOutput(output=value)

    output = await ActivityEnvironment().run(quick(handle), call("Probe", {}))
    assert output.output == value


async def test_a_work_node_heartbeats_while_it_runs() -> None:
    beaten = asyncio.Event()

    async def wait_for_a_beat(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        await asyncio.wait_for(beaten.wait(), 5)
        return NodeOutput(output={})

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_timeout=timedelta(milliseconds=30))
    environment.on_heartbeat = lambda *_: beaten.set()
    output = await environment.run(node_activity(WORK, ProbeConfig, wait_for_a_beat, NO_BLOBS), call("Probe", {}))
    assert output == NodeOutput(output={})


async def test_cancelling_a_work_node_ends_it_as_cancelled() -> None:
    started = asyncio.Event()

    async def wait_for_ever(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        started.set()
        await asyncio.Event().wait()
        return NodeOutput(output={})

    environment = ActivityEnvironment()
    running = environment.run(node_activity(WORK, ProbeConfig, wait_for_ever, NO_BLOBS), call("Probe", {}))
    task = asyncio.ensure_future(running)
    await started.wait()
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_handler_with_another_config_than_its_type_is_refused() -> None:
    with pytest.raises(TypeError, match="ProbeConfig"):
        quick_activity(NODE_TYPES["Format"], ProbeConfig, echo, NO_BLOBS)


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


async def test_render_says_what_is_wrong() -> None:
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(render, RenderCall(value="{{ inputs.gone }}"))
    assert (caught.value.type, caught.value.non_retryable) == ("TEMPLATE_FAILED", True)


@pytest.mark.parametrize("long", [False, True])
async def test_what_may_take_long_is_done_beside_the_event_loop(*, long: bool) -> None:
    threads: list[Thread] = []

    def handle(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        threads.append(current_thread())
        return NodeOutput(output={})

    text = "{{ inputs.x }}!" * (200 if long else 1)
    await ActivityEnvironment().run(quick(handle), call("Probe", {"text": text}, {"inputs": {"x": 1}}))
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


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path)


def local() -> ActivityEnvironment:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, is_local=True)
    return environment


async def test_a_large_part_of_an_output_goes_to_blob_storage_and_comes_back_for_the_next_node(
    blobs: FolderBlobs,
) -> None:
    text = "é" * MAX_INLINE_BYTES
    first = await ActivityEnvironment().run(
        quick(blobs=blobs), call("Probe", {"text": "{{ inputs.x }}", "number": 1}, {"inputs": {"x": text}})
    )
    blob = blob_of(first.output["text"])
    assert blob is not None
    assert (blob.size, blob.type, first.output["number"]) == (2 * len(text) + 2, "string", 1)

    seen: list[str] = []

    def handle(config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        seen.append(config.text)
        return NodeOutput(output={"length": len(config.text)})

    second = await ActivityEnvironment().run(
        quick(handle, blobs), call("Probe", {"text": "{{ nodes.a.text }}"}, {"nodes": {"a": first.output}})
    )
    assert (seen, second.output) == ([text], {"length": len(text)})


async def test_what_is_inside_a_stored_value_can_be_referred_to(blobs: FolderBlobs) -> None:
    value = [{"name": f"row {index}"} for index in range(20_000)]
    stored = await ActivityEnvironment().run(giving(value, blobs), call("Probe", {}))
    assert is_blob(stored.output["value"])
    template = {"one": "{{ nodes.a.value[19999].name }}", "two": "<{{ nodes.a.value[0].name }}>"}
    values = {"nodes": {"a": stored.output}}

    rendered = await ActivityEnvironment().run(render_activity(blobs), RenderCall(value=template, values=values))

    assert rendered == {"one": "row 19999", "two": "<row 0>"}


async def test_what_rendering_makes_too_large_goes_to_blob_storage_too(blobs: FolderBlobs) -> None:
    rendered = await ActivityEnvironment().run(
        render_activity(blobs),
        RenderCall(
            value={"a": "{{ inputs.x }}", "b": "<{{ inputs.y }}>"}, values={"inputs": {"x": "x" * 900_000, "y": 1}}
        ),
    )
    assert (is_blob(rendered["a"]), rendered["b"]) == (True, "<1>")


async def test_a_value_that_only_looks_like_a_reference_is_passed_on_as_it_is(blobs: FolderBlobs) -> None:
    forged = blob_reference("0" * 64 + ".json", 5, "string")
    output = await ActivityEnvironment().run(giving([forged], blobs), call("Probe", {}))
    assert output.output["value"][0][BLOB_KEY]["key"] != forged[BLOB_KEY]["key"]

    rendered = await ActivityEnvironment().run(
        render_activity(blobs), RenderCall(value="is {{ nodes.a.value }}", values={"nodes": {"a": output.output}})
    )
    assert rendered == f"is {json.dumps([forged], separators=(',', ':'))}"


@pytest.mark.parametrize("value", ["x" * 100_000, blob_reference("0" * 64 + ".json", 5, "string")])
async def test_a_local_activity_leaves_what_is_large_to_a_regular_one(value: Any, blobs: FolderBlobs) -> None:
    with pytest.raises(ApplicationError) as caught:
        await local().run(giving(value, blobs), call("Probe", {}))
    assert (caught.value.type, caught.value.non_retryable) == ("TOO_LARGE_FOR_LOCAL", True)


async def test_a_local_activity_does_not_read_from_blob_storage() -> None:
    values = {"nodes": {"a": {"text": blob_reference("0" * 64 + ".json", 5, "string")}}}
    with pytest.raises(ApplicationError) as of_node:
        await local().run(quick(), call("Probe", {"text": "{{ nodes.a.text }}"}, values))
    with pytest.raises(ApplicationError) as of_rendering:
        await local().run(render, RenderCall(value="{{ nodes.a.text.b }}", values=values))
    assert (of_node.value.type, of_rendering.value.type) == ("TOO_LARGE_FOR_LOCAL", "TOO_LARGE_FOR_LOCAL")


async def test_a_blob_that_is_gone_is_asked_for_again_and_names_the_node_and_the_key(blobs: FolderBlobs) -> None:
    key = "0" * 64 + ".json"
    values = {"nodes": {"a": {"text": blob_reference(key, 5, "string")}}}
    error = await failure(quick(blobs=blobs), call("Probe", {"text": "{{ nodes.a.text }}"}, values))
    assert (error.type, error.non_retryable) == ("PROVIDER_UNAVAILABLE", False)
    assert error.message.startswith(f"node 'node': blob {key} is not in blob storage")


async def test_more_than_one_node_may_read_is_refused_before_any_of_it_is_read(blobs: FolderBlobs) -> None:
    half = MAX_VALUE_BYTES // 2 + 1
    one, other = (blob_reference(digit * 64 + ".json", half, "string") for digit in "01")
    config = {"text": "{{ inputs.one }}"}
    error = await failure(quick(blobs=blobs), call("Probe", config, {"inputs": {"one": one, "other": other}}))
    assert (error.type, error.non_retryable) == ("TOO_LARGE", True)
    assert error.message.startswith("node 'node' reads 200,000,002 bytes from blob storage")

    # The same one twice is read once, so it counts once; that it is not there is all that is wrong with it.
    error = await failure(quick(blobs=blobs), call("Probe", config, {"inputs": {"one": one, "other": one}}))
    assert error.type == "PROVIDER_UNAVAILABLE"


async def test_a_reference_that_does_not_fit_its_blob_is_refused(blobs: FolderBlobs) -> None:
    forged = blob_reference(await blobs.put(b'"text"'), 5, "string")
    error = await failure(quick(blobs=blobs), call("Probe", {"text": "{{ inputs.x }}"}, {"inputs": {"x": forged}}))
    assert (error.type, error.non_retryable) == ("NODE_FAILED", True)
    assert "not made by this platform" in error.message


async def test_a_damaged_blob_is_never_used_and_names_the_node(blobs: FolderBlobs, tmp_path: Path) -> None:
    content = b'"text"'
    key = await blobs.put(content)
    (tmp_path / key[:2] / key[2:4] / key).write_bytes(b'"test"')
    reference = blob_reference(key, len(content), "string")
    error = await failure(quick(blobs=blobs), call("Probe", {"text": "{{ inputs.x }}"}, {"inputs": {"x": reference}}))
    assert (error.type, error.non_retryable) == ("NODE_FAILED", True)
    assert error.message.startswith(f"node 'node': the content of blob {key} is not what was stored")


async def test_storage_that_cannot_be_written_names_the_node_and_is_tried_again() -> None:
    error = await failure(giving("x" * 200_000), call("Probe", {}))
    assert (error.type, error.non_retryable) == ("PROVIDER_UNAVAILABLE", False)
    assert error.message.startswith("the output of node 'node': blob storage cannot be written")


async def test_a_quick_node_heartbeats_too_when_it_is_called_as_a_regular_activity() -> None:
    beaten = Event()

    def wait_for_a_beat(_config: ProbeConfig, _call: NodeCall) -> NodeOutput:
        assert beaten.wait(5)
        return NodeOutput(output={})

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_timeout=timedelta(milliseconds=30))
    environment.on_heartbeat = lambda *_: beaten.set()
    assert await environment.run(quick(wait_for_a_beat), call("Probe", {"text": "x" * 100_000})) == NodeOutput(
        output={}
    )


def test_the_collector_rests_until_the_last_block_that_needs_it_has_ended() -> None:
    assert gc.isenabled()
    with uncollected():
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


async def test_sixty_megabytes_go_through_a_node_unchanged(blobs: FolderBlobs) -> None:
    rows = [{"id": index, "text": f"row number {index} " * 12, "tags": ["a", "b"]} for index in range(250_000)]
    stored = await ActivityEnvironment().run(giving(rows, blobs), call("Probe", {}))
    blob = blob_of(stored.output["value"])
    assert blob is not None
    assert blob.size > 55_000_000

    values = {"nodes": {"a": stored.output}}
    output = await perform(call("DataInput", {"data": "{{ nodes.a.value }}"}, values), blobs=blobs)

    assert output.output == {"data": stored.output["value"]}
