"""A model that is plainly simulated: for demos, tests and runs without a key."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import Any, cast

from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, FinishReason, Tool, ToolCall
from activities.providers.simulated_slots import filled
from activities.providers.simulated_words import answer_within, chosen, nearest, vector

__all__ = ["MARK", "Simulated", "estimate_tokens"]

MARK = "[simulated] "
"""Every simulated answer begins with it, but JSON, which has no room for it."""
_CHARS_PER_TOKEN = 4
_SUMMARY_WORDS = 40
_PIECE = re.compile(r"\s*\S+\s*")


class Simulated:
    """Answers the same question always the same way. It goes by the last user message, and does the first that fits.

    - A schema is asked for: JSON, filled with what ``simulated_slots`` finds in what the user said.
    - A tool shares words with the message: it wants that tool called, with arguments found the same way. Once it was,
      the answer is what the tool said.
    - The message lists options (lines that begin with ``-``, ``*`` or a number, or ``one of: a, b``): the one that
      shares most words with the rest, the first of equals: ``refund: wants money back`` answers ``refund``.
    - It ends in a question, and a sentence before it or in another message shares words with that: this sentence.
    - Else: the beginning of the message.
    """

    name = "simulated"

    async def complete(self, request: ChatRequest) -> ChatReply:
        """An answer made up from the question; never fails."""
        call = _tool_call(request)
        if call is not None:
            return self._reply(request, "", "tool_calls", (call,))
        limit = request.max_tokens
        if request.schema is not None:
            written = json.dumps(filled(request.schema, _said(request)), ensure_ascii=False)
            text = written if limit is None else written[: limit * _CHARS_PER_TOKEN]
            return self._reply(request, text, "stop" if text == written else "length")
        words = (MARK + _answer(request)).split(" ")
        is_long = limit is not None and len(words) > limit
        return self._reply(request, " ".join(islice(words, limit)), "length" if is_long else "stop")

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """The same answer word by word, and the whole reply at the end."""
        reply = await self.complete(request)
        for piece in _PIECE.findall(reply.text):
            yield piece
        yield reply

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        """A vector for each text, near to those of texts that share its words."""
        return EmbedReply(
            vectors=tuple(vector(text, request.dimensions) for text in request.texts),
            model=request.model,
            input_tokens=sum(estimate_tokens(text) for text in request.texts),
            simulated=True,
        )

    def _reply(
        self, request: ChatRequest, text: str, reason: FinishReason, calls: tuple[ToolCall, ...] = ()
    ) -> ChatReply:
        written = text + "".join(f"{call.name}{json.dumps(dict(call.arguments))}" for call in calls)
        return ChatReply(
            text=text,
            model=request.model,
            finish_reason=reason,
            input_tokens=sum(estimate_tokens(turn.content) for turn in request.turns),
            output_tokens=estimate_tokens(written),
            tool_calls=calls,
            simulated=True,
        )


def estimate_tokens(text: str) -> int:
    """Roughly how many tokens ``text`` takes: one for every four characters begun."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def _said(request: ChatRequest) -> list[str]:
    """What the user said, the newest first: what is said later corrects what was said before."""
    return [turn.content for turn in reversed(request.turns) if turn.role == "user"]


def _tool_call(request: ChatRequest) -> ToolCall | None:
    """What is to be called for the last message, unless it has been."""
    if not request.turns or request.turns[-1].role != "user":
        return None
    asked = request.turns[-1].content
    about = {f"{tool.name.replace('_', ' ')} {tool.description}": tool for tool in request.tools}
    name = nearest(about, asked)
    if name is None:
        return None
    tool = about[name]
    number = sum(len(turn.tool_calls) for turn in request.turns)
    return ToolCall(id=f"call_{number}", name=tool.name, arguments=_arguments(tool, _said(request)))


def _arguments(tool: Tool, said: Sequence[str]) -> dict[str, Any]:
    found = filled(tool.parameters, said)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _answer(request: ChatRequest) -> str:
    last = max((place for place, turn in enumerate(request.turns) if turn.role == "user"), default=None)
    asked = "" if last is None else request.turns[last].content
    results = [turn.content for turn in request.turns[(last or 0) :] if turn.role == "tool"]
    if results:
        return f"According to the tool: {_summary(' '.join(results))}"
    context = [turn.content for place, turn in enumerate(request.turns) if place != last]
    return chosen(asked) or answer_within(asked, context) or _asked(asked)


def _asked(message: str) -> str:
    return f"You asked: {_summary(message)}" if message.strip() else "You asked nothing."


def _summary(text: str) -> str:
    words = text.split()
    return f"{' '.join(words[:_SUMMARY_WORDS])}{' …' if len(words) > _SUMMARY_WORDS else ''}"
