"""Encrypted runs on a real server: nothing of them is kept in clear, and everything works as without."""

import asyncio
import json
import re
import subprocess
from base64 import b64decode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from pydantic import SecretStr
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

from orchestrator.contracts import ForkRequest, Message, ResolveRequest, RunRequest
from orchestrator.devserver import DevServer
from orchestrator.encryption import EncryptingCodec, keys_of, new_key
from orchestrator.encryption.server import codec_app
from orchestrator.errors import SettingsError
from orchestrator.operating.serving import serving
from orchestrator.operating.telemetry import reserved
from orchestrator.settings import Settings
from orchestrator.temporal_binary import find_binary
from orchestrator.testkit.recorded import tale_of
from orchestrator.trace import histories, trace_of
from tests.addresses import free_address
from tests.integration.running import Runs
from tests.scenarios import ask, compute, edge, graph, model
from worker import build_worker, open_dependencies

OLD, NEW = new_key("old"), new_key("new")
SECRET = "hunter2-of-ada"  # noqa: S105 - what a test looks for
INPUTS = {"word": {"type": "string"}}
_DATA = re.compile(r'"data": "([^"]*)"')
_KEY_ID = re.compile(rb"encryption-key-id\x12.(old|new)")


def with_keys(settings: Settings, *lines: str) -> Settings:
    keys = SecretStr(",".join(lines)) if lines else None
    return settings.model_copy(update={"encryption_keys": keys})


@asynccontextmanager
async def at_work(server: DevServer, settings: Settings) -> AsyncGenerator[Runs]:
    """A worker with these settings, and a client with the same."""
    client = await server.client(settings)
    async with open_dependencies(settings) as parts, build_worker(client, settings, dependencies=parts):
        yield Runs(client, settings.task_queue)


async def kept(plain: Client, run_id: str) -> list[WorkflowHistory]:
    """What the server keeps of a run, as it is."""
    return [history async for history in histories(plain, run_id)]


def unpacked(shown: str) -> str:
    """The data of every payload in the JSON of a history."""
    return " ".join(b64decode(data).decode(errors="replace") for data in _DATA.findall(shown))


def assert_nothing_shows(events: list[HistoryEvent], *texts: str) -> None:
    for event in events:
        raw = event.SerializeToString()
        for text in texts:
            assert text.encode() not in raw, f"{text!r} is in clear in {event}"


async def test_nothing_of_a_run_is_kept_in_clear(server: DevServer, client: Client, worker_settings: Settings) -> None:
    definition = graph(
        [
            model("tell", "tell {{ inputs.word }}"),
            compute("broken", "input.missing", {"word": "{{ inputs.word }}"}),
            ask("name", "Is {{ inputs.word }} right?"),
        ],
        [edge("tell", "broken"), edge("tell", "name")],
        inputs=INPUTS,
        outputs={"word": "{{ inputs.word }}", "said": "{{ nodes.name.value }}"},
    )
    async with at_work(server, with_keys(worker_settings, OLD)) as runs:
        run_id = f"encrypted-{worker_settings.task_queue}"
        request = RunRequest(definition=definition, inputs={"word": SECRET})
        await runs.door.start(request, run_id, memo={"note": SECRET})
        await runs.waits(run_id)
        [parked] = await runs.parks(run_id)
        await runs.door.send(run_id, Message(node="name", text=f"{SECRET}, signalled"))
        await runs.door.resolve(run_id, ResolveRequest(action="override", node="broken", output={"result": SECRET}))
        result = await runs.result(run_id)

    assert (result.status, result.outputs["word"]) == ("completed", SECRET)
    [history] = await kept(client, run_id)
    assert parked.error.message
    assert_nothing_shows(list(history.events), SECRET, "signalled", parked.error.message, "inputs.word", "Is ")
    assert SECRET not in unpacked(history.to_json())
    described = await client.get_workflow_handle(run_id).describe()
    assert SECRET.encode() not in described.raw_description.SerializeToString()


async def test_a_failed_run_is_failed_for_temporal_and_keeps_its_reason_to_itself(
    server: DevServer, client: Client, worker_settings: Settings
) -> None:
    definition = graph(
        [compute("broken", "input[inputs]", {"word": "{{ inputs.word }}"}, on_failure="fail")], inputs=INPUTS
    )
    async with at_work(server, with_keys(worker_settings, OLD)) as runs:
        run_id = await runs.start(definition, {"word": SECRET})
        result = await runs.result(run_id)

    [history] = await kept(client, run_id)
    assert result.error is not None
    assert history.events[-1].workflow_execution_failed_event_attributes.failure.application_failure_info.type == (
        result.error.code
    )
    assert_nothing_shows(list(history.events), SECRET, result.error.message)


