"""What a model provider is: one question in, one answer out."""

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["ChatProvider", "ChatReply", "ChatRequest", "Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A conversation to continue. ``model`` is the provider's own name.

    ``max_tokens`` limits what it writes; ``limit_field`` is what the provider calls that limit.
    """

    model: str
    turns: tuple[Turn, ...]
    temperature: float | None = None
    max_tokens: int | None = None
    limit_field: str = "max_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """The continuation, who wrote it, and what it took in tokens. ``simulated``: no model was asked."""

    text: str
    model: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    simulated: bool = False


class ChatProvider(Protocol):
    """Asks a model."""

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
