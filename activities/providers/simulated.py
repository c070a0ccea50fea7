"""A model that is plainly simulated: for demos, tests and runs without a key."""

import re
from itertools import islice

from activities.providers.base import ChatReply, ChatRequest

__all__ = ["MARK", "Simulated", "estimate_tokens"]

MARK = "[simulated] "
"""Every simulated answer begins with it."""
_CHARS_PER_TOKEN = 4
_SUMMARY_WORDS = 40
_LABEL_CHARS = 60
_OPTION = re.compile(r"^[ \t]*(?:[-*]|\d{1,3}[.)])[ \t]+(\S[^\n]{0,400})$", re.MULTILINE)
_WORD = re.compile(r"\w{3,}")


class Simulated:
    """Answers the same question always the same way.

    Where the last user message lists options (lines that begin with ``-``, ``*`` or a number), it answers the one that
    shares most words with the rest of the message, the first of equals: ``refund: wants money back`` answers
    ``refund``. Else it repeats the beginning of the message.
    """

    name = "simulated"

    async def complete(self, request: ChatRequest) -> ChatReply:
        """An answer made up from the question; never fails."""
        asked = next((turn.content for turn in reversed(request.turns) if turn.role == "user"), "")
        words = (MARK + (_chosen(asked) or _summary(asked))).split(" ")
        limit = request.max_tokens
        text = " ".join(islice(words, limit))
        return ChatReply(
            text=text,
            model=request.model,
            finish_reason="length" if limit is not None and len(words) > limit else "stop",
            input_tokens=sum(estimate_tokens(turn.content) for turn in request.turns),
            output_tokens=estimate_tokens(text),
            simulated=True,
        )


def estimate_tokens(text: str) -> int:
    """Roughly how many tokens ``text`` takes: one for every four characters begun."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def _chosen(message: str) -> str | None:
    options = _OPTION.findall(message)
    if not options:
        return None
    rest = _words(_OPTION.sub("", message))
    best = max(options, key=lambda option: len(_words(option) & rest))
    label, colon, _ = best.partition(":")
    return label.strip() if colon and len(label) <= _LABEL_CHARS else best.strip()


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _summary(message: str) -> str:
    words = message.split()
    shown = " ".join(words[:_SUMMARY_WORDS])
    return f"You asked: {shown}{' …' if len(words) > _SUMMARY_WORDS else ''}" if words else "You asked nothing."
