"""The end of what models are writing, in the few lines that there is room for."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.cli.output import clean

__all__ = ["Writing", "last_lines"]

_MOST_TEXTS = 3
_LINES = 5


@dataclass(frozen=True, slots=True)
class Writing:
    """What a model is writing: the visit, and its text so far."""

    visit: str
    text: str


def last_lines(texts: Sequence[Writing], width: int) -> str:
    """The ends of the newest texts, in lines of at most ``width`` characters."""
    shown = [text for text in texts if text.text.strip()][-_MOST_TEXTS:]
    most = _LINES if len(shown) == 1 else 2
    return "\n".join(line for text in shown for line in _end(text, most, max(width, 20)))


def _end(writing: Writing, most: int, width: int) -> list[str]:
    """The label of a text, and its last lines."""
    # Only its end can be seen, and a text may be long.
    end = clean(writing.text[-(most + 1) * width :].replace("\t", " "))
    lines = [line[at : at + width] for line in end.splitlines() if line.strip() for at in range(0, len(line), width)]
    return [f"{writing.visit}:"[:width], *lines[-most:]]
