"""What every node that asks people has in its configuration: who may answer, until when, and who is reminded."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.node_types.base import ConfigModel, Duration, VerbatimMark, WrittenMark

__all__ = ["AskingConfig"]


class AskingConfig(ConfigModel):
    """Who may answer, and what happens while nobody does."""

    assignees: Annotated[tuple[str, ...], WrittenMark()] = Field(default=(), min_length=1, max_length=100)
    """Who may answer; without it, everybody."""
    expires: Annotated[Duration | None, VerbatimMark()] = None
    """How long the question waits; without it, for ever."""
    on_expiry: Annotated[str | None, VerbatimMark()] = None
    """The node to go to when nobody has answered by then; without it, the node fails."""
    reminders: Annotated[tuple[Duration, ...], VerbatimMark()] = Field(default=(), max_length=50)
    """How long after asking people are reminded, each longer than the one before."""

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.on_expiry is not None and self.expires is None:
            raise ValueError("has `on_expiry`, but no `expires` that would lead to it")
        if any(later <= sooner for sooner, later in pairwise(self.reminders)):
            raise ValueError("needs `reminders` in ascending order: each is counted from when the question is asked")
        if self.expires is not None and self.reminders and self.reminders[-1] >= self.expires:
            raise ValueError("has a reminder that comes only when the question has expired")
        return self
