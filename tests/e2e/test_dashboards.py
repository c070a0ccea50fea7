"""Dashboard and alert rules, checked against what a worker process really exports."""

import asyncio
import json
import os
import re
import signal
import sys
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import promql_parser
import pytest
import temporalio.bridge
import yaml
from promql_parser import AggregateExpr, VectorSelector
from temporalio.client import Client

from orchestrator import errors
from orchestrator.client import Orchestrator
from orchestrator.contracts import RunRequest, RunStatus
from orchestrator.devserver import DevServer
from tests.e2e.commands import free_port
from tests.e2e.model_service import ASKS, model_service
from tests.e2e.scraping import samples, until_sampled
from tests.repo.test_rules import anchors
from tests.scenarios import ask, data, edge, graph, model

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/orchestrator.json").read_text("utf-8"))
GROUPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text("utf-8"))["groups"]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = {
    **{f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]},
    **{name: rule["expr"] for name, rule in ALERTS.items()},
}
VARIABLES = {"$__rate_interval": "5m", "$task_queue": ".*"}
"""What Grafana puts in before it asks Prometheus."""
WHEN_SOMETHING_IS_WRONG = {
    "temporal_workflow_task_execution_failed_total",
    "temporal_sticky_cache_total_forced_eviction_total",
    "temporal_sticky_cache_miss_total",
    "temporal_request_failure_total",
}
"""Counters of the SDK that a healthy worker does not export; that the SDK has them is read from its native part."""
FROM_PROMETHEUS = {"instance", "job"}
"""Labels that Prometheus adds to everything it scrapes."""


@dataclass(frozen=True)
class Exported:
    """The series of a worker that has done some work: their labels, by name."""

    labels: dict[str, set[str]]


def parsed(query: str) -> promql_parser.Expr:
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return promql_parser.parse(query)


def selectors(query: str) -> list[VectorSelector]:
    found: list[VectorSelector] = []

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, VectorSelector):
            found.append(node)

    promql_parser.walk(parsed(query), note)
    return found


def grouped_by(query: str) -> set[str]:
    found = set[str]()

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, AggregateExpr) and node.modifier is not None:
            found.update(node.modifier.labels)

    promql_parser.walk(parsed(query), note)
    return found


@pytest.fixture(scope="module")
async def exported(
    server: DevServer, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Exported]:
    """What `orchestrator worker` exports after runs that have completed, while another waits for an answer."""
    queue, address = f"dashboards-{uuid.uuid4()}", f"127.0.0.1:{free_port()}"
    folder = tmp_path_factory.mktemp("worker")
    (folder / "file").touch()
    async with model_service() as service:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            ROOT / "starter.py",
            "worker",
            cwd=folder,
            env={
                **os.environ,
                "TEMPORAL_ADDRESS": server.address,
                "ORCHESTRATOR_TASK_QUEUE": queue,
                "ORCHESTRATOR_METRICS_ADDRESS": address,
                "ORCHESTRATOR_METRICS_INTERVAL": "1",
                **service.settings(str(folder)),
                # Nothing can be written there.
                "ORCHESTRATOR_ARCHIVE": str(folder / "file" / "archive"),
            },
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        await process.stderr.readline()
        try:
            yield Exported(await labels_of_work(Orchestrator(client, queue), address, queue))
        finally:
            process.send_signal(signal.SIGTERM)
            await process.communicate()


async def labels_of_work(door: Orchestrator, address: str, queue: str) -> dict[str, set[str]]:
    """Have the worker do something of every kind, and read what it exports meanwhile."""
    done = graph([data("facts", [1]), model("say", "Hello.")], [edge("facts", "say")])
    for definition in (done, ASKS):
        await door.result(await door.start(RunRequest(definition=definition), f"run-{uuid.uuid4()}"))
    waiting = await door.start(RunRequest(definition=graph([ask("ask", "Well?")])), f"run-{uuid.uuid4()}")
    await until_sampled(address, "orchestrator_runs", 1.0, status="awaiting_input", task_queue=queue)
    labels: dict[str, set[str]] = {}
    for sample in await samples(address):
        labels.setdefault(sample.name, set()).update(sample.labels)
    await door.cancel(waiting)
    return labels


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_asks_only_for_what_a_worker_exports(name: str, exported: Exported) -> None:
    asked = {selector.name for selector in selectors(QUERIES[name])}

    assert asked
    assert asked - set(exported.labels) - WHEN_SOMETHING_IS_WRONG == set()


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_uses_only_labels_that_its_series_have(name: str, exported: Exported) -> None:
    there = set(FROM_PROMETHEUS)
    for selector in selectors(QUERIES[name]):
        # A counter that is not there yet has the labels of the worker's other series of workflow tasks and requests.
        labels = exported.labels.get(str(selector.name)) or set[str]().union(*exported.labels.values())
        assert {matcher.name for matcher in selector.matchers.matchers} <= labels
        there |= labels

    assert grouped_by(QUERIES[name]) - there == set()


@pytest.mark.parametrize("name", sorted(WHEN_SOMETHING_IS_WRONG))
def test_a_counter_that_healthy_workers_lack_is_one_of_the_sdk(name: str) -> None:
    native = next(Path(temporalio.bridge.__file__).parent.glob("temporal_sdk_bridge*"))

    assert name.removeprefix("temporal_").removesuffix("_total").encode() in native.read_bytes()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_for_run_statuses_that_exist(name: str) -> None:
    of_runs = [item for item in selectors(QUERIES[name]) if str(item.name).startswith("orchestrator_run")]
    statuses = [matcher.value for item in of_runs for matcher in item.matchers.matchers if matcher.name == "status"]

    assert {status for value in statuses for status in value.split("|")} <= set(get_args(RunStatus))


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_for_outcomes_of_model_calls_that_exist(name: str) -> None:
    of_calls = [item for item in selectors(QUERIES[name]) if item.name == "orchestrator_model_calls_total"]
    asked = [matcher.value for item in of_calls for matcher in item.matchers.matchers if matcher.name == "outcome"]
    codes = {getattr(errors, item).code for item in errors.__all__ if item.endswith("Error")}

    assert {outcome for value in asked for outcome in value.split("|")} <= {"ok", "CANCELLED", *codes}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")

    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"].endswith(".")
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert anchor in anchors(ROOT / page)


@pytest.mark.parametrize("name", ALERTS)
def test_the_words_of_an_alert_use_labels_that_its_query_keeps(name: str) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", ALERTS[name]["annotations"]["summary"]))

    assert used <= grouped_by(ALERTS[name]["expr"])


def test_the_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    covered = [
        (column, line)
        for place in places
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]

    assert len(covered) == len(set(covered))
    assert max(column for column, _ in covered) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
