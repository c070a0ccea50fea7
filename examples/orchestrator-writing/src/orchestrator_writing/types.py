"""What the node types take and give; loaded wherever a definition is checked, so it imports nothing heavy."""

from orchestrator.extending import ConfigModel, NodeType, Retry, Text
from pydantic import Field

__all__ = ["PROOFREAD", "TEXT_STATS", "ProofreadConfig", "TextStatsConfig"]


class TextStatsConfig(ConfigModel):
    """The text, and how fast people read."""

    text: Text
    words_per_minute: int = Field(default=200, ge=1, le=2_000)
    """What a reader manages in a minute."""


class ProofreadConfig(ConfigModel):
    """The text, and the language it is in."""

    text: Text
    language: str = "en-GB"
    """A language code of the service, or `auto`."""
    most: int = Field(default=100, ge=1, le=1_000)
    """The most findings to give."""


TEXT_STATS = NodeType(
    name="TextStats",
    summary="Counts the words, sentences and minutes of reading of a text.",
    tier="quick",
    config=TextStatsConfig,
    outputs=("words", "sentences", "characters", "minutes"),
    timeout=5.0,
)

PROOFREAD = NodeType(
    name="Proofread",
    summary="Has a LanguageTool service look for mistakes in a text.",
    tier="work",
    config=ProofreadConfig,
    outputs=("findings", "count"),
    timeout=30.0,
    retry=Retry(max_attempts=3),
)
