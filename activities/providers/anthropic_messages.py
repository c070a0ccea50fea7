"""Anthropic's Messages API, through Anthropic's own client."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, cast

import anthropic
import httpx2
from pydantic import BaseModel, Field

from activities.providers.anthropic_requests import asked_of
from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, FinishReason
from activities.providers.bounded import ACCEPTED, bounded, ours
from activities.providers.drafts import Draft
from activities.providers.statuses import MOST_BYTES, OVERLOADED, UNREADABLE, Endpoint
from orchestrator.errors import ProviderError

__all__ = ["AnthropicMessages"]

_NEEDS_NO_KEY = "not-needed"
_CONNECT_S = 10.0
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

_FINISHED: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STATUS_OF_TYPE: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": OVERLOADED,
}
"""What an error within a stream would have had for a status; any other is 500."""

_Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]


class _Usage(BaseModel):
    input_tokens: _Tokens | None = None
    cache_creation_input_tokens: _Tokens | None = None
    cache_read_input_tokens: _Tokens | None = None
    output_tokens: _Tokens | None = None


class _Block(BaseModel):
    """A block of an answer, or a piece of one."""

    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: dict[str, Any] = Field(default={})
    partial_json: str = ""


class _Message(BaseModel):
    """What we read of an answer. Anthropic's client does not check what its own types say."""

    model: str | None = None
    content: list[_Block]
    stop_reason: str | None = None
    usage: _Usage = Field(default=_Usage())


class _Delta(_Block):
    type: str = ""
    stop_reason: str | None = None


class _Event(BaseModel):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None


