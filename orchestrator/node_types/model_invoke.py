"""ModelInvoke: asks a language model for one text."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model_name import ModelName
from orchestrator.node_types.base import MODEL_PATIENCE_S, ConfigModel, NodeType, Text, VerbatimMark
from orchestrator.node_types.truncating import Truncate
from orchestrator.node_types.trust import Trust
from orchestrator.safety import SafetySettings


class ChatMessage(ConfigModel):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text
    truncate: Truncate | None = None
    """How it may be cut where the conversation does not fit the model's window; without it, not at all."""


class ModelInvokeConfig(ConfigModel):
    """The model, and what it is asked: a prompt, or a whole conversation."""

    model: ModelName
    prompt: Text | None = None
    truncate: Annotated[Truncate | None, VerbatimMark()] = None
    """How the prompt may be cut, and every message that does not say otherwise."""
    messages: tuple[ChatMessage, ...] | None = Field(default=None, min_length=1)
    system: Text | None = None
    """Put before the conversation, as a system message."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=100_000_000)
    """The most tokens the model may write."""
    fallback: tuple[str, ...] = Field(default=(), max_length=5)
    """Models that are asked one after the other where ``model`` is unwell. Each must have room for as much, and the
    abilities that the node needs."""
    stream: bool = False
    """Whether people may read the text as it is written."""
    answer: dict[str, Any] | None = None
    """JSON Schema of the answer: what fits it is in ``value``."""

    safety: Annotated[SafetySettings | None, VerbatimMark()] = None
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
    outputs=(
        "text",
        "value",
        "model",
        "provider",
        "simulated",
        "finish_reason",
        "declined",
        "findings",
        "cut",
        "cached",
    ),
    timeout=MODEL_PATIENCE_S,
    pays=True,
    trust=Trust(
        clean=("model", "provider", "simulated", "finish_reason", "findings", "cut", "cached"),
        fits={"value": "answer"},
        acts={"model": "which model is asked", "fallback": "which model is asked"},
    ),
)
