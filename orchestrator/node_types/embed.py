"""Embed: turns texts into vectors."""

from typing import Self

from pydantic import Field, model_validator

from orchestrator.model_name import ModelName
from orchestrator.node_types.base import MODEL_PATIENCE_S, ConfigModel, NodeType, Text
from orchestrator.node_types.trust import Trust


class EmbedConfig(ConfigModel):
    """The model, and the texts: one, or a list of them."""

    model: ModelName
    text: Text | None = None
    texts: tuple[Text, ...] | None = Field(default=None, min_length=1, max_length=2_000)
    dimensions: int | None = Field(default=None, ge=1, le=100_000)
    """How long each vector is to be, where the model can make shorter ones."""

    @model_validator(mode="after")
    def _text_or_texts(self) -> Self:
        if (self.text is None) == (self.texts is None):
            raise ValueError("give either text or texts")
        return self


EMBED = NodeType(
    name="Embed",
    summary="Turns a text, or each of a list of texts, into a vector.",
    tier="work",
    config=EmbedConfig,
    outputs=("vector", "vectors", "model", "provider", "simulated", "dimensions"),
    timeout=MODEL_PATIENCE_S,
    pays=True,
    trust=Trust(clean=("vector", "vectors", "model", "provider", "simulated", "dimensions")),
)
