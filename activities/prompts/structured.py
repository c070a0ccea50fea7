"""Reads a model's answer as JSON that fits a schema; one that does not is sent back once, with what is wrong."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json

from activities.providers.base import ChatReply, Turn
from activities.strict_json import read_json
from orchestrator.errors import OutputError, shortened
from orchestrator.graph.schema import problems

__all__ = ["Answer", "Structured", "ask_structured", "read_answer", "repair_turns"]

Ask = Callable[[tuple[Turn, ...]], Awaitable[ChatReply]]
"""Asks the model, and pays for it."""

_FENCED: Final = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
_MOST_SHOWN: Final = 10
_LONGEST_PROBLEM: Final = 300
_MOST_SENT_BACK: Final = 100_000
_MOST_KEPT: Final = 24_000
"""Bytes of an answer, as JSON, in the details of an error, which hold two of them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model's text holds. ``problems``: what is wrong with it, each with its place; empty when all is well."""

    value: Any
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Structured:
    """A value that fits its schema, and every reply that it took: the last one gave it."""

    value: Any
    replies: tuple[ChatReply, ...]

    @property
    def repaired(self) -> bool:
        """Whether the first answer had to be sent back."""
        return len(self.replies) > 1


def read_answer(text: str, schema: Mapping[str, Any]) -> Answer:
    """What ``text`` holds, read as JSON: all of it, or the one code fence that stands in it.

    Args:
        text: What the model wrote.
        schema: A JSON Schema that ``check_schema`` accepts.
    """
    plain = text.removeprefix("\ufeff").strip()
    fences = _FENCED.findall(plain)
    try:
        value = read_json(plain)
    except (ValueError, RecursionError) as error:
        if len(fences) != 1:
            return Answer(None, (_not_json(plain, error, len(fences)),))
        try:
            value = read_json(fences[0][1])
        except (ValueError, RecursionError) as inner:
            return Answer(None, (_not_json(fences[0][1].strip(), inner, 1),))
    try:
        to_json(value)
    except ValueError:
        return Answer(None, (_not_written(value),))
    return Answer(value, tuple(shortened(problem, _LONGEST_PROBLEM) for problem in problems(dict(schema), value)))


def _not_written(value: Any) -> str:
    """Why a value that could be read cannot be written: Python reads deeper than what writes our messages."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "the answer holds half a character (a lone surrogate), which no JSON may"
    except RecursionError:
        pass
    return "the answer is not JSON: it is nested too deeply"


def _not_json(text: str, error: ValueError | RecursionError, fences: int) -> str:
    if not text:
        return "the answer is empty"
    if fences > 1:
        return f"the answer is not JSON: it has {fences} code fences"
    if isinstance(error, json.JSONDecodeError):
        return f"the answer is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else shortened(str(error), _LONGEST_PROBLEM)
    return f"the answer is not JSON: {reason}"


def repair_turns(turns: Sequence[Turn], text: str, found: Sequence[str]) -> tuple[Turn, ...]:
    """The conversation that sends an answer back: what the model wrote, and what is wrong with it."""
    listed = "\n".join(f"- {problem}" for problem in found[:_MOST_SHOWN])
    more = f"\n- and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    order = (
        f"Your answer does not fit the JSON Schema:\n{listed}{more}\n"
        "Answer again with the corrected JSON alone: no other text, no code fence."
    )
    # Providers refuse an empty message, and one without end would pass the window.
    said = shortened(text, _MOST_SENT_BACK) if text.strip() else "(nothing)"
    return (*turns, Turn("assistant", said), Turn("user", order))


async def ask_structured(ask: Ask, turns: tuple[Turn, ...], schema: Mapping[str, Any]) -> Structured:
    """The model's answer as a value that fits ``schema``; an answer that does not is sent back once.

    An answer that was cut off is not sent back: the next one would be cut off as well.

    Args:
        ask: Asks the model. It pays, and has checked what it gives: the answer may become part of an error.
        turns: The conversation.
        schema: A JSON Schema that ``check_schema`` accepts.

    Raises:
        OutputError: The answer does not fit, nor does the second one. The details hold what is wrong, and both texts.
    """
    first = await ask(turns)
    answer = read_answer(first.text, schema)
    if not answer.problems:
        return Structured(answer.value, (first,))
    if first.finish_reason in ("length", "content_filter"):
        raise _refusal(answer.problems, (first,))
    second = await ask(repair_turns(turns, first.text, answer.problems))
    again = read_answer(second.text, schema)
    if again.problems:
        raise _refusal(again.problems, (first, second))
    return Structured(again.value, (first, second))


def _refusal(found: Sequence[str], replies: Sequence[ChatReply]) -> OutputError:
    last = replies[-1]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    hint = {
        "length": "it was cut off: give it a larger max_tokens",
        "content_filter": "its provider cut it off",
    }.get(last.finish_reason, "its text is in the details")
    times = "" if len(replies) == 1 else ", nor did the one before"
    return OutputError(
        f"the answer of {last.model} does not fit the schema{times}: {found[0]}{more}; {hint}",
        details={
            "problems": list(found[:_MOST_SHOWN]),
            "text": _kept(last.text),
            **({"first_text": _kept(replies[0].text)} if len(replies) > 1 else {}),
            "finish_reason": last.finish_reason,
        },
    )


def _kept(text: str) -> str:
    """``text``, its middle left out where it would make the details of an error too large to be told."""
    most = _MOST_KEPT
    while len(json.dumps(text)) > _MOST_KEPT:
        text = shortened(text, most)
        most = most * 3 // 4
    return text