async def test_large_values_lie_encrypted_in_blob_storage(server: DevServer, worker_settings: Settings) -> None:
    settings = with_keys(worker_settings, OLD)
    definition = graph(
        [
            compute("grow", "input.word + input.rest", {"word": "{{ inputs.word }}", "rest": "{{ inputs.rest }}"}),
            compute("shrink", "size(input.all)", {"all": "{{ nodes.grow.result }}"}),
        ],
        [edge("grow", "shrink")],
        inputs={**INPUTS, "rest": {"type": "string"}},
        outputs={"size": "{{ nodes.shrink.result }}"},
    )
    async with at_work(server, settings) as runs:
        result = await runs.run(definition, {"word": SECRET, "rest": "." * 300_000})

    assert result.outputs == {"size": 300_000 + len(SECRET)}
    files = [file for file in settings.blob_dir.rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []


async def test_keys_can_be_switched_on_and_rotated_under_a_run_that_waits(
    server: DevServer, client: Client, worker_settings: Settings
) -> None:
    definition = graph(
        [ask("first", "One?"), ask("second", "Two?"), ask("third", "Three?")],
        [edge("first", "second"), edge("second", "third")],
        outputs={"all": "{{ nodes.first.value }} {{ nodes.second.value }} {{ nodes.third.value }}"},
    )
    async with at_work(server, worker_settings) as runs:
        run_id = await runs.start(definition)
        await runs.waits(run_id, "first")
    async with at_work(server, with_keys(worker_settings, OLD)) as runs:
        await runs.door.answer(run_id, Message(text="plain"))
        await runs.waits(run_id, "second")
        await runs.door.answer(run_id, Message(text="with-the-old-key"))
        await runs.waits(run_id, "third")
    async with at_work(server, with_keys(worker_settings, NEW, OLD)) as runs:
        await runs.door.answer(run_id, Message(text="with-the-new-key"))
        result = await runs.result(run_id)

    assert result.outputs == {"all": "plain with-the-old-key with-the-new-key"}
    [history] = await kept(client, run_id)
    assert_nothing_shows(list(history.events), "with-the-old-key", "with-the-new-key")
    assert {b"old", b"new"} == set(_KEY_ID.findall(b"".join(event.SerializeToString() for event in history.events)))


async def test_a_worker_without_the_key_leaves_a_run_alone_and_one_that_has_it_goes_on(
    server: DevServer, client: Client, worker_settings: Settings
) -> None:
    secret = with_keys(worker_settings, OLD)
    sender = Runs(await server.client(secret), worker_settings.task_queue)
    run_id = await sender.start(graph([ask("name", "Who?")], outputs={"name": "{{ nodes.name.value }}"}))
    handle = client.get_workflow_handle(run_id)

    async def failed() -> bool:
        pending = (await handle.describe()).raw_description.pending_workflow_task
        return pending.attempt > 1

    async with at_work(server, worker_settings):
        await sender.until(failed)
    async with at_work(server, secret) as runs:
        await runs.waits(run_id)
        await runs.door.answer(run_id, Message(text="Ada"))
        result = await runs.result(run_id)

    assert result.outputs == {"name": "Ada"}


async def test_a_run_can_be_continued_forked_and_recorded(server: DevServer, worker_settings: Settings) -> None:
    settings = with_keys(worker_settings, OLD).model_copy(update={"rollover_events": 50})
    names = [f"a{number}" for number in range(16)]
    nodes = [model(name, f"{name} {{{{ inputs.word }}}}") for name in names]
    steps = [edge(one, other) for one, other in pairwise(names)]
    definition = graph([*nodes, ask("last", "Well?")], [*steps, edge(names[-1], "last")], inputs=INPUTS)
    async with at_work(server, settings) as runs:
        run_id = await runs.start(definition, {"word": SECRET})
        await runs.waits(run_id)
        tale = await tale_of(runs.client, run_id)
        state = await runs.door.state(run_id)
        fork = RunRequest(definition=definition, fork=ForkRequest(run=run_id, at="last"))
        forked = await runs.door.fork(fork, f"{run_id}-fork")
        await runs.waits(forked)
        for run in (run_id, forked):
            await runs.door.answer(run, Message(text="fine"))
        results = [await runs.result(run) for run in (run_id, forked)]

    assert [result.status for result in results] == ["completed", "completed"]
    assert set(tale.results) == set(names)
    assert state.continued > 0


async def test_what_happened_in_a_run_is_not_told_in_part_when_a_key_is_missing(
    server: DevServer, worker_settings: Settings
) -> None:
    definition = graph([ask("name", "Who?"), model("say", "Hello.")], [edge("name", "say")])
    async with at_work(server, with_keys(worker_settings, OLD)) as runs:
        run_id = await runs.start(definition)
        await runs.waits(run_id)
    async with at_work(server, with_keys(worker_settings, NEW, OLD)) as runs:
        await runs.door.answer(run_id, Message(text="Ada"))
        await runs.result(run_id)
        told = await trace_of(runs.client, run_id)
    lacking = await server.client(with_keys(worker_settings, OLD))

    with pytest.raises(SettingsError, match="'new'"):
        await trace_of(lacking, run_id)

    assert told.lives[0].happenings


async def test_the_temporal_program_reads_and_writes_through_the_codec_server(
    server: DevServer, worker_settings: Settings
) -> None:
    settings = with_keys(worker_settings, OLD)
    address, program = free_address(), await find_binary(None)
    definition = graph([ask("name", "Who?")], inputs=INPUTS, outputs={"said": "{{ nodes.name.value }}"})

    async def temporal(*arguments: str, codec: bool = True) -> str:
        told = ["--address", server.address, *(["--codec-endpoint", f"http://{address}"] if codec else [])]
        done = await asyncio.to_thread(
            subprocess.run, [program, *arguments, *told], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    codec = codec_app(EncryptingCodec(keys_of(settings)))
    async with serving(codec, reserved(address, "address")), at_work(server, settings) as runs:
        run = ("--workflow-id", f"cli-{worker_settings.task_queue}")
        given = json.dumps({"definition": definition, "inputs": {"word": SECRET}})
        queue = ("--task-queue", worker_settings.task_queue)
        await temporal("workflow", "start", "--type", "GraphWorkflow", *queue, *run, "--input", given)
        await runs.waits(run[1])
        asked = await temporal("workflow", "query", *run, "--type", "awaiting")
        await temporal("workflow", "signal", *run, "--name", "message", "--input", '{"text": "Ada"}')
        await runs.result(run[1])
        shown = await temporal("workflow", "show", *run, "--output", "json")
        hidden = await temporal("workflow", "show", *run, "--output", "json", codec=False)

    assert "Who?" in asked
    assert SECRET in unpacked(shown)
    assert SECRET not in unpacked(hidden)
