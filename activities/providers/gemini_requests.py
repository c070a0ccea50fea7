"""Puts a request into the form of Google's Gemini API."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import Any, cast

from google.genai import types

from activities.providers.base import ChatRequest, Turn
from activities.providers.conversation import exchanges, system_text
from activities.providers.statuses import UNREADABLE

__all__ = ["contents_of", "settings_of", "signed_id"]

_SIGNED = "~"
_NOT_SIGNED = b"skip_thought_signature_validator"
"""What Google takes for the signature of a call that another model made: https://ai.google.dev/gemini-api/docs/thought-signatures."""
_SIGNS = re.compile(r"gemini-(?:[3-9]|\d\d)")
"""Models that refuse a conversation with a call of theirs without its signature."""


def signed_id(call_id: str, model: str, signature: bytes | None) -> str:
    """An id for a call that carries the signature of the thoughts behind it, which has to come back with the call."""
    if signature is None:
        return call_id
    return _SIGNED.join((call_id, model, urlsafe_b64encode(signature).decode()))


def settings_of(request: ChatRequest) -> types.GenerateContentConfig:
    """Everything of ``request`` but the conversation; nothing is done that the request does not say."""
    tools = [
        types.FunctionDeclaration(
            name=tool.name, description=tool.description, parameters_json_schema=dict(tool.parameters)
        )
        for tool in request.tools
    ]
    return types.GenerateContentConfig(
        system_instruction=system_text(request.turns) or None,
        temperature=request.temperature,
        max_output_tokens=request.max_tokens,
        response_mime_type=None if request.schema is None else "application/json",
        response_json_schema=None if request.schema is None else dict(request.schema),
        tools=[types.Tool(function_declarations=tools)] if tools else None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        # It would ask, and be charged, again and again, past the most tokens to write.
        automatic_continuation=False,
    )


def contents_of(request: ChatRequest) -> list[Any]:
    """The conversation."""
    names = {call.id: call.name for turn in request.turns for call in turn.tool_calls}
    return [
        types.Content(
            role="model" if side == "assistant" else "user",
            parts=[part for turn in turns for part in _parts(turn, names, request.model)],
        )
        for side, turns in exchanges(request.turns)
    ]


def _parts(turn: Turn, names: Mapping[str, str], model: str) -> Iterator[types.Part]:
    if turn.role == "tool":
        call_id = turn.tool_call_id or ""
        answer = types.FunctionResponse(
            id=call_id.partition(_SIGNED)[0], name=names.get(call_id, ""), response=_object(turn.content)
        )
        yield types.Part(function_response=answer)
        return
    if turn.content:
        yield types.Part(text=turn.content)
    for place, call in enumerate(turn.tool_calls):
        plain, _, signature = call.id.partition(_SIGNED)
        yield types.Part(
            function_call=types.FunctionCall(id=plain, name=call.name, args=dict(call.arguments)),
            thought_signature=_signature(signature, model, first=place == 0),
        )


def _signature(signed: str, model: str, *, first: bool) -> bytes | None:
    """The signature in an id; one that stands for none where the model wants one, which it does for the first call."""
    by, _, signature = signed.partition(_SIGNED)
    if signature and by == model:
        return urlsafe_b64decode(signature)
    return _NOT_SIGNED if first and _SIGNS.search(model) else None


def _object(text: str) -> dict[str, Any]:
    """What a tool answered, which has to be an object: as it is where it is one."""
    try:
        found: Any = json.loads(text)
    except UNREADABLE:
        found = text
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {"output": found}
