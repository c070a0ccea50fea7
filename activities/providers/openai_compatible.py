"""Any endpoint that speaks OpenAI's chat completions, through OpenAI's own client."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, cast

import httpx
import openai
from pydantic import BaseModel, Field, ValidationError

from activities.providers.base import ChatReply, ChatRequest, FinishReason
from activities.providers.retry_after import retry_after
from orchestrator.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnavailableError,
)

__all__ = ["OpenAICompatible"]

_AUTH = frozenset({401, 403})
_UNWELL = frozenset({408, 409})
_TOO_MANY = 429
_SERVER_ERROR = 500
_MAX_REASON = 300
_NEEDS_NO_KEY = "not-needed"

_FINISHED: Mapping[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}

_Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]


class _Usage(BaseModel):
    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None


class _Reply(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Reply
    finish_reason: str | None = None


class _Completion(BaseModel):
    """What we read of an answer. OpenAI's client does not check what its own types say, and endpoints differ."""

    model: str | None = None
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class OpenAICompatible:
    """Asks one endpoint. Retries are Temporal's business, so the client's own are off.

    Args:
        api_key: The key; none for an endpoint that needs none.
        base_url: Where the endpoint is; none for OpenAI itself.
        timeout: Seconds for one request.
    """

    name = "openai"

    def __init__(self, *, api_key: str | None, base_url: str | None = None, timeout: float = 600.0) -> None:
        self._api_key = api_key
        self._client = openai.AsyncOpenAI(
            # Without one the client would look in the environment, past our settings.
            api_key=api_key or _NEEDS_NO_KEY,
            base_url=base_url or "https://api.openai.com/v1",
            timeout=timeout,
            max_retries=0,
            # A redirect would take the conversation to an address that nobody has set.
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
        )

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The model's answer.

        Raises:
            ProviderError: In the class that says whether asking again can help.
        """
        options: dict[str, Any] = {}
        if request.temperature is not None:
            options["temperature"] = request.temperature
        if request.max_tokens is not None:
            options[request.limit_field] = request.max_tokens
        messages: list[Any] = [{"role": turn.role, "content": turn.content} for turn in request.turns]
        try:
            # The types of the raw form are lost on the type checker; what it answers has the body in ``content``.
            ask = cast("Callable[..., Awaitable[Any]]", self._client.chat.completions.with_raw_response.create)
            answer = await ask(model=request.model, messages=messages, **options)
        except (openai.OpenAIError, ValueError) as error:
            raise self._translated(error) from None
        return _reply(answer.content, request)

    async def close(self) -> None:
        """Gives its connections back."""
        await self._client.close()

    def _translated(self, error: openai.OpenAIError | ValueError) -> ProviderError:
        """The client's error in our words, without the key."""
        if isinstance(error, openai.APITimeoutError):
            return ProviderUnavailableError("the model endpoint did not answer in time", may_have_charged=True)
        if isinstance(error, openai.APIConnectionError):
            return ProviderUnavailableError(
                "the model endpoint cannot be reached: check OPENAI_BASE_URL and the network",
                may_have_charged=not isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout),
            )
        if not isinstance(error, openai.APIStatusError):
            return ProviderUnavailableError(
                "the model endpoint answered with something that cannot be read", may_have_charged=True
            )
        return self._refused(error)

    def _refused(self, error: openai.APIStatusError) -> ProviderError:
        status = error.status_code
        message = f"the model endpoint answered {status}: {self._reason(error)}"
        details = {"status": status, "request_id": error.request_id}
        wait = retry_after(error.response.headers)
        if status == _TOO_MANY and error.code == "insufficient_quota":
            return ProviderRejectedError(message, details=details)
        if status == _TOO_MANY:
            return ProviderRateLimitedError(message, retry_after_s=wait, details=details)
        if status in _UNWELL or status >= _SERVER_ERROR:
            return ProviderUnavailableError(message, retry_after_s=wait, details=details)
        if status in _AUTH:
            # What the endpoint says here often quotes the key.
            return ProviderAuthError(f"the model endpoint answered {status}: check OPENAI_API_KEY", details=details)
        if error.response.is_redirect:
            return ProviderRejectedError(
                f"the model endpoint answered {status}: redirects are not followed, set OPENAI_BASE_URL to the "
                "final address",
                details=details,
            )
        return ProviderRejectedError(message, details=details)

    def _reason(self, error: openai.APIStatusError) -> str:
        body = error.body
        reason = cast("dict[str, object]", body).get("message") if isinstance(body, dict) else None
        text = reason if isinstance(reason, str) and reason else "no reason given"
        if self._api_key:
            text = text.replace(self._api_key, "***")
        return text[:_MAX_REASON]


def _reply(content: bytes, request: ChatRequest) -> ChatReply:
    try:
        completion = _Completion.model_validate_json(content)
    except ValidationError:
        raise ProviderUnavailableError(
            "the model endpoint answered with something that cannot be read", may_have_charged=True
        ) from None
    choice = completion.choices[0]
    usage = completion.usage or _Usage()
    return ChatReply(
        text=choice.message.content or choice.message.refusal or "",
        model=completion.model or request.model,
        finish_reason=_FINISHED.get(choice.finish_reason or "", "stop"),
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
    )
