"""Any endpoint that speaks OpenAI's chat completions, through OpenAI's own client."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import openai

from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest
from activities.providers.bounded import ACCEPTED, bounded, ours
from activities.providers.openai_wire import Writing, chat_body, embed_body, read_embeddings, read_reply
from activities.providers.statuses import MOST_BYTES, OVERLOADED, UNREADABLE, Endpoint
from orchestrator.errors import ProviderError
from orchestrator.models import StructuredOutput

__all__ = ["OpenAICompatible"]

_NEEDS_NO_KEY = "not-needed"
_CONNECT_S = 10.0
_CONNECTIONS = httpx.Limits(max_connections=1_000, max_keepalive_connections=100, keepalive_expiry=5)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_HTTP_ERRORS = range(400, 600)
_SERVER_ERROR = 500
_BY_TYPE: Mapping[str, int] = {
    "invalid_request_error": 400,
    "content_filter": 400,
    "authentication_error": 401,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "overloaded_error": OVERLOADED,
}
"""What an error in the middle of a stream calls itself, where it would have been a status before it began."""


class OpenAICompatible:
    """Asks one endpoint. Retries are Temporal's business, so the client's own are off.

    Args:
        api_key: The key; none for an endpoint that needs none.
        base_url: Where the endpoint is; none for OpenAI itself.
        timeout: Seconds of silence after which the endpoint counts as away.
        name: What stands before the slash in names of its models.
        key_setting: Which setting holds the key, for advice.
        address_setting: Which setting holds the address, for advice.
        structured: How it takes a schema: itself (``json_schema``), or in words with JSON mode (``json_object``).
        most_bytes: The most that is read of an answer.
    """

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None = None,
        timeout: float = 600.0,
        name: str = "openai",
        key_setting: str = "OPENAI_API_KEY",
        address_setting: str = "OPENAI_BASE_URL",
        structured: StructuredOutput = "json_schema",
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.name = name
        self._structured: StructuredOutput = structured
        self._endpoint = Endpoint(
            name=name,
            key_setting=key_setting,
            address_setting=address_setting,
            hidden=(api_key,) if api_key else (),
            most_bytes=most_bytes,
        )
        self._client = openai.AsyncOpenAI(
            # Without one the client would look in the environment, past our settings.
            api_key=api_key or _NEEDS_NO_KEY,
            base_url=base_url or "https://api.openai.com/v1",
            timeout=timeout,
            max_retries=0,
            # Ours, so that its errors are of a library we know: they say whether a request was sent, and may cost. The
            # client takes it, as its types do not say.
            http_client=cast("Any", _http(timeout, self._endpoint)),
        )

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The model's answer.

        Raises:
            ProviderError: In the class that says whether asking again can help.
        """
        async with self._translating():
            answer = await self._client.post(
                "/chat/completions", cast_to=object, body=chat_body(request, structured=self._structured)
            )
            return read_reply(answer, request)

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """The model's answer as it writes, and the whole reply at the end.

        Raises:
            ProviderError: As ``complete``; a stream that is cut off may have been charged.
        """
        writing = Writing(request)
        body = chat_body(request, structured=self._structured)
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        async with self._translating(writing):
            events = await self._client.post(
                "/chat/completions",
                cast_to=object,
                body=body,
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
            async with events:
                async for event in events:
                    text = writing.read(event)
                    if text:
                        yield text
            if writing.finished is None:
                raise self._endpoint.cut()
            reply = writing.reply()
        yield reply

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        """A vector for each text.

        Raises:
            ProviderError: As ``complete``.
        """
        async with self._translating():
            answer = await self._client.post("/embeddings", cast_to=object, body=embed_body(request))
            return read_embeddings(answer, request)

    async def close(self) -> None:
        """Gives its connections back."""
        await self._client.close()

    @asynccontextmanager
    async def _translating(self, writing: Writing | None = None) -> AsyncGenerator[None]:
        """The client's errors in our words, without the key. ``writing``: the reply that comes in pieces."""
        try:
            yield
        except (openai.OpenAIError, *UNREADABLE) as error:
            raise self._translated(error, begun=writing is not None and writing.begun) from None

    def _translated(self, error: Exception, *, begun: bool) -> ProviderError:
        if isinstance(error, openai.APIConnectionError):
            return ours(error) or self._broken(error, begun=begun)
        if isinstance(error, openai.APIStatusError):
            return self._endpoint.refused(
                error.status_code,
                reason=_text(error.body, "message"),
                code=_text(error.body, "code"),
                headers=error.response.headers,
                details={"request_id": error.request_id},
            )
        if type(error) is openai.APIError:
            return self._endpoint.refused(
                _status_of(error.body),
                reason=_text(error.body, "message"),
                code=_text(error.body, "code"),
                may_have_charged=True,
            )
        return self._endpoint.unsendable() if isinstance(error, UnicodeEncodeError) else self._endpoint.unreadable()

    def _broken(self, error: openai.APIConnectionError, *, begun: bool) -> ProviderError:
        if isinstance(error.__cause__, _NOT_SENT):
            return self._endpoint.unreachable(may_have_charged=False)
        if isinstance(error, openai.APITimeoutError):
            return self._endpoint.timed_out()
        return self._endpoint.cut() if begun else self._endpoint.unreachable(may_have_charged=True)


def _http(timeout: float, endpoint: Endpoint) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        headers=ACCEPTED,
        event_hooks={"response": [bounded(endpoint)]},
        # A redirect would take the conversation to an address that nobody has set.
        follow_redirects=False,
        timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_S)),
        limits=_CONNECTIONS,
    )


def _text(body: object, name: str) -> str:
    """A field of an error's body, if it is there and a text."""
    value = _field(body, name)
    return value if isinstance(value, str) else ""


def _field(body: object, name: str) -> Any:
    return cast("dict[str, Any]", body).get(name) if isinstance(body, dict) else None


def _status_of(body: object) -> int:
    """The status that an error in the middle of a stream stands for."""
    code = _field(body, "code")
    if isinstance(code, int) and code in _HTTP_ERRORS:
        return code
    named = (_text(body, "code"), _text(body, "type"))
    return next((_BY_TYPE[name] for name in named if name in _BY_TYPE), _SERVER_ERROR)
