"""What a worker and the command line tell a collector of traces: real processes, over OTLP/HTTP."""

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path

import pytest

from activities.asking.spans import CAPTURE
from activities.secrets import SECRET_PREFIX
from orchestrator.client import Orchestrator
from orchestrator.contracts import Message, RunRequest
from tests.addresses import free_address
from tests.e2e.collector import Collector, collector
from tests.e2e.kills.cases.building import call, world
from tests.e2e.kills.driver import Case, Stage
from tests.e2e.kills.far_side import Answer
from tests.e2e.kills.people import asked
from tests.e2e.model_service import ANSWER, ASKS, SICK, WELL, model_service
from tests.e2e.operated import FEW_KEPT, crowd_out, operated
from tests.scenarios import ask, edge, graph, model

ROOT = Path(__file__).parents[2]
SECRET = "hunter2-of-ada"  # noqa: S105 - what a test looks for


@pytest.fixture
async def traces() -> AsyncGenerator[Collector]:
    async with collector() as kept:
        yield kept


def telling(traces: Collector, **more: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": traces.url, "OTEL_BSP_SCHEDULE_DELAY": "50", **more}


@pytest.mark.parametrize(
    "how",
    [{"ORCHESTRATOR_SANDBOXED": "true"}, FEW_KEPT],
    ids=["sandboxed", "replayed"],
)
async def test_a_run_is_one_span_and_each_attempt_of_a_node_another(
    how: dict[str, str], stage: Stage, traces: Collector
) -> None:
    definition = world(
        [call("pay", {"word": "{{ inputs.word }}"}), ask("name", "Who?"), call("ship")],
        [edge("pay", "name"), edge("name", "ship")],
        inputs={"word": {"type": "string"}},
    )
    case = Case(definition, done={}, inputs={"word": SECRET}, answers={"pay": (Answer(503),)})
    scene = await stage.open(case)
    worker = await operated(stage, scene.run, telling(traces, **how))
    await asked("name")(scene)
    if how is FEW_KEPT:
        await crowd_out(stage, scene.run)
    await scene.door.answer(scene.run, Message(text=SECRET))
    await scene.door.result(scene.run)
    [run] = await traces.until(1, "run", run=scene.run)
    attempts = await traces.until(3, "node HttpRequest", run=scene.run)
    assert await worker.tell(signal.SIGTERM) == 0

    assert [span.id for span in traces.named("run") if span.attributes["orchestrator.run"] == scene.run] == [run.id]
    assert run.attributes["orchestrator.definition"] == "scenario@1.0.0"
    assert (run.attributes["orchestrator.status"], run.failed, run.service) == ("completed", None, "orchestrator")
    told = [
        (span.attributes["orchestrator.node"], span.attributes["orchestrator.attempt"], span.failed is None)
        for span in attempts
    ]
    assert sorted(told) == [("pay", 1, False), ("pay", 2, True), ("ship", 1, True)]
    for span in attempts:
        assert (span.trace, span.parent) == (run.trace, run.id)
        assert span.attributes["orchestrator.definition"] == "scenario@1.0.0"
        assert span.attributes["orchestrator.visit"] == 1
    assert [span for span in traces.spans if SECRET.encode() in span.raw] == []


async def test_a_run_that_goes_on_in_new_workflow_runs_is_one_trace(stage: Stage, traces: Collector) -> None:
    names = [f"a{number}" for number in range(24)]
    steps = [edge(one, other) for one, other in pairwise(names)]
    definition = graph([model(name, "hello") for name in names], steps)
    run = f"traced-{uuid.uuid4()}"
    worker = await operated(stage, run, telling(traces, ORCHESTRATOR_ROLLOVER_EVENTS="50"))
    door = Orchestrator(stage.client, run)
    await door.start(RunRequest(definition=definition), run)
    await door.result(run)
    nodes = await traces.until(24, "node ModelInvoke", run=run)
    await traces.until(1, "run", run=run, status="completed")
    await worker.tell(signal.SIGTERM)

    runs = traces.named("run")
    assert len(runs) > 1
    assert {span.trace for span in [*runs, *nodes]} == {runs[0].trace}


async def test_a_child_run_is_in_the_trace_of_its_parent(stage: Stage, traces: Collector) -> None:
    inner = f"inner-{uuid.uuid4()}"
    file = stage.nursery.folder / "definitions" / f"{inner}.json"
    file.write_text(json.dumps({**graph([model("say", "hello")]), "name": inner}), encoding="utf-8")
    sub = {"id": "sub", "type": "Subworkflow", "config": {"definition": inner, "mode": "child"}}
    run = f"traced-{uuid.uuid4()}"
    worker = await operated(stage, run, telling(traces))
    door = Orchestrator(stage.client, run)
    await door.start(RunRequest(definition=graph([sub, model("after", "hello")], [edge("sub", "after")])), run)
    await door.result(run)
    [parent] = await traces.until(1, "run", run=run)
    nodes = await traces.until(2, "node ModelInvoke")
    runs = await traces.until(2, "run")
    await worker.tell(signal.SIGTERM)

    [child] = [span for span in runs if span.id != parent.id]
    assert (child.trace, child.parent) == (parent.trace, parent.id)
    assert {(span.attributes["orchestrator.node"], span.trace, span.parent) for span in nodes} == {
        ("say", parent.trace, child.id),
        ("after", parent.trace, parent.id),
    }


async def test_the_command_line_begins_the_trace(stage: Stage, traces: Collector, tmp_path: Path) -> None:
    (tmp_path / "hello.json").write_text(json.dumps(graph([model("a", "hello")])), encoding="utf-8")
    run = f"traced-{uuid.uuid4()}"
    worker = await operated(stage, run, telling(traces))
    address = stage.client.service_client.config.target_host
    environment = {**os.environ, **telling(traces), "TEMPORAL_ADDRESS": address, "ORCHESTRATOR_TASK_QUEUE": run}
    command = await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "starter.py", "run", "hello.json", cwd=tmp_path, env=environment
    )
    assert await command.wait() == 0
    [start] = await traces.until(1, "start")
    [ran] = await traces.until(1, "run")
    await worker.tell(signal.SIGTERM)

    assert (start.parent, ran.parent, ran.trace) == ("", start.id, start.trace)


