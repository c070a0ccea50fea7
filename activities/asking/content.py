"""Turns what goes to a model, and what comes from it, into what a span may hold: masked, and bounded in size.

The form is that of OpenTelemetry's semantic conventions for generative AI (1.37).
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from activities.masking import Masker
from activities.providers.base import ChatReply, ToolCall, Turn

__all__ = ["input_messages", "output_messages", "system_instructions"]

Json = dict[str, Any]
Item = TypeVar("Item")

_MOST_OF_TEXT: Final = 8_000
"""Characters of one text that are kept."""
_MOST_OF_ALL: Final = 32_000
"""Characters of the conversation that are kept: its end."""
_MOST_CALLS: Final = 20
"""Calls of tools in one message that are kept."""
_FRAME: Final = 100
"""What a message takes beside its text."""


def system_instructions(turns: Sequence[Turn], masker: Masker) -> str | None:
    """The system's messages at the beginning, as JSON; none where there are none.

    Like the others here it blocks, for seconds where texts are long: call it in a thread.

    Args:
        turns: The conversation.
        masker: Takes out secrets and personal data.
    """
    texts = [turn.content for turn in turns[: _system_count(turns)]]
    return _json(_newest(texts, partial(_text, masker))) if texts else None


def input_messages(turns: Sequence[Turn], masker: Masker) -> str:
    """The conversation behind ``system_instructions``, as JSON; of a long one, the end."""
    return _json(_newest(turns[_system_count(turns) :], partial(_message, masker)))


def output_messages(reply: ChatReply, masker: Masker) -> str:
    """What the model answered, as JSON."""
    reason = "tool_call" if reply.finish_reason == "tool_calls" else reply.finish_reason
    message = _message(masker, Turn("assistant", reply.text, tool_calls=reply.tool_calls))
    return _json([{**message, "finish_reason": reason}])


def _system_count(turns: Sequence[Turn]) -> int:
    return next((number for number, turn in enumerate(turns) if turn.role != "system"), len(turns))


def _message(masker: Masker, turn: Turn) -> Json:
    if turn.role == "tool":
        call = _safe(masker, turn.tool_call_id or "")
        parts = [{"type": "tool_call_response", "id": call, "result": _safe(masker, turn.content)}]
    else:
        parts = [_text(masker, turn.content)] if turn.content or not turn.tool_calls else []
        parts += [_tool_call(masker, wanted) for wanted in turn.tool_calls[:_MOST_CALLS]]
    return {"role": turn.role, "parts": parts}


def _text(masker: Masker, text: str) -> Json:
    return {"type": "text", "content": _safe(masker, text)}


def _tool_call(masker: Masker, wanted: ToolCall) -> Json:
    arguments, _ = masker.masked(wanted.arguments)
    written = _json(arguments)
    return {
        "type": "tool_call",
        "id": _safe(masker, wanted.id),
        "name": _safe(masker, wanted.name),
        # As text where it has to be cut: what is left is no JSON.
        "arguments": arguments if len(written) <= _MOST_OF_TEXT else _cut(written, len(written)),
    }


def _newest(items: Sequence[Item], made: Callable[[Item], Json]) -> list[Json]:
    """The last of ``items`` that fit, as they are ``made``; at least one, if there is one."""
    kept: list[Json] = []
    left = _MOST_OF_ALL
    for item in reversed(items):
        part = made(item)
        left -= len(_json(part)) + _FRAME
        if kept and left < 0:
            break
        kept.append(part)
    return kept[::-1]


def _safe(masker: Masker, text: str) -> str:
    """Without secrets and personal data, and no longer than may be kept."""
    # The whole of it is looked through first: half a secret would not be known for one.
    masked, _ = masker.masked(text)
    return _cut(masked, len(text))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= _MOST_OF_TEXT else f"{text[:_MOST_OF_TEXT]}… (of {length} characters)"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
