"""Words of the language that come with a later release: whoever writes one did not mistype another."""

from typing import Final

__all__ = ["LATER", "comes_later"]

LATER: Final = frozenset(
    {
        "ConversationMemory",
        "IntentClassifier",
        "SlotTracker",
        "StreamToClient",
        "VectorSearch",
        "VectorWrite",
        "priority",
    }
)
"""Node types, and fields of nodes and definitions."""


def comes_later(word: str) -> str | None:
    """A hint for a word of a later release; none for any other."""
    return f"`{word}` comes with a later release." if word in LATER else None
