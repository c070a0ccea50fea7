"""What a trace says of a model call, in OpenTelemetry's names for generative AI.

What was asked and answered is in it only where ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` asks for that.
The names are still in development (semantic conventions for GenAI, 1.37; the time to the first chunk is newer), so they
are all here.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from activities.asking.content import input_messages, output_messages, system_instructions
from activities.masking import Masker
from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest
from orchestrator.errors import OrchestratorError
from orchestrator.models import ModelInfo

__all__ = ["CAPTURE", "ModelSpan", "model_span"]

CAPTURE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""OpenTelemetry's own variable: whether spans hold what was asked and answered."""
_ASKED_FOR: Final = frozenset({"true", "span_only", "span_and_event"})
"""What it may say for that: its first form, and those of OpenTelemetry's newer libraries that mean spans."""
_PROVIDERS: Final = {"gemini": "gcp.gemini", "bedrock": "aws.bedrock"}
"""Where the conventions have another name than we."""
_MOST_OF_NAME: Final = 200
"""Characters of a model's name: it may come from a request."""
_log = logging.getLogger(__name__)


class ModelSpan:
    """One call in a trace."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.reply: ChatReply | None = None
        """What a chat was answered."""

    def answered(self, reply: ChatReply | EmbedReply) -> None:
        """Note what came back, without its text."""
        self._span.set_attribute("gen_ai.response.model", _name(reply.model))
        self._span.set_attribute("gen_ai.usage.input_tokens", reply.input_tokens)
        if reply.simulated:
            self._span.set_attribute("orchestrator.simulated", value=True)
        if isinstance(reply, ChatReply):
            self.reply = reply
            self._span.set_attribute("gen_ai.usage.output_tokens", reply.output_tokens)
            self._span.set_attribute("gen_ai.response.finish_reasons", [reply.finish_reason])

    def began_writing(self, seconds: float) -> None:
        """Note how long the first text of a stream took."""
        self._span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)


@asynccontextmanager
async def model_span(
    model: ModelInfo, request: ChatRequest | EmbedRequest, masker: Masker
) -> AsyncGenerator[ModelSpan]:
    """A span around the call of a model in the block; none is recorded where no tracing is configured.

    Args:
        model: Who is asked.
        request: What.
        masker: Takes secrets and personal data out of texts, where the span is to hold any.
    """
    operation = "chat" if isinstance(request, ChatRequest) else "embeddings"
    with trace.get_tracer("orchestrator").start_as_current_span(
        f"{operation} {_name(model.wire_name)}",
        kind=SpanKind.CLIENT,
        attributes={"gen_ai.operation.name": operation, **_about(model, request)},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        call = ModelSpan(span)
        try:
            yield call
        except OrchestratorError as error:
            _failed(span, error.code)
            await _capture(span, request, None, masker)
            raise
        except asyncio.CancelledError:
            _failed(span, "CANCELLED")
            raise
        except Exception:
            _failed(span, OrchestratorError.code)
            raise
        await _capture(span, request, call.reply, masker)


def _about(model: ModelInfo, request: ChatRequest | EmbedRequest) -> dict[str, AttributeValue]:
    about: dict[str, AttributeValue | None] = {
        "gen_ai.provider.name": _PROVIDERS.get(model.provider, model.provider),
        "gen_ai.request.model": _name(model.wire_name),
    }
    if isinstance(request, ChatRequest):
        about["gen_ai.request.max_tokens"] = request.max_tokens
        about["gen_ai.request.temperature"] = request.temperature
        about["gen_ai.output.type"] = None if request.schema is None else "json"
    else:
        about["gen_ai.embeddings.dimension.count"] = request.dimensions
    return {name: value for name, value in about.items() if value is not None}


def _failed(span: trace.Span, code: str) -> None:
    span.set_attribute("error.type", code)
    span.set_status(Status(StatusCode.ERROR, code))


async def _capture(
    span: trace.Span, request: ChatRequest | EmbedRequest, reply: ChatReply | None, masker: Masker
) -> None:
    """Note what was asked and answered, if that is wanted and there is anybody to note it for."""
    wanted = os.environ.get(CAPTURE, "").strip().lower() in _ASKED_FOR
    if not (wanted and span.is_recording() and isinstance(request, ChatRequest)):
        return
    try:
        # In a thread, as all checks of texts.
        span.set_attributes(await asyncio.to_thread(_content, request, reply, masker))
    except Exception as error:  # noqa: BLE001 - whatever it is, the call is made and paid for
        _log.warning("what a model was asked cannot be noted in its span (%s)", type(error).__name__)


def _content(request: ChatRequest, reply: ChatReply | None, masker: Masker) -> dict[str, str]:
    found = {"gen_ai.input.messages": input_messages(request.turns, masker)}
    instructions = system_instructions(request.turns, masker)
    if instructions is not None:
        found["gen_ai.system_instructions"] = instructions
    if reply is not None:
        found["gen_ai.output.messages"] = output_messages(reply, masker)
    return found


def _name(name: str) -> str:
    # Half of a character would keep the whole batch of spans from being sent.
    return name[:_MOST_OF_NAME].encode(errors="replace").decode()
