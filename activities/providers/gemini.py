"""Google's Gemini API, through Google's own client."""

from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, cast
from uuid import uuid4

import httpx
from google.genai import Client, errors, types

from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, FinishReason, ToolCall
from activities.providers.gemini_refusals import Refusal
from activities.providers.gemini_requests import contents_of, settings_of, signed_id
from activities.providers.statuses import Endpoint
from orchestrator.errors import ProviderError

__all__ = ["Gemini"]

_NEEDS_NO_KEY = "not-needed"
_VERSION = "v1beta"
_CONNECT_S = 10.0
_CONNECTIONS = httpx.Limits(max_connections=1_000, max_keepalive_connections=100, keepalive_expiry=5)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_FINISHED: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "ESCALATION",
            "PUP_LIMITED_DISABLED",
            "MODEL_ARMOR",
        ),
        "content_filter",
    ),
}
_MALFORMED = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "OTHER",
    }
)
"""The model went astray, and may do better when it is asked again."""

_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError)
"""What Google's client comes to grief with over an answer of another form than it expects."""


class Gemini:
    """Asks Gemini. Retries are Temporal's business, so the client's own are off, as is all it does by itself.

    Args:
        api_key: The key; none for an endpoint that needs none.
        base_url: Where the endpoint is; none for Google itself.
        timeout: Seconds of silence after which the endpoint counts as away.
    """

    name = "gemini"

    def __init__(self, *, api_key: str | None, base_url: str | None = None, timeout: float = 600.0) -> None:
        self._endpoint = Endpoint(
            name=self.name,
            key_setting="GEMINI_API_KEY",
            address_setting="GEMINI_BASE_URL",
            hidden=(api_key,) if api_key else (),
        )
        self._http = httpx.AsyncClient(
            # A redirect would take the conversation to an address that nobody has set.
            follow_redirects=False,
            limits=_CONNECTIONS,
            event_hooks={"request": [_hurry_to_connect], "response": [_note_response]},
        )
        self._client = Client(
            # Without these two the client would look in the environment, past our settings.
            api_key=api_key or _NEEDS_NO_KEY,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=base_url or "https://generativelanguage.googleapis.com/",
                api_version=_VERSION,
                timeout=round(timeout * 1000),
                retry_options=types.HttpRetryOptions(attempts=1),
                httpx_async_client=self._http,
            ),
        )
        # The types of what they take are not whole.
        self._models = cast("Any", self._client.aio).models

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The model's answer.

        Raises:
            ProviderError: In the class that says whether asking again can help.
        """
        draft = _Draft(self._endpoint, request)
        try:
            answer: types.GenerateContentResponse = await self._models.generate_content(
                model=request.model, contents=contents_of(request), config=settings_of(request)
            )
            draft.take(answer)
        except (errors.APIError, httpx.HTTPError, *_UNREADABLE) as error:
            raise self._translated(error) from None
        if draft.finish_reason is None:
            raise self._endpoint.unreadable()
        return draft.reply()

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """The model's answer as it writes, and at the end the whole reply.

        Raises:
            ProviderError: As ``complete``; after the first piece, ``may_have_charged`` is always set.
        """
        draft, responses = _Draft(self._endpoint, request), list[httpx.Response]()
        try:
            answers = await self._models.generate_content_stream(
                model=request.model, contents=contents_of(request), config=settings_of(request)
            )
            while answer := await _next(answers, responses):
                if piece := draft.take(answer):
                    yield piece
        except (errors.APIError, httpx.HTTPError, *_UNREADABLE) as error:
            raise (self._broken(error) if draft.begun else self._translated(error)) from None
        finally:
            for response in responses:
                await response.aclose()
        if draft.finish_reason is None:
            raise self._endpoint.cut()
        yield draft.reply()

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        """A vector for each text.

        Raises:
            ProviderError: As ``complete``.
        """
        try:
            answer: types.EmbedContentResponse = await self._models.embed_content(
                model=request.model,
                # One content each: the newest models make a single vector of texts that come bare.
                contents=[types.Content(parts=[types.Part(text=text)]) for text in request.texts],
                config=types.EmbedContentConfig(output_dimensionality=request.dimensions),
            )
            vectors = tuple(tuple(found.values or ()) for found in answer.embeddings or ())
            usage = answer.usage_metadata
        except (errors.APIError, httpx.HTTPError, *_UNREADABLE) as error:
            raise self._translated(error) from None
        if len(vectors) != len(request.texts) or not all(vectors):
            raise self._endpoint.unreadable()
        tokens = (usage.prompt_token_count or 0) if usage else 0
        return EmbedReply(vectors=vectors, model=request.model, input_tokens=tokens)

    async def close(self) -> None:
        """Gives its connections back."""
        await self._client.aio.aclose()
        self._client.close()
        await self._http.aclose()

    def _broken(self, error: Exception) -> ProviderError:
        """What went wrong after the first piece of an answer, in our words."""
        if isinstance(error, errors.APIError):
            return self._refused(error, may_have_charged=True)
        if isinstance(error, httpx.TimeoutException):
            return self._endpoint.timed_out()
        return self._endpoint.cut() if isinstance(error, httpx.HTTPError) else self._endpoint.unreadable()

    def _translated(self, error: Exception) -> ProviderError:
        """The client's error in our words, without the key."""
        if isinstance(error, errors.APIError):
            return self._refused(error)
        if isinstance(error, _NOT_SENT):
            return self._endpoint.unreachable(may_have_charged=False)
        if isinstance(error, httpx.TimeoutException):
            return self._endpoint.timed_out()
        if isinstance(error, httpx.HTTPError):
            return self._endpoint.unreachable(may_have_charged=True)
        return self._endpoint.unreadable()

    def _refused(self, error: errors.APIError, *, may_have_charged: bool = False) -> ProviderError:
        # Its types promise more than it keeps: of an answer without a body it knows none of these.
        known = cast("Any", error)
        refusal = Refusal.read(known.details)
        status = known.code if isinstance(known.code, int) else HTTPStatus.INTERNAL_SERVER_ERROR
        headers = dict(getattr(known.response, "headers", None) or {})
        if refusal.wait is not None:
            headers.setdefault("retry-after", refusal.wait)
        return self._endpoint.refused(
            HTTPStatus.UNAUTHORIZED if refusal.of_key else status,
            reason=known.message if isinstance(known.message, str) else "",
            code=known.status if isinstance(known.status, str) else "",
            headers=headers,
            may_have_charged=may_have_charged,
        )


