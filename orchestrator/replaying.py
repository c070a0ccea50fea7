"""Replays a history with the interpreter of this release, and sees each step of it that fails.

The SDK's replayer by itself tells only when workflow code takes another way. A step that raises, or that cannot be
decrypted, it takes for one to be tried again later, and ends content.
"""

from collections.abc import Sequence
from dataclasses import replace

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter, PayloadCodec, SerializationContext, WithSerializationContext
from temporalio.worker import (
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
)

from orchestrator.errors import OrchestratorError
from orchestrator.workflow.interpreter import GraphWorkflow
from orchestrator.workflow.surplus import OneArgument

__all__ = ["replay"]


async def replay(history: WorkflowHistory, converter: DataConverter) -> None:
    """Replay ``history``, whose payloads ``converter`` reads.

    Raises:
        temporalio.workflow.NondeterminismError: The interpreter would now do something else.
        OrchestratorError: A payload cannot be decrypted.
        RuntimeError: A step failed; the cause is what it raised.
    """
    failures = list[Exception]()
    codec = converter.payload_codec and _WatchedCodec(converter.payload_codec, failures)
    replayer = Replayer(
        workflows=[GraphWorkflow],
        interceptors=[OneArgument()],
        data_converter=replace(converter, payload_codec=codec),
        workflow_runner=_WatchedRunner(converter, failures),
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    first = failures[0] if failures else None
    # A step that failed is the cause of whatever the SDK noticed after it.
    if isinstance(first, (OrchestratorError, workflow.NondeterminismError)):
        raise first
    if first is not None:
        raise RuntimeError(f"a step fails: {type(first).__name__}: {first}") from first
    if result.replay_failure is not None:
        raise result.replay_failure


class _WatchedCodec(PayloadCodec, WithSerializationContext):
    def __init__(self, inner: PayloadCodec, failures: list[Exception]) -> None:
        self._inner = inner
        self._failures = failures

    def with_context(self, context: SerializationContext) -> "_WatchedCodec":
        inner = self._inner
        return _WatchedCodec(
            inner.with_context(context) if isinstance(inner, WithSerializationContext) else inner, self._failures
        )

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return await self._inner.encode(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        try:
            return await self._inner.decode(payloads)
        except Exception as error:
            self._failures.append(error)
            raise


class _WatchedRunner(UnsandboxedWorkflowRunner):
    def __init__(self, converter: DataConverter, failures: list[Exception]) -> None:
        self._converter = converter
        self._failures = failures

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        activate = instance.activate

        def watched(act: WorkflowActivation) -> WorkflowActivationCompletion:
            completion = activate(act)
            if completion.HasField("failed"):
                self._failures.append(self._raised(completion))
            return completion

        instance.activate = watched
        return instance

    def _raised(self, completion: WorkflowActivationCompletion) -> Exception:
        failure, converter = completion.failed.failure, self._converter
        raised = converter.failure_converter.from_failure(failure, converter.payload_converter)
        return raised if isinstance(raised, Exception) else RuntimeError(str(raised))
