"""Logs what a command asks of the server, and how long each answer took."""

import logging
import time
from collections.abc import Awaitable
from typing import Any, TypeVar

from temporalio.client import (
    CancelWorkflowInput,
    Client,
    DescribeWorkflowInput,
    Interceptor,
    ListWorkflowsInput,
    OutboundInterceptor,
    QueryWorkflowInput,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
)

__all__ = ["logged"]

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)


def logged(client: Client) -> Client:
    """The client itself; where somebody wants to see them, one that logs its calls."""
    if not _log.isEnabledFor(logging.DEBUG):
        return client
    config = client.config()
    config["interceptors"] = [*config["interceptors"], _Logging()]
    return Client(**config)


class _Logging(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the name is the SDK's
        return _Calls(next)


class _Calls(OutboundInterceptor):
    """The calls that commands make."""

    async def start_workflow(self, input: StartWorkflowInput) -> Any:  # noqa: A002 - the name is the SDK's
        return await _timed(f"start {input.id}", super().start_workflow(input))

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:  # noqa: A002 - the name is the SDK's
        return await _timed(f"query {input.query} of {input.id}", super().query_workflow(input))

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002 - the name is the SDK's
        await _timed(f"signal {input.signal} to {input.id}", super().signal_workflow(input))

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> Any:  # noqa: A002 - the name is the SDK's
        return await _timed(f"update {input.update} of {input.id}", super().start_workflow_update(input))

    async def cancel_workflow(self, input: CancelWorkflowInput) -> None:  # noqa: A002 - the name is the SDK's
        await _timed(f"cancel {input.id}", super().cancel_workflow(input))

    async def describe_workflow(self, input: DescribeWorkflowInput) -> Any:  # noqa: A002 - the name is the SDK's
        return await _timed(f"describe {input.id}", super().describe_workflow(input))

    def list_workflows(self, input: ListWorkflowsInput) -> Any:  # noqa: A002 - the name is the SDK's
        _log.debug("list the runs with %s", input.query)
        return super().list_workflows(input)


async def _timed(what: str, answer: Awaitable[Answer]) -> Answer:
    since = time.monotonic()
    try:
        found = await answer
    except Exception as error:
        _log.debug("%s: %s after %.3f s", what, type(error).__name__, time.monotonic() - since)
        raise
    _log.debug("%s: answered after %.3f s", what, time.monotonic() - since)
    return found
