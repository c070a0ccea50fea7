"""What a trace says of a model call, in OpenTelemetry's names for generative AI.

What was asked and answered is in it only where ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` asks for that.
The names are still in development (semantic conventions for GenAI, 1.37; the time to the first chunk is newer), so they
are all here.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
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
_ANSWER: Final = "gen_ai.output.messages"
_MOST_OF_NAME: Final = 200
"""Characters of a model's name: it may come from a request."""
_log = logging.getLogger(__name__)


class ModelSpan:
    """One call in a trace: nothing of it shows unless a model is asked.

    Args:
        model: Who is asked.
        request: What.
        prompt: The texts of that, as the span may hold them.
    """

    def __init__(self, model: ModelInfo, request: ChatRequest | EmbedRequest, prompt: Mapping[str, str]) -> None:
        operation = "chat" if isinstance(request, ChatRequest) else "embeddings"
        self._name = f"{operation} {_name(model.wire_name)}"
        self._about = {"gen_ai.operation.name": operation, **_about(model, request), **prompt}
        self._span = trace.INVALID_SPAN
        self._ended_at: int | None = None
        self.reply: ChatReply | None = None
        """What a chat was answered."""

    @contextmanager
    def asking(self) -> Generator[None]:
        """The time of the span: from the beginning of the block until it ``answered``, or the block's end."""
        self._span = _tracer().start_span(self._name, kind=SpanKind.CLIENT, attributes=self._about)
        try:
            with trace.use_span(self._span, record_exception=False, set_status_on_exception=False):
                yield
        except OrchestratorError as error:
            self._failed(error.code)
            raise
        except asyncio.CancelledError:
            self._failed("CANCELLED")
            raise
        except Exception:
            self._failed(OrchestratorError.code)
            raise
        finally:
            self._over()

    def answered(self, reply: ChatReply | EmbedReply) -> None:
        """Note what came back, without its text; it came just now."""
        self._over()
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

    async def show_answer(self, masker: Masker) -> None:
        """Note the text that came back, if that is wanted."""
        reply = self.reply
        if reply is not None and _wanted() and self._span.is_recording():
            self._span.set_attributes(await _shown(lambda: {_ANSWER: output_messages(reply, masker)}))

    def end(self) -> None:
        """Send it, as of when the model was done; a span that never began is none."""
        self._span.end(self._ended_at)

    def _over(self) -> None:
        self._ended_at = self._ended_at or time.time_ns()

    def _failed(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(Status(StatusCode.ERROR, code))


@asynccontextmanager
async def model_span(
    model: ModelInfo, request: ChatRequest | EmbedRequest, masker: Masker
) -> AsyncGenerator[ModelSpan]:
    """The span of a call that is made, and paid for, in the block; none is recorded where no tracing is configured.

    Texts are masked before the block and after it, so nobody is charged for the time that takes, nor does it count as
    the model's.

    Args:
        model: Who is asked.
        request: What.
        masker: Takes secrets and personal data out of texts, where the span is to hold any.
    """
    prompt: Mapping[str, str] = {}
    if isinstance(request, ChatRequest) and _wanted() and _will_be_kept():
        prompt = await _shown(lambda: _prompt(request, masker))
    call = ModelSpan(model, request, prompt)
    try:
        yield call
        await call.show_answer(masker)
    finally:
        call.end()


def _tracer() -> trace.Tracer:
    return trace.get_tracer("orchestrator")


def _wanted() -> bool:
    return os.environ.get(CAPTURE, "").strip().lower() in _ASKED_FOR


def _will_be_kept() -> bool:
    """Whether a span that begins now is recorded, as far as can be told before: as the one around it is."""
    around = trace.get_current_span().get_span_context()
    if around.is_valid:
        return around.trace_flags.sampled
    return not isinstance(_tracer(), (trace.ProxyTracer, trace.NoOpTracer))


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


async def _shown(texts: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
    """What a span may hold; nothing where that cannot be told."""
    try:
        # In a thread, as all checks of texts.
        return await asyncio.to_thread(texts)
    except Exception as error:  # noqa: BLE001 - whatever it is, the call counts and not what is told of it
        _log.warning("what a model was asked or answered cannot be noted in its span (%s)", type(error).__name__)
        return {}


def _prompt(request: ChatRequest, masker: Masker) -> dict[str, str]:
    found = {"gen_ai.input.messages": input_messages(request.turns, masker)}
    instructions = system_instructions(request.turns, masker)
    if instructions is not None:
        found["gen_ai.system_instructions"] = instructions
    return found


def _name(name: str) -> str:
    # Half of a character would keep the whole batch of spans from being sent.
    return name[:_MOST_OF_NAME].encode(errors="replace").decode()
