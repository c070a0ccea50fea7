"""Keeps a call with too many arguments from wedging a run.

The SDK drops its type hints when their number does not match, decodes by itself, and then fails the workflow task with
a TypeError, for ever. This interceptor hands the handler one ``Surplus`` instead, which it refuses in our words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

__all__ = ["OneArgument", "Surplus"]


@dataclass(frozen=True, slots=True)
class Surplus:
    """Stands for more arguments than the one there may be."""

    count: int


def _at_most_one(args: Sequence[Any]) -> Sequence[Any]:
    return args if len(args) <= 1 else [Surplus(len(args))]


class _Inbound(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - the SDK's name
        input.args = _at_most_one(input.args)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002 - the SDK's name
        input.args = _at_most_one(input.args)
        await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:  # noqa: A002 - the SDK's name
        input.args = _at_most_one(input.args)
        return await super().handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002 - the SDK's name
        input.args = _at_most_one(input.args)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002 - the SDK's name
        input.args = _at_most_one(input.args)
        return await super().handle_update_handler(input)


class OneArgument(Interceptor):
    """Installed in every worker that runs ``GraphWorkflow``."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name
    ) -> type[WorkflowInboundInterceptor] | None:
        """The part that works inside workflows."""
        return _Inbound
