"""Looks at every attempt of a node from outside: counts it, times it, and can end those in flight."""

import asyncio
import time
from typing import Any

from temporalio import activity
from temporalio.common import MetricMeter
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from orchestrator.contracts import TOO_LARGE_FOR_LOCAL, NodeCall
from orchestrator.errors import OrchestratorError

__all__ = ["NodesInFlight"]

_STOPPED = "WORKER_STOPPED"
_TOLD = "the worker was told to stop at once"


class NodesInFlight(Interceptor):
    """Installed in a worker; knows what the worker does just now, and counts how each attempt ended.

    Args:
        meter: Where to count: ``orchestrator_nodes_total`` and ``orchestrator_node_seconds``.
    """

    def __init__(self, meter: MetricMeter) -> None:
        self._ended = meter.create_counter(
            "orchestrator_nodes", "Attempts of nodes that have ended, by type and outcome"
        )
        self._seconds = meter.create_histogram_float(
            "orchestrator_node_seconds", "How long one attempt of a node took", "s"
        )
        self._tasks = set[asyncio.Task[Any]]()
        self._hurried = False

    @property
    def count(self) -> int:
        """Activities that run."""
        return len(self._tasks)

    def hurry(self) -> None:
        """End what runs at once. It fails with ``WORKER_STOPPED``, and another worker tries it again."""
        self._hurried = True
        for task in self._tasks:
            task.cancel()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - SDK's
        """The part that looks at one activity."""
        return _Inbound(next, self)

    async def look_at(self, inbound: ActivityInboundInterceptor, call: ExecuteActivityInput) -> Any:
        """Perform an activity by the interceptors behind this one."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("activities run as tasks of the worker's loop")
        if self._hurried:
            raise ApplicationError(_TOLD, type=_STOPPED)
        self._tasks.add(task)
        try:
            return await self._counted(inbound, call)
        except asyncio.CancelledError:
            if not self._hurried:
                raise
            raise ApplicationError(_TOLD, type=_STOPPED) from None
        finally:
            self._tasks.discard(task)

    async def _counted(self, inbound: ActivityInboundInterceptor, call: ExecuteActivityInput) -> Any:
        node = call.args[0] if call.args and isinstance(call.args[0], NodeCall) else None
        if node is None:
            return await inbound.execute_activity(call)
        outcome = "completed"
        began = time.monotonic()
        try:
            return await inbound.execute_activity(call)
        except asyncio.CancelledError:
            outcome = _STOPPED if self._hurried or activity.is_worker_shutdown() else "CANCELLED"
            raise
        except ApplicationError as error:
            outcome = error.type or OrchestratorError.code
            raise
        finally:
            # Such a call is no attempt: the workflow repeats it at once as a regular activity.
            if outcome != TOO_LARGE_FOR_LOCAL:
                self._count(activity.info().activity_type, outcome, time.monotonic() - began)

    def _count(self, node_type: str, outcome: str, seconds: float) -> None:
        self._ended.add(1, {"type": node_type, "outcome": outcome})
        self._seconds.record(seconds, {"type": node_type})


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, nodes: NodesInFlight) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self._nodes = nodes

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        return await self._nodes.look_at(self.next, input)
