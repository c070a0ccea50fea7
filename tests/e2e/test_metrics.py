"""What a worker process tells Prometheus."""

import signal
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.client import Orchestrator
from orchestrator.contracts import Message, RunRequest
from tests.addresses import free_address
from tests.e2e.kills.cases.building import call, world
from tests.e2e.kills.driver import Case, Stage
from tests.e2e.kills.far_side import Answer
from tests.e2e.kills.people import asked
from tests.e2e.model_service import ASKS, HICCUP, SICK, WELL, model_service
from tests.e2e.operated import FEW_KEPT, crowd_out, operated
from tests.e2e.scraping import samples, scrape, until_sampled
from tests.scenarios import ask, data, edge

OURS = {
    "orchestrator_runs_started_total",
    "orchestrator_runs_ended_total",
    "orchestrator_run_seconds_bucket",
    "orchestrator_run_seconds_sum",
    "orchestrator_run_seconds_count",
    "orchestrator_nodes_total",
    "orchestrator_node_seconds_bucket",
    "orchestrator_node_seconds_sum",
    "orchestrator_node_seconds_count",
    "orchestrator_runs",
}
TEMPORALS = {
    "temporal_activity_execution_failed_total",
    "temporal_activity_execution_latency_bucket",
    "temporal_activity_schedule_to_start_latency_bucket",
    "temporal_num_pollers",
    "temporal_sticky_cache_size",
    "temporal_worker_task_slots_available",
    "temporal_workflow_endtoend_latency_bucket",
    "temporal_workflow_task_schedule_to_start_latency_bucket",
}

_TIMED = {"seconds": 600.0, "first_token_seconds": 60.0, "rate_wait_seconds": 3600.0}
"""Histograms of model calls, and the longest time that each tells from longer ones."""


@pytest.mark.parametrize("how", [{}, FEW_KEPT], ids=["cached", "replayed"])
async def test_runs_nodes_and_what_waits_are_counted_each_once(how: Mapping[str, str], stage: Stage) -> None:
    definition = world(
        [data("given", 1), call("pay"), ask("name", "Who?"), call("ship")],
        [edge("given", "pay"), edge("pay", "name"), edge("name", "ship")],
    )
    scene = await stage.open(Case(definition, done={}, answers={"pay": (Answer(503),)}))
    address, queue = free_address(), scene.run
    at = {"ORCHESTRATOR_METRICS_ADDRESS": address, "ORCHESTRATOR_METRICS_INTERVAL": "1"}
    worker = await operated(stage, queue, {**at, **how})
    await asked("name")(scene)
    await until_sampled(address, "orchestrator_runs", 1, status="awaiting_input", task_queue=queue)
    if how is FEW_KEPT:
        await crowd_out(stage, queue)
    await scene.door.answer(scene.run, Message(text="Ada"))
    await scene.door.result(scene.run)
    await until_sampled(address, "orchestrator_runs_ended_total", 1, definition="scenario", status="completed")
    await until_sampled(address, "orchestrator_runs", 0, status="awaiting_input", task_queue=queue)
    found = await samples(address)
    names = await scrape(address)
    assert await worker.tell(signal.SIGTERM) == 0

    assert names >= OURS
    assert names >= TEMPORALS
    counted = {
        (sample.labels["type"], sample.labels["outcome"]): sample.value
        for sample in found
        if sample.name == "orchestrator_nodes_total"
    }
    assert counted == {
        ("DataInput", "completed"): 1,
        ("HttpRequest", "PROVIDER_UNAVAILABLE"): 1,
        ("HttpRequest", "completed"): 2,
    }
    values = {sample.name: sample.value for sample in found if sample.labels.get("definition") == "scenario"}
    assert (values["orchestrator_runs_started_total"], values["orchestrator_run_seconds_count"]) == (1, 1)
    assert values["orchestrator_run_seconds_sum"] > 0
    [attempts] = [
        sample.value
        for sample in found
        if sample.name == "orchestrator_node_seconds_count" and sample.labels["type"] == "HttpRequest"
    ]
    assert attempts == 3


