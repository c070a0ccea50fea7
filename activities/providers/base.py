"""What a model provider is: it answers a conversation, at once or as it writes, and turns text into vectors."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = [
    "ChatProvider",
    "ChatReply",
    "ChatRequest",
    "EmbedReply",
    "EmbedRequest",
    "FinishReason",
    "ModelProvider",
    "Tool",
    "ToolCall",
    "Turn",
    "total",
]

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why a model stopped: it was done, it may write no more, it wants tools called, or its provider cut it off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something a model may ask to have done. ``parameters`` is the JSON Schema of its arguments, an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """What a model wants done; ``id`` is what the answer to it refers to."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation.

    ``tool_calls``: what the assistant wanted done. ``tool_call_id``: which of these a ``tool`` message answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A conversation to continue. ``model`` is the provider's own name.

    ``max_tokens`` limits what it writes; ``limit_field`` is what the provider calls that limit. ``schema`` is the JSON
    Schema that the answer has to fit; a provider holds the model to it as well as it can, and the caller checks.
    """

    model: str
    turns: tuple[Turn, ...]
    temperature: float | None = None
    max_tokens: int | None = None
    limit_field: str = "max_tokens"
    schema: Mapping[str, Any] | None = None
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """The continuation, who wrote it, and what it took in tokens; 0 of both: the provider did not say.

    ``simulated``: no model was asked.
    """

    text: str
    model: str
    finish_reason: FinishReason
    input_tokens: int
    output_tokens: int
    tool_calls: tuple[ToolCall, ...] = field(default=())
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """Texts to turn into vectors, one each. ``dimensions``: how long they are to be; none: as the model has them."""

    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedReply:
    """The vectors, in the order of the texts, and what they took; 0 tokens: the provider did not say."""

    vectors: tuple[tuple[float, ...], ...]
    model: str
    input_tokens: int
    simulated: bool = False


class ChatProvider(Protocol):
    """The least that a provider of an installed package is."""

    @property
    def name(self) -> str:
        """What outputs call it."""
        ...

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The model's answer.

        Raises:
            ProviderError: In the class that says whether asking again can help.
        """
        ...


class ModelProvider(ChatProvider, Protocol):
    """Asks models."""

    def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """The model's answer as it writes: pieces of its text, none empty, and at the end the whole reply, once.

        The pieces joined are the reply's text. Whoever stops reading closes it, and with it the connection.

        Raises:
            ProviderError: As ``complete``; after the first piece, ``may_have_charged`` is always set.
        """
        ...

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        """A vector for each text.

        Raises:
            ProviderError: As ``complete``; ``ProviderRejectedError`` too where the provider has no embeddings.
        """
        ...


def total(counts: Sequence[int]) -> int:
    """The tokens of several questions together; 0, for not known, where the provider did not say it of one of them."""
    return sum(counts) if all(counts) else 0
