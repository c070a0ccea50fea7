"""ModelInvoke: asks a language model for one text."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.node_types.base import ConfigModel, NodeType, Text
from orchestrator.node_types.trust import Trust
from orchestrator.safety import SafetySettings


class ChatMessage(ConfigModel):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class ModelInvokeConfig(ConfigModel):
    """The model, and what it is asked: a prompt, or a whole conversation."""

    model: str = Field(min_length=1, max_length=200)
    prompt: Text | None = None
    messages: tuple[ChatMessage, ...] | None = Field(default=None, min_length=1)
    system: Text | None = None
    """Put before the conversation, as a system message."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    """The most tokens the model may write."""
    fallback: tuple[str, ...] = Field(default=(), max_length=5)
    """Models that are asked one after the other where ``model`` is unwell. Each must have room for as much, and the
    abilities that the node needs."""
    stream: bool = False
    """Whether people may read the text as it is written."""
    answer: dict[str, Any] | None = None
    """JSON Schema of the answer: what fits it is in ``value``."""

    safety: SafetySettings | None = None
    """What is done about what safety checks find; beneath it is what the definition says."""

    @model_validator(mode="after")
    def _prompt_or_messages(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either prompt or messages")
        return self


MODEL_INVOKE = NodeType(
    name="ModelInvoke",
    summary="Asks a language model and gives its text.",
    tier="work",
    config=ModelInvokeConfig,
    outputs=("text", "value", "model", "provider", "simulated", "finish_reason", "declined", "findings", "cached"),
    timeout=120.0,
    pays=True,
    trust=Trust(
        clean=("model", "provider", "simulated", "finish_reason", "declined", "findings", "cached"),
        fits={"value": "answer"},
    ),
)
