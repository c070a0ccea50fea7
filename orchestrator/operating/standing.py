"""Counts the open runs by status, through the server's index, for the gauge ``orchestrator_runs``."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from temporalio.client import Client
from temporalio.common import MetricGauge, MetricMeter
from temporalio.service import RPCError

from orchestrator.contracts import WORKFLOW_TYPE, RunStatus

__all__ = ["OPEN", "counting"]

OPEN: tuple[RunStatus, ...] = ("running", "awaiting_input", "needs_attention", "paused", "cancelling")
"""How a run can stand that has not ended."""

_log = logging.getLogger("worker")


@asynccontextmanager
async def counting(client: Client, task_queue: str, meter: MetricMeter, interval: float) -> AsyncGenerator[None]:
    """Counts the open runs of ``task_queue`` every ``interval`` seconds, as long as the context lasts."""
    gauge = meter.create_gauge("orchestrator_runs", "Open runs of this task queue, by status")
    task = asyncio.create_task(_count(client, task_queue, gauge, interval))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _count(client: Client, task_queue: str, gauge: MetricGauge, interval: float) -> None:
    said = ""
    while True:
        try:
            for status in OPEN:
                found = await client.count_workflows(_query(task_queue, status))
                gauge.set(found.count, {"status": status, "task_queue": task_queue})
        except RPCError as error:
            # Once for each reason: a server that is away for an hour would fill the log.
            if error.message != said:
                _log.warning("open runs cannot be counted: %s", error.message)
            said = error.message
        else:
            said = ""
        await asyncio.sleep(interval)


def _query(task_queue: str, status: RunStatus) -> str:
    queue = task_queue.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus = 'Running' "
        f"AND TaskQueue = '{queue}' AND RunStatus = '{status}'"
    )
