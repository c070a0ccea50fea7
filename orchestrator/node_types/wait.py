"""Wait: lets time pass, or waits for a moment, without anything running meanwhile."""

from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field, model_validator

from orchestrator.graph.durations import parse_moment
from orchestrator.node_types.base import ConfigModel, Duration, NodeType


def _moment(value: str) -> str:
    parse_moment(value)
    return value


class WaitConfig(ConfigModel):
    """How long, or until when: one of the two."""

    for_: Duration | None = Field(default=None, alias="for")
    """How long: ``90s``, ``2h``, ``7d``, or a number of seconds."""
    until: Annotated[str, AfterValidator(_moment)] | None = None
    """A date with time and offset, such as ``2027-01-31T09:00:00Z``; one that is past is no wait at all."""

    # Before the fields, since one that holds a template does not validate, and then nothing would be said of the other.
    @model_validator(mode="before")
    @classmethod
    def _one_of_them(cls, value: Any) -> Any:
        if isinstance(value, dict):
            given = cast("dict[str, Any]", value)
            if (given.get("for") is None) == (given.get("until") is None):
                raise ValueError("needs either `for` or `until`")
        return cast("Any", value)


WAIT = NodeType(
    name="Wait",
    summary="Waits for some time, or until a moment; nothing runs meanwhile.",
    tier="control",
    config=WaitConfig,
    outputs=("at",),
)
