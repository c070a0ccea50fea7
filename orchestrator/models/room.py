"""How much of a model's window a question may take, beside the answer."""

from dataclasses import dataclass
from typing import Final

from orchestrator.models.info import ModelInfo
from orchestrator.models.pricing import known_window

__all__ = ["Room", "room_of"]

_MOST_KEPT: Final = 4_096
"""Tokens that are kept free for an answer of any length, unless a quarter of the window is less."""


@dataclass(frozen=True, slots=True)
class Room:
    """What there is room for: ``window`` tokens in all, of which ``answer`` are for the answer."""

    window: int
    answer: int

    @property
    def question(self) -> int:
        """What the question may take."""
        return self.window - self.answer


def room_of(model: ModelInfo, max_tokens: int | None) -> Room | None:
    """The room there is for a question to ``model``; none where nobody knows its window.

    Args:
        model: The model.
        max_tokens: The most that it may write; none: what it writes at most, but no more than a quarter of the window
            and 4,096 tokens.
    """
    window = known_window(model)
    if window is None:
        return None
    most = window if model.most_output is None else model.most_output
    return Room(window, min(window // 4, most, _MOST_KEPT) if max_tokens is None else max_tokens)
