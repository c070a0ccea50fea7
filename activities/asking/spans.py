"""What a trace says of a model call, in OpenTelemetry's names for generative AI; no text of it is ever there.

The names are still in development (semantic conventions for GenAI, 1.37), so they are all here.
"""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from activities.providers.base import ChatReply, EmbedReply
from orchestrator.errors import OrchestratorError
from orchestrator.models import ModelInfo

__all__ = ["ModelSpan", "model_span"]

_PROVIDERS = {"gemini": "gcp.gemini", "bedrock": "aws.bedrock"}
"""Where the conventions have another name than we."""


class ModelSpan:
    """One call in a trace."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def answered(self, reply: ChatReply | EmbedReply) -> None:
        """Note what came back, without its text."""
        self._span.set_attribute("gen_ai.response.model", reply.model)
        self._span.set_attribute("gen_ai.usage.input_tokens", reply.input_tokens)
        if isinstance(reply, ChatReply):
            self._span.set_attribute("gen_ai.usage.output_tokens", reply.output_tokens)
            self._span.set_attribute("gen_ai.response.finish_reasons", [reply.finish_reason])


@contextmanager
def model_span(operation: str, model: ModelInfo) -> Generator[ModelSpan]:
    """A span around the call of a model in the block; none is recorded where no tracing is configured.

    Args:
        operation: ``chat`` or ``embeddings``.
        model: Who is asked.
    """
    tracer = trace.get_tracer("orchestrator")
    about = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(model.provider, model.provider),
        "gen_ai.request.model": model.wire_name,
    }
    with tracer.start_as_current_span(
        f"{operation} {model.wire_name}",
        kind=SpanKind.CLIENT,
        attributes=about,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield ModelSpan(span)
        except OrchestratorError as error:
            span.set_attribute("error.type", error.code)
            span.set_status(Status(StatusCode.ERROR, error.code))
            raise
