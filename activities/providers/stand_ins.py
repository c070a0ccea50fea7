"""Makes a whole provider of what is less than one: of one that only completes, and of one whose key is missing."""

from collections.abc import AsyncIterator
from typing import Any, cast

from activities.providers.base import ChatProvider, ChatReply, ChatRequest, EmbedReply, EmbedRequest, ModelProvider
from orchestrator.errors import ProviderAuthError, ProviderRejectedError

__all__ = ["Keyless", "whole"]


def whole(provider: ChatProvider) -> ModelProvider:
    """``provider`` itself where it can stream and embed; else one that does with ``complete`` what can be done so."""
    if hasattr(provider, "stream") and hasattr(provider, "embed"):
        return cast("ModelProvider", provider)
    return cast("ModelProvider", _Completed(provider))


class _Completed:
    """A provider with what it lacks: it streams in one piece, and says that it has no embeddings."""

    def __init__(self, provider: ChatProvider) -> None:
        self._provider = provider
        self.name = provider.name
        self.complete = provider.complete
        # Its own, not one around it: whoever stops reading closes it.
        self.stream: Any = getattr(provider, "stream", self._in_one_piece)
        self.embed: Any = getattr(provider, "embed", self._no_vectors)

    async def _in_one_piece(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        reply = await self._provider.complete(request)
        if reply.text:
            yield reply.text
        yield reply

    async def _no_vectors(self, request: EmbedRequest) -> EmbedReply:
        raise ProviderRejectedError(
            f"the model provider {self.name} has no embeddings: {request.model!r} was asked for some"
        )


class Keyless:
    """Stands for an endpoint whose key is missing: it refuses to be asked, and says which key."""

    def __init__(self, name: str, key_env: str) -> None:
        self.name = name
        self._key_env = key_env

    async def complete(self, request: ChatRequest) -> ChatReply:
        raise self._refusal(request.model)

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        raise self._refusal(request.model)
        yield  # what makes it a stream

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        raise self._refusal(request.model)

    def _refusal(self, model: str) -> ProviderAuthError:
        place = f"the variable {self._key_env}" if self._key_env.isupper() else f"the named secret {self._key_env}"
        return ProviderAuthError(
            f"the provider {self.name} has no key to ask {model!r} with: give the worker {place} and start it anew",
            details={"provider": self.name, "key": self._key_env},
        )
