"""Waits for the end of another run, for a parent that no longer holds its child by Temporal's own means."""

import asyncio
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from orchestrator.contracts import AWAIT_RUN_ACTIVITY, AwaitRunCall

__all__ = ["AwaitRun"]


class AwaitRun:
    """Waits for the ends of runs.

    Args:
        client: Asks the server.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name=AWAIT_RUN_ACTIVITY)
    async def await_run(self, call: AwaitRunCall) -> dict[str, Any]:
        """The ``RunResult`` of the run, once it has ended.

        Raises:
            ApplicationError: Not retryable, where it ended otherwise than well.
        """
        handle = self._client.get_workflow_handle(call.run, result_type=dict[str, Any])
        waiting = asyncio.create_task(handle.result())
        timeout = activity.info().heartbeat_timeout
        beat = timeout.total_seconds() / 3 if timeout else None
        try:
            while not waiting.done():
                await asyncio.wait([waiting], timeout=beat)
                activity.heartbeat()
            return waiting.result()
        except WorkflowFailureError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError):
                raise ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True) from None
            raise ApplicationError(str(cause), type="NODE_FAILED", non_retryable=True) from None
        finally:
            waiting.cancel()
