"""Worker processes as they are operated: with metrics, health, traces or a version."""

import asyncio
import uuid
from collections.abc import Mapping

from orchestrator.client import Orchestrator
from orchestrator.contracts import RunRequest
from tests.e2e.kills.driver import Stage
from tests.e2e.kills.workers import WorkerProcess

__all__ = ["FEW_KEPT", "crowd_out", "operated"]

_BASE = {
    "ORCHESTRATOR_HEARTBEAT_TIMEOUT": "2",
    "ORCHESTRATOR_STICKY_TIMEOUT": "1",
    "ORCHESTRATOR_GRACEFUL_SHUTDOWN_TIMEOUT": "20",
    "ORCHESTRATOR_LOG_FORMAT": "json",
    "ORCHESTRATOR_HTTP_ALLOW_PRIVATE": "127.0.0.1",
}
FEW_KEPT = {"ORCHESTRATOR_MAX_CONCURRENT_WORKFLOW_TASKS": "2", "ORCHESTRATOR_MAX_CACHED_WORKFLOWS": "8"}
"""Of a worker that forgets a run, and has to replay it, once eight others have come."""
_WAITS = {"name": "crowd", "version": "1.0.0", "nodes": [{"id": "q", "type": "UserInput", "config": {"question": "?"}}]}


async def operated(stage: Stage, queue: str, environment: Mapping[str, str] | None = None) -> WorkerProcess:
    """A worker on the task queue ``queue``, with these variables."""
    address = stage.client.service_client.config.target_host
    told = {"TEMPORAL_ADDRESS": address, "ORCHESTRATOR_TASK_QUEUE": queue}
    return await stage.nursery.start(**{**_BASE, **told, **(environment or {})})


async def crowd_out(stage: Stage, queue: str) -> None:
    """Have the worker of ``queue``, which keeps ``FEW_KEPT``, forget every run that it has."""
    door = Orchestrator(stage.client, queue)
    runs = [f"crowd-{uuid.uuid4()}" for _ in range(9)]
    for run in runs:
        await door.start(RunRequest(definition=_WAITS), run)
        while not await door.awaiting(run):  # noqa: ASYNC110 - the far side is a server: it can only be asked
            await asyncio.sleep(0.02)
    for run in runs:
        await door.cancel(run)
        await door.result(run)
