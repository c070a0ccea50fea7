"""Google's Gemini API, through Google's own client."""

from collections.abc import AsyncIterator
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, cast

import httpx
from google.genai import Client, errors, types

from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, total
from activities.providers.bounded import ACCEPTED, bounded
from activities.providers.comments import without_comments
from activities.providers.gemini_answers import Answer
from activities.providers.gemini_refusals import Refusal
from activities.providers.gemini_requests import contents_of, settings_of
from activities.providers.statuses import MOST_BYTES, UNREADABLE, Endpoint
from orchestrator.errors import ProviderError

__all__ = ["Gemini"]

_NEEDS_NO_KEY = "not-needed"
_VERSION = "v1beta"
_TEXTS_AT_ONCE = 100
"""The most that Google takes in one request."""
_CONNECT_S = 10.0
_CONNECTIONS = httpx.Limits(max_connections=1_000, max_keepalive_connections=100, keepalive_expiry=5)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_UNREADABLE = (*UNREADABLE, TypeError, AttributeError, LookupError)
"""What Google's client comes to grief with over an answer of another form than it expects."""


class Gemini:
    """Asks Gemini. Retries are Temporal's business, so the client's own are off, as is all it does by itself.

    Args:
        api_key: The key; none for an endpoint that needs none.
        base_url: Where the endpoint is; none for Google itself.
        timeout: Seconds of silence after which the endpoint counts as away.
        most_bytes: The most that is read of an answer.
    """

    name = "gemini"

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
            key_setting="GEMINI_API_KEY",
            address_setting="GEMINI_BASE_URL",
            hidden=(api_key,) if api_key else (),
            most_bytes=most_bytes,
        )
        self._http = httpx.AsyncClient(
            # A redirect would take the conversation to an address that nobody has set.
            follow_redirects=False,
            limits=_CONNECTIONS,
            headers=ACCEPTED,
            event_hooks={
                "request": [_hurry_to_connect],
                "response": [_note_response, bounded(self._endpoint), without_comments],
            },
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
        draft = Answer(self._endpoint, request)
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
        draft, responses = Answer(self._endpoint, request), list[httpx.Response]()
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
        vectors: list[tuple[float, ...]] = []
        taken: list[int] = []
        for start in range(0, len(request.texts), _TEXTS_AT_ONCE):
            texts = request.texts[start : start + _TEXTS_AT_ONCE]
            try:
                found, count = await self._embedded(request, texts)
            except (errors.APIError, httpx.HTTPError, *_UNREADABLE) as error:
                failure = self._translated(error)
                failure.may_have_charged = failure.may_have_charged or bool(vectors)
                raise failure from None
            if len(found) != len(texts) or not all(found):
                raise self._endpoint.unreadable()
            vectors += found
            taken.append(count)
        return EmbedReply(vectors=tuple(vectors), model=request.model, input_tokens=total(taken))

    async def _embedded(self, request: EmbedRequest, texts: tuple[str, ...]) -> tuple[list[tuple[float, ...]], int]:
        answer: types.EmbedContentResponse = await self._models.embed_content(
            model=request.model,
            # One content each: the newest models make a single vector of texts that come bare.
            contents=[types.Content(parts=[types.Part(text=text)]) for text in texts],
            config=types.EmbedContentConfig(output_dimensionality=request.dimensions),
        )
        usage = answer.usage_metadata
        found = [tuple(each.values or ()) for each in answer.embeddings or ()]
        return found, (usage.prompt_token_count or 0) if usage else 0

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
