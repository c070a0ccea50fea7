"""Worker Versioning on a real server: runs that wait move to the new build, and none is lost."""

import asyncio
import signal
import uuid

import pytest
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentVersionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.client import Orchestrator
from orchestrator.contracts import Message, RunRequest
from tests.e2e.kills.driver import Stage
from tests.e2e.kills.workers import WorkerProcess
from tests.e2e.operated import operated
from tests.scenarios import ask, data, edge, graph

_RUNS = 20
_ASKING = graph(
    [data("before", 1), ask("name", "Who?"), data("after", "{{ nodes.name.value }}")],
    [edge("before", "name"), edge("name", "after")],
    outputs={"name": "{{ nodes.after }}"},
)


async def build(stage: Stage, queue: str, number: str) -> WorkerProcess:
    """A worker of the deployment ``queue``, which the server has heard of when this returns."""
    told = {"TEMPORAL_DEPLOYMENT_NAME": queue, "TEMPORAL_WORKER_BUILD_ID": number}
    worker = await operated(stage, queue, told)
    request = DescribeWorkerDeploymentVersionRequest(namespace=stage.client.namespace)
    request.deployment_version.deployment_name = queue
    request.deployment_version.build_id = number
    async with asyncio.timeout(30):
        while True:
            try:
                await stage.client.workflow_service.describe_worker_deployment_version(request)
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
                await asyncio.sleep(0.05)
            else:
                return worker


async def make_current(client: Client, deployment: str, number: str) -> None:
    """Have new and waiting runs go to this build; its task queues may take a moment to be known."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=deployment, build_id=number
    )
    async with asyncio.timeout(30):
        while True:
            try:
                await client.workflow_service.set_worker_deployment_current_version(request)
            except RPCError as error:
                if error.status != RPCStatusCode.FAILED_PRECONDITION:
                    raise
                await asyncio.sleep(0.05)
            else:
                return


async def waits(door: Orchestrator, run: str) -> None:
    """Wait until the run asks."""
    async with asyncio.timeout(60):
        while not await door.awaiting(run):  # noqa: ASYNC110 - the far side is a server: it can only be asked
            await asyncio.sleep(0.05)


async def builds_of(client: Client, run: str) -> list[str]:
    """The builds that did the workflow tasks of a run, in order."""
    history = await client.get_workflow_handle(run).fetch_history()
    done = [event.workflow_task_completed_event_attributes for event in history.events]
    return [task.deployment_version.build_id for task in done if task.scheduled_event_id]


@pytest.mark.timeout(120)
async def test_runs_that_wait_move_to_the_new_build_and_none_is_lost(stage: Stage) -> None:
    queue = f"deployment-{uuid.uuid4()}"
    door = Orchestrator(stage.client, queue)
    first = await build(stage, queue, "b1")
    await make_current(stage.client, queue, "b1")
    runs = [f"{queue}-{number}" for number in range(_RUNS)]
    await asyncio.gather(*(door.start(RunRequest(definition=_ASKING), run) for run in runs))
    await asyncio.gather(*(waits(door, run) for run in runs))
    second = await build(stage, queue, "b2")
    await make_current(stage.client, queue, "b2")

    assert await first.tell(signal.SIGTERM) == 0
    await asyncio.gather(*(door.answer(run, Message(text="Ada")) for run in runs))
    results = await asyncio.gather(*(door.result(run) for run in runs))
    fresh = f"{queue}-fresh"
    await door.start(RunRequest(definition=_ASKING), fresh)
    await waits(door, fresh)
    builds = [await builds_of(stage.client, run) for run in (*runs, fresh)]
    assert await second.tell(signal.SIGTERM) == 0

    assert [result.status for result in results] == ["completed"] * _RUNS
    assert {(found[0], found[-1]) for found in builds[:-1]} == {("b1", "b2")}
    assert set(builds[-1]) == {"b2"}


@pytest.mark.parametrize(
    ("variable", "missing"),
    [
        ("TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"),
        ("TEMPORAL_WORKER_BUILD_ID", "TEMPORAL_DEPLOYMENT_NAME"),
    ],
)
async def test_half_a_version_is_one_message_and_exit_code_2(variable: str, missing: str, stage: Stage) -> None:
    worker = await operated(stage, "nothing", {variable: "b1"})

    assert await worker.ended == 2
    said = worker.log.read_text(encoding="utf-8").splitlines()[-1]
    assert f"{variable} is set and {missing} is not" in said
