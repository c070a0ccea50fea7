"""How a text may be cut where a conversation does not fit a model's window."""

from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.node_types.base import ConfigModel

__all__ = ["Truncate"]


class Truncate(ConfigModel):
    """The way in which a message may be cut, and how soon."""

    strategy: Literal["drop_oldest", "trim_middle", "summarise"]
    """``drop_oldest`` leaves out the oldest of the messages that stand together and may be cut so; ``trim_middle``
    leaves out the middle of a text; ``summarise`` puts a summary by the same model in the place of such messages."""
    priority: int = Field(default=0, ge=-1_000, le=1_000)
    """The lower, the sooner it is cut."""
    keep: int = Field(default=0, ge=0, le=10_000)
    """How many of the newest messages ``drop_oldest`` and ``summarise`` leave as they are."""

    @model_validator(mode="after")
    def _keeps_messages(self) -> Self:
        if self.keep and self.strategy == "trim_middle":
            raise ValueError("has `keep`, which means something for whole messages only, not for `trim_middle`")
        return self