async def _hurry_to_connect(request: httpx.Request) -> None:
    """Google's client has one timeout for everything; an address where nobody is need not take all of it."""
    timeouts = request.extensions["timeout"]
    timeouts["connect"] = min(timeouts["connect"], _CONNECT_S)


_noted: ContextVar[list[httpx.Response] | None] = ContextVar("_noted", default=None)


async def _next(
    answers: AsyncIterator[types.GenerateContentResponse], responses: list[httpx.Response]
) -> types.GenerateContentResponse | None:
    """The next part of a stream, none at its end.

    ``responses`` gets what has to be closed after it: Google's client leaves that to the garbage collector.
    """
    token = _noted.set(responses)
    try:
        return await anext(answers, None)
    finally:
        _noted.reset(token)


async def _note_response(response: httpx.Response) -> None:
    if (noted := _noted.get()) is not None:
        noted.append(response)


class _Draft:
    """An answer on its way in."""

    def __init__(self, endpoint: Endpoint, request: ChatRequest) -> None:
        self._endpoint = endpoint
        self._model = request.model
        self._asked_model = request.model
        self._shown: list[str] = []
        self._calls: list[ToolCall] = []
        self._usage = types.GenerateContentResponseUsageMetadata()
        self.begun = False
        self.finish_reason: str | None = None

    def take(self, answer: types.GenerateContentResponse) -> str:
        """Takes a part of the answer, or all of it; the text in it.

        Raises:
            ContentFilteredError: The question is blocked.
        """
        self.begun = True
        self._model = answer.model_version or self._model
        # Each part has the figures of all until there.
        self._usage = answer.usage_metadata or self._usage
        if answer.prompt_feedback is not None and answer.prompt_feedback.block_reason:
            raise self._endpoint.filtered(f"the question is blocked ({answer.prompt_feedback.block_reason.value})")
        if not answer.candidates:
            return ""
        candidate = answer.candidates[0]
        self.finish_reason = candidate.finish_reason.value if candidate.finish_reason else self.finish_reason
        parts = (candidate.content.parts if candidate.content else None) or []
        for part in parts:
            if part.function_call is not None:
                self._calls.append(self._call(part, part.function_call))
        text = "".join(part.text for part in parts if part.text and not part.thought)
        if text:
            self._shown.append(text)
        return text

    def reply(self) -> ChatReply:
        """The whole answer."""
        if self.finish_reason in _MALFORMED:
            raise self._endpoint.unreadable()
        finish_reason = _FINISHED.get(self.finish_reason or "", "stop")
        text = "".join(self._shown)
        if finish_reason == "content_filter" and not text:
            raise self._endpoint.filtered(f"the answer is held back ({self.finish_reason})")
        usage = self._usage
        return ChatReply(
            text=text,
            model=self._model,
            finish_reason="tool_calls" if self._calls and finish_reason == "stop" else finish_reason,
            input_tokens=(usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
            output_tokens=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
            tool_calls=tuple(self._calls),
        )

    def _call(self, part: types.Part, call: types.FunctionCall) -> ToolCall:
        return ToolCall(
            id=signed_id(call.id or f"call_{uuid4().hex}", self._asked_model, part.thought_signature),
            name=call.name or "",
            arguments=call.args or {},
        )
