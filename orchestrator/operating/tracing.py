"""OpenTelemetry traces, where its own variables name a collector: a span for each run and each attempt of a node.

None of them holds inputs, outputs or the text of an error: a collector is not the place where payloads are encrypted.
Those of model calls are in ``activities.asking.spans``.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, NoReturn

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from temporalio import activity, client, worker, workflow
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider
from temporalio.exceptions import ApplicationError

from orchestrator.contracts import NodeCall
from orchestrator.errors import SettingsError
from orchestrator.leave import before_leaving

__all__ = ["ClientTraces", "RunTraces", "plugin", "start"]

_DEFINITION = "orchestrator.definition"
_SCOPE = "orchestrator"


@cache
def start() -> None:
    """Send the spans of this process to the collector that the OTEL_* variables name.

    Raises:
        SettingsError: They ask for a protocol other than HTTP.
    """
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if (asked := os.environ.get(variable, "http/protobuf")) != "http/protobuf":
            raise SettingsError(
                f"{variable} is {asked!r}; traces are sent by http/protobuf only (port 4318 as a rule)."
            )
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = create_tracer_provider(resource=Resource.create({} if named else {SERVICE_NAME: _SCOPE}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    before_leaving(provider.force_flush)


@cache
def plugin() -> OpenTelemetryPlugin:
    """What carries the trace from process to process; the spans are ours."""
    return OpenTelemetryPlugin()


def _label(name: str) -> str:
    return f"orchestrator.{name}"


class ClientTraces(client.Interceptor):
    """A span for each request that starts a run or tells it something."""

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:  # noqa: A002 - SDK's
        """The part that requests pass."""
        return _ClientOutbound(next)


class _ClientOutbound(client.OutboundInterceptor):
    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:  # noqa: A002
        with _request("start", input.id):
            return await super().start_workflow(input)

    async def signal_workflow(self, input: client.SignalWorkflowInput) -> None:  # noqa: A002
        with _request(f"signal {input.signal}", input.id):
            await super().signal_workflow(input)

    async def start_workflow_update(self, input: client.StartWorkflowUpdateInput) -> client.WorkflowUpdateHandle[Any]:  # noqa: A002
        with _request(f"update {input.update}", input.id):
            return await super().start_workflow_update(input)


@contextmanager
def _request(name: str, run: str) -> Generator[None]:
    with trace.get_tracer(_SCOPE).start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes={_label("run"): run}, record_exception=False
    ) as span:
        try:
            yield
        except Exception as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


class RunTraces(worker.Interceptor):
    """Spans for runs and nodes; installed in a worker whose client has ``plugin``, behind it."""

    def intercept_activity(self, next: worker.ActivityInboundInterceptor) -> worker.ActivityInboundInterceptor:  # noqa: A002
        """The part that looks at activities."""
        return _NodeInbound(next)

    def workflow_interceptor_class(
        self,
        input: worker.WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name
    ) -> type[worker.WorkflowInboundInterceptor]:
        """The part that works inside workflows."""
        return _RunInbound


class _NodeInbound(worker.ActivityInboundInterceptor):
    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        call = input.args[0] if input.args else None
        if not isinstance(call, NodeCall):
            return await self.next.execute_activity(input)
        info = activity.info()
        about: Mapping[str, str | int] = {
            _label("run"): info.workflow_id or "",
            _label("node"): call.node,
            _label("visit"): call.visit,
            _label("type"): call.type,
            _label("attempt"): info.attempt,
            _DEFINITION: str(baggage.get_baggage(_DEFINITION) or ""),
        }
        with trace.get_tracer(_SCOPE).start_as_current_span(
            f"node {call.type}", attributes=about, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                return await self.next.execute_activity(input)
            except ApplicationError as error:
                span.set_status(Status(StatusCode.ERROR, error.type))
                raise


class _RunInbound(worker.WorkflowInboundInterceptor):
    """One span for each workflow run. It ends when that ends: a worker that only lets go of a run does not end it."""

    span: Span | None = None
    began: Context | None = None

    def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
        super().init(_RunOutbound(outbound, self))

    async def execute_workflow(self, input: worker.ExecuteWorkflowInput) -> Any:  # noqa: A002 - the SDK's name
        info = workflow.info()
        came = context.get_current()
        about = {_label("run"): info.workflow_id, _label("workflow_run"): info.run_id}
        self.span = span = trace.get_tracer(_SCOPE).start_span("run", attributes=about)
        # What continues it is its sibling, if somebody began the trace, so that eternal runs are no deep trees.
        self.began = came if trace.get_current_span(came).get_span_context().is_valid else self.here()
        try:
            result = await super().execute_workflow(input)
        except workflow.ContinueAsNewError:
            self._end(span)
            raise
        except BaseException:
            if ended_as() is not None:
                self._end(span)
            raise
        self._end(span)
        return result

    def here(self) -> Context:
        """The context of what this run starts."""
        about = context.get_current() if self.span is None else trace.set_span_in_context(self.span)
        definition = _traced()[0]
        return about if definition is None else baggage.set_baggage(_DEFINITION, definition, about)

    @staticmethod
    def _end(span: Span) -> None:
        definition, status = _traced()
        span.set_attribute(_DEFINITION, definition or "")
        if status is not None:
            span.set_attribute(_label("status"), status)
        if status not in {None, "completed", "cancelled"}:
            span.set_status(Status(StatusCode.ERROR, status))
        span.end()


class _RunOutbound(worker.WorkflowOutboundInterceptor):
    def __init__(self, next: worker.WorkflowOutboundInterceptor, run: _RunInbound) -> None:  # noqa: A002 - SDK's
        super().__init__(next)
        self._run = run

    def start_activity(self, input: worker.StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        with _attached(self._run.here()):
            return super().start_activity(input)

    def start_local_activity(self, input: worker.StartLocalActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        with _attached(self._run.here()):
            return super().start_local_activity(input)

    async def start_child_workflow(
        self,
        input: worker.StartChildWorkflowInput,  # noqa: A002 - the SDK's name
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        with _attached(self._run.here()):
            return await super().start_child_workflow(input)

    def continue_as_new(self, input: worker.ContinueAsNewInput) -> NoReturn:  # noqa: A002 - the SDK's name
        with _attached(self._run.began or self._run.here()):
            super().continue_as_new(input)


def ended_as() -> str | None:
    """How the run of this workflow has ended; none while it goes on, as far as it knows."""
    return _traced()[1]


def _traced() -> tuple[str | None, str | None]:
    about: tuple[str | None, str | None] = getattr(workflow.instance(), "traced", (None, None))
    return about


@contextmanager
def _attached(there: Context) -> Generator[None]:
    token = context.attach(there)
    try:
        yield
    finally:
        context.detach(token)