class AnthropicMessages:
    """Asks Anthropic. Retries are Temporal's business, so the client's own are off.

    The API has known no temperature since its version 2026-10-21, so a request's is left out.

    Args:
        api_key: The key; none for an endpoint that needs none.
        base_url: Where the endpoint is; none for Anthropic itself.
        timeout: Seconds of silence after which the endpoint counts as away.
        most_bytes: The most that is read of an answer.
    """

    name = "anthropic"

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None = None,
        timeout: float = 600.0,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._endpoint = Endpoint(
            name=self.name,
            key_setting="ANTHROPIC_API_KEY",
            address_setting="ANTHROPIC_BASE_URL",
            hidden=(api_key,) if api_key else (),
            most_bytes=most_bytes,
        )
        self._client = anthropic.AsyncAnthropic(
            # Without one the client would look in the environment and in profile files, past our settings.
            api_key=api_key or _NEEDS_NO_KEY,
            base_url=base_url or "https://api.anthropic.com",
            timeout=httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_S)),
            max_retries=0,
            # Spans are ours to make, without the content of questions.
            open_telemetry=False,
            # A redirect would take the conversation to an address that nobody has set.
            http_client=anthropic.DefaultAsyncHttpxClient(
                follow_redirects=False, headers=ACCEPTED, event_hooks={"response": [bounded(self._endpoint)]}
            ),
        )

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The model's answer.

        Raises:
            ProviderError: In the class that says whether asking again can help.
        """
        asked, answer = asked_of(request)
        try:
            # The types of the raw form are lost on the type checker.
            ask = cast("Callable[..., Awaitable[Any]]", self._client.messages.with_raw_response.create)
            raw = await ask(**asked)
            message = _Message.model_validate_json(await raw.read())
        except (anthropic.AnthropicError, httpx2.HTTPError, *UNREADABLE) as error:
            raise self._translated(error) from None
        draft = Draft(answer)
        for place, block in enumerate(message.content):
            _begun(draft, place, block)
            if block.type == "tool_use":
                draft.argue(place, json.dumps(block.input, ensure_ascii=False))
        draft.rest()
        return self._reply(draft, request, message)

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """The model's answer as it writes, and at the end the whole reply.

        Raises:
            ProviderError: As ``complete``; after the first piece, ``may_have_charged`` is always set.
        """
        asked, answer = asked_of(request)
        draft = Draft(answer)
        message: _Message | None = None
        try:
            events = await self._client.messages.create(**asked, stream=True)
        except (anthropic.AnthropicError, httpx2.HTTPError, *UNREADABLE) as error:
            raise self._translated(error) from None
        async with events:
            try:
                async for event in events:
                    read = _Event.model_validate(event.to_dict(warnings=False))
                    message = read.message or message
                    if read.type == "message_stop":
                        break
                    if piece := _taken(draft, read, message):
                        yield piece
                else:
                    raise self._endpoint.cut()
            except (anthropic.AnthropicError, httpx2.HTTPError, LookupError, *UNREADABLE) as error:
                raise self._broken(error) from None
        if message is None:
            raise self._endpoint.unreadable()
        if piece := draft.rest():
            yield piece
        yield self._reply(draft, request, message)

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        """Nothing: Anthropic has no embeddings.

        Raises:
            ProviderRejectedError: Always.
        """
        raise self._endpoint.unable(f"embeddings: ask another provider than that of {request.model!r} for them")

    async def close(self) -> None:
        """Gives its connections back."""
        await self._client.close()

    def _reply(self, draft: Draft, request: ChatRequest, message: _Message) -> ChatReply:
        usage = message.usage
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        try:
            reply = draft.reply(
                model=message.model or request.model,
                finish_reason=_FINISHED.get(message.stop_reason or "", "stop"),
                input_tokens=(usage.input_tokens or 0) + cached,
                output_tokens=usage.output_tokens or 0,
            )
        except UNREADABLE:
            raise self._endpoint.unreadable() from None
        if reply.finish_reason == "content_filter" and not reply.text:
            raise self._endpoint.filtered("the model refuses to answer")
        return reply

    def _broken(self, error: Exception) -> ProviderError:
        """What went wrong within a stream, in our words."""
        if (known := ours(error)) is not None:
            return known
        if isinstance(error, anthropic.APIStatusError):
            # It comes with the status of the stream, which began well.
            return self._refused(error, _STATUS_OF_TYPE.get(error.type or "", 500), may_have_charged=True)
        if isinstance(error, httpx2.TimeoutException):
            return self._endpoint.timed_out()
        if isinstance(error, httpx2.HTTPError):
            return self._endpoint.cut()
        return self._endpoint.unreadable()

    def _translated(self, error: Exception) -> ProviderError:
        """The client's error in our words, without the key."""
        if (known := ours(error)) is not None:
            return known
        cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
        if isinstance(cause, _NOT_SENT):
            return self._endpoint.unreachable(may_have_charged=False)
        if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
            return self._endpoint.timed_out()
        if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):
            return self._endpoint.unreachable(may_have_charged=True)
        if isinstance(error, anthropic.APIStatusError) and error.status_code != HTTPStatus.OK:
            return self._refused(error, error.status_code)
        return self._endpoint.unreadable()

    def _refused(
        self, error: anthropic.APIStatusError, status: int, *, may_have_charged: bool = False
    ) -> ProviderError:
        return self._endpoint.refused(
            status,
            reason=_words(error.api_message),
            code=_words(error.error_code) or _words(error.type),
            headers=error.response.headers,
            may_have_charged=may_have_charged,
            details={"request_id": error.request_id} if error.request_id else None,
        )


def _taken(draft: Draft, event: _Event, message: _Message | None) -> str | None:
    """Puts an event of a stream into the draft; what of it may be shown."""
    if event.type == "content_block_start" and event.content_block is not None:
        return _begun(draft, event.index, event.content_block)
    if event.type == "content_block_delta" and event.delta is not None:
        if event.delta.type == "text_delta":
            return draft.say(event.delta.text)
        if event.delta.type == "input_json_delta":
            return draft.argue(event.index, event.delta.partial_json)
    if event.type == "message_delta" and message is not None:
        message.stop_reason = event.delta.stop_reason if event.delta else None
        for name, tokens in (event.usage or _Usage()).model_dump(exclude_none=True).items():
            setattr(message.usage, name, tokens)
    return None


def _begun(draft: Draft, place: int, block: _Block) -> str | None:
    if block.type == "tool_use":
        draft.call(place, block.id, block.name)
    return draft.say(block.text) if block.type == "text" else None


def _words(value: object) -> str:
    return value if isinstance(value, str) else ""
