"""What all that crosses a wire has in common."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Sent", "Written"]


class Sent(BaseModel):
    """Sent by people: unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Written(BaseModel):
    """Written by the platform: unknown fields come from a newer release and are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
