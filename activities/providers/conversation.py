"""Puts a conversation into the form of providers that want it to go back and forth, with what is said to all apart."""

import re
from collections.abc import Iterable
from hashlib import sha256
from itertools import groupby
from typing import Literal

from activities.providers.base import Turn

__all__ = ["Speaker", "exchanges", "plain_id", "system_text"]

Speaker = Literal["user", "assistant"]

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def system_text(turns: Iterable[Turn], more: str = "") -> str:
    """What the system messages say, wherever they stand, and ``more``, with an empty line between two."""
    said = [turn.content for turn in turns if turn.role == "system"]
    return "\n\n".join(text for text in (*said, more) if text)


def exchanges(turns: Iterable[Turn]) -> list[tuple[Speaker, list[Turn]]]:
    """The other messages, those that follow each other from one side together.

    What a tool answers is the user's side; a message of neither text nor calls is nobody's.
    """
    said = [
        turn for turn in turns if turn.role != "system" and (turn.content or turn.tool_calls or turn.role == "tool")
    ]
    return [(side, list(group)) for side, group in groupby(said, _side)]


def plain_id(call_id: str) -> str:
    """``call_id`` in letters that every provider takes: another model of the conversation may have given it."""
    return call_id if _PLAIN_ID.fullmatch(call_id) else sha256(call_id.encode()).hexdigest()[:32]


def _side(turn: Turn) -> Speaker:
    return "assistant" if turn.role == "assistant" else "user"
