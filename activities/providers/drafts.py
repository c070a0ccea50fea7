"""Gathers an answer that comes in blocks of text and tool calls, whole or in pieces, and says what of it may be shown.

Anthropic and Bedrock answer so. Where a schema has to be asked for by a tool, the arguments of its call are the text of
the answer; a model that answers in words all the same has them taken as they are.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from activities.providers.base import ChatReply, ChatRequest, FinishReason, ToolCall
from activities.providers.statuses import UNREADABLE

__all__ = ["AnswerTool", "Draft", "answer_tool"]

_WRAPPED = "answer"
_CAN_BE_MADE = re.compile(r"claude-(?:3|[a-z]+-4)|amazon\.nova-")
"""Models that can be made to call a tool. Of the others some refuse to be: those of Claude that always think first."""
_ARGUMENTS = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, slots=True)
class AnswerTool:
    """The tool that a model has to call with its answer.

    ``wrapped``: the answer is one argument of it. ``forced``: the model can be made to call it; else it is told to.
    """

    name: str
    parameters: Mapping[str, Any]
    wrapped: bool
    forced: bool
    description: str = "Gives the answer. Call it once, with the whole answer."

    @property
    def words(self) -> str:
        """What the model is told, as not every model can be made to."""
        return f"Give your answer by calling the tool {self.name}, once, with the whole answer, and in no other way."


def answer_tool(request: ChatRequest) -> AnswerTool | None:
    """The tool for the schema of ``request``; none where it has no schema."""
    schema = request.schema
    if schema is None:
        return None
    name = _WRAPPED
    while name in {tool.name for tool in request.tools}:
        name += "_"
    forced = bool(_CAN_BE_MADE.search(request.model))
    if schema.get("type") == "object":
        return AnswerTool(name, schema, wrapped=False, forced=forced)
    # Arguments are always an object. What the schema refers to keeps its place in the document.
    kept = {word: schema[word] for word in ("$defs", "definitions") if word in schema}
    inner = {word: value for word, value in schema.items() if word not in kept and word != "$schema"}
    outer = {"type": "object", "properties": {_WRAPPED: inner}, "required": [_WRAPPED], "additionalProperties": False}
    return AnswerTool(name, {**outer, **kept}, wrapped=True, forced=forced)


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    pieces: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Draft:
    """An answer on its way in. Whoever feeds it passes on what it gives back, which is never empty text."""

    answer: AnswerTool | None = None
    shown: list[str] = field(default_factory=list[str])
    _held: list[str] = field(default_factory=list[str])
    _calls: dict[int, _Call] = field(default_factory=dict[int, _Call])

    def say(self, piece: str) -> str | None:
        """Takes a piece of text; what of it may be shown."""
        if self.answer is None:
            return self._show(piece)
        self._held.append(piece)
        return None

    def call(self, place: int, call_id: str, name: str) -> None:
        """Takes the beginning of a tool call, the ``place``-th block of the answer."""
        self._calls[place] = _Call(call_id, name)

    def argue(self, place: int, piece: str) -> str | None:
        """Takes a piece of the arguments of a call, as JSON text; what of it may be shown.

        Raises:
            KeyError: No call has begun there.
        """
        call = self._calls[place]
        call.pieces.append(piece)
        if self.answer is None or self.answer.wrapped or call is not self._answered():
            return None
        return self._show(piece)

    def rest(self) -> str | None:
        """What was held back until the answer was whole, to be shown now."""
        text = self._text()
        seen = "".join(self.shown)
        return self._show(text[len(seen) :]) if text.startswith(seen) else None

    def reply(
        self, *, model: str, finish_reason: FinishReason, input_tokens: int = 0, output_tokens: int = 0
    ) -> ChatReply:
        """The whole answer, after ``rest``.

        Raises:
            ValueError: The arguments of a call are no JSON object, though the answer was not cut off.
        """
        answered = self._answered()
        calls = [
            _finished(call) for call in self._calls.values() if call is not answered and _whole(call, finish_reason)
        ]
        if finish_reason == "tool_calls" and answered is not None and not calls:
            finish_reason = "stop"
        return ChatReply(
            text="".join(self.shown),
            model=model,
            finish_reason=finish_reason,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            tool_calls=tuple(calls),
        )

    def _show(self, piece: str) -> str | None:
        if not piece:
            return None
        self.shown.append(piece)
        return piece

    def _answered(self) -> _Call | None:
        if self.answer is None:
            return None
        return next((call for call in self._calls.values() if call.name == self.answer.name), None)

    def _text(self) -> str:
        answered = self._answered()
        if answered is None:
            return "".join(self._held) if self.answer else "".join(self.shown)
        text = "".join(answered.pieces)
        if self.answer is None or not self.answer.wrapped:
            return text
        try:
            return json.dumps(json.loads(text)[_WRAPPED], ensure_ascii=False)
        except (*UNREADABLE, KeyError, TypeError):
            # Whoever asked checks it against the schema, and can show what came instead.
            return text


def _whole(call: _Call, finish_reason: FinishReason) -> bool:
    """Whether a call is to be made: the last one of an answer that was cut off may lack its end."""
    if finish_reason != "length":
        return True
    try:
        _finished(call)
    except ValueError:
        return False
    return True


def _finished(call: _Call) -> ToolCall:
    text = "".join(call.pieces)
    arguments = _ARGUMENTS.validate_json(text) if text.strip() else {}
    return ToolCall(id=call.id, name=call.name, arguments=arguments)
