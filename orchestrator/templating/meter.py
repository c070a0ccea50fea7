"""Counts what a template works through, and turns values into text."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic_core import to_json

from orchestrator.errors import TemplateError

__all__ = ["MAX_WORK", "Meter", "kind", "to_text"]

MAX_WORK = 10_000_000
"""Characters that the filters of one template may go through, all together."""
_ITEM = 8
"""What an item of a list counts for: it costs several times as much as a character."""
_KINDS = ((bool, "a truth value"), (int | float, "a number"), (str, "text"), (list, "a list"), (dict, "a map"))


class Meter:
    """Counts the work of one rendering."""

    def __init__(self) -> None:
        self.left = MAX_WORK

    def spend(self, amount: int) -> None:
        """Take ``amount`` characters off what is left.

        Raises:
            TemplateError: Nothing is left.
        """
        self.left -= amount
        if self.left < 0:
            raise TemplateError(f"a template works through more than {MAX_WORK} characters; do less in one template")

    def text(self, value: Any) -> str:
        """``value`` as text, counted."""
        text = to_text(value)
        self.spend(len(text))
        return text

    def items(self, value: Any) -> list[Any]:
        """``value`` as a list, counted: the items of a list, the keys of a map, the characters of a text."""
        if not isinstance(value, (str, Sequence, Mapping)):
            raise TemplateError(f"a list is needed here, not {kind(value)}")
        self.spend(_ITEM * len(cast("Sequence[Any]", value)))
        return list(cast("Sequence[Any]", value))

    def parts(self, found: list[str]) -> list[str]:
        """``found``, a text cut into pieces, counted."""
        self.spend(_ITEM * len(found))
        return found


def to_text(value: Any) -> str:
    """``value`` as it appears in text: strings as they are, everything else as JSON.

    Raises:
        TemplateError: It is no JSON value.
    """
    if isinstance(value, str):
        return value
    try:
        return to_json(value).decode()
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"{kind(value)} cannot be shown in text") from error


def kind(value: Any) -> str:
    """What sort of value it is, in words."""
    if value is None:
        return "null"
    return next((name for sort, name in _KINDS if isinstance(value, sort)), "this value")