async def test_a_collector_that_is_away_delays_nothing_and_fails_nothing(stage: Stage) -> None:
    run = f"untraced-{uuid.uuid4()}"
    worker = await operated(stage, run, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{free_address()}"})
    door = Orchestrator(stage.client, run)
    await door.start(RunRequest(definition=graph([model("a", "hello")])), run)
    result = await door.result(run)
    began = time.monotonic()
    code = await worker.tell(signal.SIGTERM)

    assert (result.status, code) == ("completed", 0)
    assert time.monotonic() - began < 10


async def test_a_call_of_a_model_is_a_span_within_its_node_and_holds_no_text(stage: Stage, traces: Collector) -> None:
    run = f"asked-{uuid.uuid4()}"
    worker = await operated(stage, run, telling(traces))
    door = Orchestrator(stage.client, run)
    await door.start(RunRequest(definition=graph([model("ask", SECRET)])), run)
    await door.result(run)
    [node] = await traces.until(1, "node ModelInvoke", run=run)
    [chat] = traces.named("chat simulated")
    await worker.tell(signal.SIGTERM)

    assert (chat.trace, chat.parent) == (node.trace, node.id)
    about = {name: value for name, value in chat.attributes.items() if name.startswith("gen_ai.")}
    assert about["gen_ai.operation.name"] == "chat"
    assert (about["gen_ai.provider.name"], about["gen_ai.request.model"]) == ("simulated", "simulated")
    assert int(about["gen_ai.usage.output_tokens"]) > 0
    assert [span for span in traces.spans if SECRET.encode() in span.raw] == []


@pytest.mark.parametrize("said", [{}, {CAPTURE: "no_content"}], ids=["unset", "no"])
async def test_no_text_of_models_is_in_any_span_where_nobody_asks_for_it(
    said: dict[str, str], stage: Stage, traces: Collector, tmp_path: Path
) -> None:
    run = f"asked-{uuid.uuid4()}"
    async with model_service() as service:
        worker = await operated(stage, run, telling(traces, **service.settings(str(tmp_path)), **said))
        door = Orchestrator(stage.client, run)
        await door.start(RunRequest(definition=ASKS), run)
        result = await door.result(run)
        await traces.until(1, "run", run=run)
        # It sends the last ones before it ends.
        assert await worker.tell(signal.SIGTERM) == 0

    assert result.status == "completed", result.error
    assert len(traces.named(f"chat {WELL}")) == service.asked[WELL]
    assert {span.failed for span in traces.named(f"chat {SICK}")} == {"PROVIDER_OVERLOADED"}
    texts = [ANSWER[:5], ANSWER[5:], "How is", "Who is there"]
    assert [(span.name, text) for span in traces.spans for text in texts if text.encode() in span.raw] == []


async def test_texts_are_in_the_spans_of_model_calls_where_asked_for_and_masked(
    stage: Stage, traces: Collector, tmp_path: Path
) -> None:
    run, mail = f"asked-{uuid.uuid4()}", "ada.lovelace@example.org"
    config = {"model": WELL, "system": "Be brief.", "prompt": f"Write to {mail}, not {SECRET}", "max_tokens": 50}
    definition = graph([{"id": "ask", "type": "ModelInvoke", "config": config}])
    async with model_service() as service:
        told = {CAPTURE: "true", f"{SECRET_PREFIX}ADA": SECRET, **service.settings(str(tmp_path))}
        worker = await operated(stage, run, telling(traces, **told))
        door = Orchestrator(stage.client, run)
        await door.start(RunRequest(definition=definition), run)
        await door.result(run)
        [chat] = await traces.until(1, f"chat {WELL}")
        assert await worker.tell(signal.SIGTERM) == 0

    found = {name: json.loads(str(chat.attributes[f"gen_ai.{name}"])) for name in ("input.messages", "output.messages")}
    part = {"type": "text", "content": "Write to [e-mail address], not ***"}
    assert found["input.messages"] == [{"role": "user", "parts": [part]}]
    assert found["output.messages"][0]["parts"] == [{"type": "text", "content": ANSWER}]
    assert json.loads(str(chat.attributes["gen_ai.system_instructions"])) == [{"type": "text", "content": "Be brief."}]
    assert [span.name for span in traces.spans if ANSWER.encode() in span.raw] == [chat.name]
    assert [span.name for span in traces.spans for text in (mail, SECRET) if text.encode() in span.raw] == []
