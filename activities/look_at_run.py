"""Looks whether another run has ended, for a parent that no longer holds its child by Temporal's own means."""

from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.runtime import heartbeat
from orchestrator.contracts import LOOK_AT_RUN_ACTIVITY, LookAtRunCall
from orchestrator.errors import NodeError

__all__ = ["LookAtRun"]


class LookAtRun:
    """Looks at runs.

    Args:
        client: Asks the server.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name=LOOK_AT_RUN_ACTIVITY)
    async def look_at_run(self, call: LookAtRunCall) -> dict[str, Any] | None:
        """The ``RunResult`` of a run that has ended; none while it goes on.

        Raises:
            ApplicationError: Not retryable, where it ended otherwise than well, or the server knows it no more.
        """
        handle = self._client.get_workflow_handle(call.run, result_type=dict[str, Any])
        try:
            async with heartbeat():
                if (await handle.describe()).status == WorkflowExecutionStatus.RUNNING:
                    return None
                return await handle.result()
        except WorkflowFailureError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError):
                raise ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True) from None
            raise ApplicationError(str(cause), type=NodeError.code, non_retryable=True) from None
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            gone = f"the server knows the run `{call.run}` no more"
            raise ApplicationError(gone, type=NodeError.code, non_retryable=True) from None
