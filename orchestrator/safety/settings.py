"""What definitions, nodes and the platform say about safety checks."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from orchestrator.safety.base import ACTIONS, Action
from orchestrator.safety.registry import check_names

__all__ = ["Actions", "SafetySettings", "actions_listed"]


def _known(actions: dict[str, Action]) -> dict[str, Action]:
    for name in actions:
        if name not in check_names():
            raise ValueError(f"names no safety check: `{name[:100]}`; there are {', '.join(check_names())}")
    return actions


Actions = Annotated[
    dict[str, Action],
    AfterValidator(_known),
    WithJsonSchema({"type": "object", "additionalProperties": {"enum": list(ACTIONS)}}),
]
"""What is done about what each check finds, by its name."""


class SafetySettings(BaseModel):
    """What is done about what checks find in what goes to a model, and in what comes from it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    prompt: Actions = {}
    """Check: `off`, `flag`, `mask` or `refuse`, for what goes to the model."""
    answer: Actions = {}
    """The same for what comes from it."""
    max_characters: int | None = Field(default=None, ge=1, le=100_000_000)
    """From where on the check `size` finds a text too long."""

    def over(self, other: "SafetySettings") -> "SafetySettings":
        """These settings, and those of ``other`` where these say nothing."""
        return SafetySettings(
            prompt={**other.prompt, **self.prompt},
            answer={**other.answer, **self.answer},
            max_characters=other.max_characters if self.max_characters is None else self.max_characters,
        )


def actions_listed(value: Any) -> Any:
    """``secrets=mask,personal=flag`` as a mapping.

    Raises:
        ValueError: A part has no ``=``, or stands twice.
    """
    if not isinstance(value, str):
        return cast("Mapping[str, Any]", value)
    found: dict[str, str] = {}
    for part in filter(None, (item.strip() for item in value.split(","))):
        name, equals, action = (item.strip() for item in part.partition("="))
        if not equals or name in found:
            raise ValueError(f"must be such as secrets=mask,personal=flag, each check once; {part[:100]!r} is not")
        found[name] = action
    return found
