"""Queries, signals and updates of runs, whose errors say what they mean."""

import asyncio
from datetime import timedelta
from typing import Any, NoReturn

from pydantic import BaseModel
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from orchestrator.client.explaining import explain, nobody_answers, refused
from orchestrator.contracts import RunResult
from orchestrator.errors import NothingAwaitedError, OrchestratorError, RequestError

__all__ = ["Calls"]

_QUERY_TIMEOUT = timedelta(seconds=10)
_UPDATE_TIMEOUT_S = 30.0


class Calls:
    """What is asked of runs on one Temporal server.

    Args:
        client: A connected client.
        task_queue: Where workers listen.
        patience_s: Seconds that an update may take.
    """

    def __init__(self, client: Client, task_queue: str, *, patience_s: float = _UPDATE_TIMEOUT_S) -> None:
        self.client = client
        self.task_queue = task_queue
        self._patience_s = patience_s

    def handle(self, run_id: str) -> WorkflowHandle[Any, RunResult]:
        """Temporal's own handle."""
        return self.client.get_workflow_handle(run_id, result_type=RunResult)

    async def query(self, run_id: str, name: str, answer: Any, *args: BaseModel) -> Any:
        """The answer of a query, of the type ``answer``."""
        try:
            return await self.handle(run_id).query(name, args=args, result_type=answer, rpc_timeout=_QUERY_TIMEOUT)
        except WorkflowQueryFailedError as error:
            raise RequestError(f"the run refused the query `{name}`: {error}") from error
        except RPCError as error:
            self.explain(error, run_id)

    async def signal(self, run_id: str, name: str, *args: BaseModel) -> None:
        """Send a signal; the server keeps it until a worker takes it."""
        try:
            await self.handle(run_id).signal(name, args=args)
        except RPCError as error:
            self.explain(error, run_id)

    async def update(
        self,
        run_id: str,
        name: str,
        argument: BaseModel,
        answer: Any,
        *,
        over: type[OrchestratorError] = NothingAwaitedError,
    ) -> Any:
        """The answer of an update, of the type ``answer``; ``over`` is what it means that the run has ended."""
        handle: Any = self.handle(run_id)  # the SDK's overloads are not fully typed
        update = handle.execute_update(name, argument, result_type=answer)
        try:
            return await asyncio.wait_for(update, self._patience_s)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            # The SDK makes one error of all that ends the waiting: our patience, a caller's, and the server's.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError from error
            if isinstance(error.__cause__, RPCError):
                self.explain(error.__cause__, run_id, over=over)
            raise nobody_answers(self.task_queue) from error
        except WorkflowUpdateFailedError as error:
            refused(error)
        except RPCError as error:
            self.explain(error, run_id, over=over)

    def explain(self, error: RPCError, run_id: str, *, over: type[OrchestratorError] = NothingAwaitedError) -> NoReturn:
        """Raise what an error of the server means."""
        explain(error, run_id, namespace=self.client.namespace, task_queue=self.task_queue, over=over)
