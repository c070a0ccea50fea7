"""What decides whether a container is healthy and a release may go on: health check, replay gate, release gate."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from orchestrator.contracts import WORKFLOW_TYPE, RunRequest
from orchestrator.devserver import DevServer
from orchestrator.encryption import new_key
from orchestrator.settings import Settings
from tests.deploy.dockerfile import ROOT
from tests.integration.running import Runs
from tests.scenarios import ask, graph
from worker import build_worker, open_dependencies

HEALTH = ROOT / "deploy" / "healthcheck.py"
REPLAY = ROOT / "deploy" / "replay_gate.py"
RELEASE = ROOT / "deploy" / "kubernetes" / "chart" / "gate.json"
PATIENCE_S = 30


@contextmanager
def answering(status: int) -> Generator[str]:
    """A worker's health address that answers so; yields ``host:port``."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(b'{"status": "it is said here"}')

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def health(address: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ORCHESTRATOR_HEALTH_ADDRESS": address}
    return subprocess.run(
        [sys.executable, str(HEALTH)], env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def test_a_container_whose_worker_is_well_is_healthy() -> None:
    with answering(200) as address:
        assert health(address).returncode == 0
        # As the worker is told in a container: every interface.
        assert health(address.replace("127.0.0.1", "0.0.0.0")).returncode == 0  # noqa: S104 - read, not listened at


def test_a_container_whose_worker_is_not_well_says_why() -> None:
    with answering(503) as address:
        done = health(address)

    assert done.returncode == 1
    assert "503" in done.stdout
    assert "it is said here" in done.stdout


def test_a_container_whose_worker_does_not_answer_is_not_healthy() -> None:
    done = health("127.0.0.1:1")

    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stdout


def test_a_container_that_serves_no_health_has_nothing_to_check() -> None:
    assert health("").returncode == 0


def test_an_address_that_is_none_is_told() -> None:
    done = health("nowhere")

    assert (done.returncode, "ORCHESTRATOR_HEALTH_ADDRESS" in done.stdout) == (1, True)


@workflow.defn(name=WORKFLOW_TYPE, sandboxed=False)  # the sandbox would load this whole module again
class AnotherRelease:
    """The interpreter of a release that did something else."""

    @workflow.run
    async def run(self, given: object) -> None:
        del given
        await workflow.sleep(3_600)


@asynccontextmanager
async def production(client: Client, settings: Settings) -> AsyncGenerator[None]:
    async with open_dependencies(settings) as dependencies, build_worker(client, settings, dependencies=dependencies):
        yield


async def gate(address: str, task_queue: str, runs: int = 100) -> tuple[int, str, str]:
    """The replay gate as the job runs it: exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(REPLAY),
        "--runs",
        str(runs),
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "TEMPORAL_ADDRESS": address,
            "ORCHESTRATOR_TASK_QUEUE": task_queue,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def listed(client: Client, task_queue: str, count: int) -> None:
    """Wait until the index has so many runs of the task queue."""
    query = f'TaskQueue = "{task_queue}" AND ExecutionStatus = "Running"'
    async with asyncio.timeout(PATIENCE_S):
        while (await client.count_workflows(query)).count < count:  # noqa: ASYNC110 - it can only be asked
            await asyncio.sleep(0.05)


async def test_runs_that_wait_pass_the_replay_gate_of_the_release_they_began_with(
    client: Client, worker_settings: Settings, task_queue: str
) -> None:
    runs = Runs(client, task_queue)
    async with production(client, worker_settings):
        run_ids = [await runs.start(graph([ask("ask", "Well?")])) for _ in range(3)]
        for run_id in run_ids:
            await runs.waits(run_id)
    await listed(client, task_queue, 3)

    told = await gate(client.service_client.config.target_host, task_queue)

    assert told == (0, "3 of 3 runs replayed, 0 of them cannot go on with this release\n", "")
    for run_id in run_ids:
        await client.get_workflow_handle(run_id).terminate()


async def test_a_run_that_the_release_cannot_replay_stops_it_and_is_named(client: Client, task_queue: str) -> None:
    run_id = f"run-{uuid.uuid4()}"
    async with Worker(client, task_queue=task_queue, workflows=[AnotherRelease]):
        handle = await client.start_workflow(
            WORKFLOW_TYPE, RunRequest(definition=graph([ask("ask", "Well?")])), id=run_id, task_queue=task_queue
        )
        async with asyncio.timeout(PATIENCE_S):
            # Started, and its timer.
            while (await handle.describe()).history_length < 5:  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.02)
    await listed(client, task_queue, 1)

    code, out, err = await gate(client.service_client.config.target_host, task_queue)

    assert (code, out.splitlines()[-1]) == (1, "1 of 1 runs replayed, 1 of them cannot go on with this release")
    assert err.startswith(f"{run_id}: ")
    await handle.terminate()


async def test_a_run_whose_key_the_replay_gate_lacks_stops_it_and_is_named(
    server: DevServer, worker_settings: Settings, task_queue: str
) -> None:
    settings = worker_settings.model_copy(update={"encryption_keys": SecretStr(new_key("k1"))})
    client = await server.client(settings)
    runs = Runs(client, task_queue)
    async with production(client, settings):
        run_id = await runs.start(graph([ask("ask", "Well?")]))
        await runs.waits(run_id)
    await listed(client, task_queue, 1)

    code, out, err = await gate(server.address, task_queue)

    assert (code, out) == (1, "1 of 1 runs replayed, 1 of them cannot go on with this release\n")
    assert err.startswith(f"{run_id}: ")
    assert "'k1'" in err
    await client.get_workflow_handle(run_id).terminate()


async def test_the_replay_gate_says_when_no_server_answers(task_queue: str) -> None:
    code, _, err = await gate("127.0.0.1:1", task_queue)

    assert code == 3
    assert "127.0.0.1:1" in err


async def test_the_release_gate_completes_on_a_worker(
    client: Client, worker_settings: Settings, task_queue: str
) -> None:
    """As the Worker Controller does it: the workflow type and the JSON document, nothing of ours."""
    given = json.loads(RELEASE.read_text("utf-8"))
    async with production(client, worker_settings), asyncio.timeout(PATIENCE_S):
        result = await client.execute_workflow(WORKFLOW_TYPE, given, id=f"gate-{uuid.uuid4()}", task_queue=task_queue)

    assert (result["status"], result["outputs"]) == ("completed", {"answer": "6"})


@pytest.mark.parametrize("expression", ["input * 3", "input +"])
async def test_the_release_gate_fails_when_a_release_computes_something_else(
    expression: str, client: Client, worker_settings: Settings, task_queue: str
) -> None:
    given = json.loads(RELEASE.read_text("utf-8"))
    each = next(node for node in given["definition"]["nodes"] if node["id"] == "each")
    each["config"]["do"]["nodes"][0]["config"]["expression"] = expression
    async with production(client, worker_settings), asyncio.timeout(PATIENCE_S):
        handle = await client.start_workflow(WORKFLOW_TYPE, given, id=f"gate-{uuid.uuid4()}", task_queue=task_queue)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