async def test_calls_of_models_are_counted_with_their_tokens_money_and_troubles(stage: Stage, tmp_path: Path) -> None:
    address, run = free_address(), f"asked-{uuid.uuid4()}"
    async with model_service() as service:
        at = {"ORCHESTRATOR_METRICS_ADDRESS": address, **service.settings(str(tmp_path))}
        worker = await operated(stage, run, at)
        door = Orchestrator(stage.client, run)
        await door.start(RunRequest(definition=ASKS), run)
        result = await door.result(run)
        found = [sample for sample in await samples(address) if sample.name.startswith("orchestrator_model_")]
        assert await worker.tell(signal.SIGTERM) == 0

    def of(name: str, *labels: str) -> dict[tuple[str, ...], float]:
        return {
            tuple(sample.labels[label] for label in labels): sample.value
            for sample in found
            if sample.name == f"orchestrator_model_{name}"
        }

    assert result.status == "completed", result.error
    assert of("calls_total", "model", "outcome") == {
        (SICK, "PROVIDER_OVERLOADED"): 5,
        (HICCUP, "PROVIDER_OVERLOADED"): 1,
        (HICCUP, "ok"): 1,
        (WELL, "ok"): 7,
    }
    assert of("tokens_total", "model", "direction") == {
        (HICCUP, "input"): 1000,
        (HICCUP, "output"): 500,
        (WELL, "input"): 7000,
        (WELL, "output"): 3500,
    }
    assert result.cost_usd is not None
    assert sum(of("cost_nanodollars_total", "model").values()) == round(result.cost_usd * 1e9)
    assert of("first_token_seconds_count", "model") == {(WELL,): 1}
    assert of("retries_total", "model") == {(HICCUP,): 1}
    assert of("fallbacks_total", "model", "reason") == {(SICK, "PROVIDER_OVERLOADED"): 5}
    assert of("circuit_open", "model", "activity_type") == {(SICK, "any"): 1}
    assert of("cache_lookups_total", "type", "outcome") == {("ModelInvoke", "hit"): 1, ("ModelInvoke", "miss"): 1}
    # A model may take minutes; the SDK's own buckets end at ten seconds.
    most = {name: max(float(le) for (le,) in of(f"{name}_bucket", "le") if le != "+Inf") for name in _TIMED}
    assert most == _TIMED
    assert of("rate_wait_seconds_count", "model") == {(SICK,): 5, (HICCUP,): 2, (WELL,): 7}


async def test_a_run_that_cannot_be_resolved_counts_under_a_name_of_ours(stage: Stage) -> None:
    address = free_address()
    scene = await stage.open(Case(f"nowhere-{uuid.uuid4()}", done={}))
    worker = await operated(stage, scene.run, {"ORCHESTRATOR_METRICS_ADDRESS": address})

    # What ends the run is the worker, which listens before it connects; a fork alone does not.
    assert (await scene.door.result(scene.run)).status == "failed"
    await until_sampled(address, "orchestrator_runs_ended_total", 1, definition="other", status="failed")
    await until_sampled(address, "orchestrator_runs_started_total", 1, definition="other")

    assert await worker.tell(signal.SIGTERM) == 0


async def test_a_port_that_is_taken_is_one_message_and_exit_code_2(stage: Stage) -> None:
    from orchestrator.operating.telemetry import reserved  # noqa: PLC0415 - what a worker itself does

    address = free_address()
    with reserved(address, "test"):
        for variable in ("ORCHESTRATOR_METRICS_ADDRESS", "ORCHESTRATOR_HEALTH_ADDRESS"):
            worker = await operated(stage, "nothing", {variable: address})
            assert await worker.ended == 2
            said = worker.log.read_text(encoding="utf-8").splitlines()[-1]
            assert variable in said
            assert address in said
