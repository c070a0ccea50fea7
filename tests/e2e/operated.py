"""Worker processes as they are operated: with metrics, health, traces or a version."""

from collections.abc import Mapping

from tests.e2e.kills.driver import Stage
from tests.e2e.kills.workers import WorkerProcess

__all__ = ["operated"]

_BASE = {
    "ORCHESTRATOR_HEARTBEAT_TIMEOUT": "2",
    "ORCHESTRATOR_STICKY_TIMEOUT": "1",
    "ORCHESTRATOR_GRACEFUL_SHUTDOWN_TIMEOUT": "20",
    "ORCHESTRATOR_LOG_FORMAT": "json",
    "ORCHESTRATOR_HTTP_ALLOW_PRIVATE": "127.0.0.1",
}


async def operated(stage: Stage, queue: str, environment: Mapping[str, str] | None = None) -> WorkerProcess:
    """A worker on the task queue ``queue``, with these variables."""
    address = stage.client.service_client.config.target_host
    told = {"TEMPORAL_ADDRESS": address, "ORCHESTRATOR_TASK_QUEUE": queue}
    return await stage.nursery.start(**{**_BASE, **told, **(environment or {})})
