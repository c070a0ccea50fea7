"""Puts a request into the form of Anthropic's Messages API."""

from collections.abc import Iterator, Mapping
from typing import Any

from activities.providers.anthropic_schemas import structured
from activities.providers.base import ChatRequest, Turn
from activities.providers.conversation import Speaker, exchanges, plain_id, system_text
from activities.providers.drafts import AnswerTool, answer_tool

__all__ = ["DEFAULT_MAX_TOKENS", "asked_of"]

DEFAULT_MAX_TOKENS = 4096
"""The most tokens to write where a request does not say. The API has to be told, and some models write no more."""


def asked_of(request: ChatRequest) -> tuple[dict[str, Any], AnswerTool | None]:
    """What is sent, and the tool that the answer comes by, where the schema is not one for structured output."""
    asked: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
        "messages": [_message(side, turns) for side, turns in exchanges(request.turns)],
    }
    tools = [_tool(tool.name, tool.description, tool.parameters) for tool in request.tools]
    schema = None if request.schema is None else structured(request.schema)
    answer = answer_tool(request) if schema is None else None
    if schema is not None:
        asked["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    if answer is not None:
        if answer.forced:
            asked["tool_choice"] = {"type": "any"} if tools else {"type": "tool", "name": answer.name}
        tools.append(_tool(answer.name, answer.description, answer.parameters))
    if system := system_text(request.turns, answer.words if answer else ""):
        asked["system"] = system
    if tools:
        asked["tools"] = tools
    return asked, answer


def _tool(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description, "input_schema": dict(parameters)}


def _message(side: Speaker, turns: list[Turn]) -> dict[str, Any]:
    if len(turns) == 1 and not turns[0].tool_calls and turns[0].role != "tool":
        return {"role": side, "content": turns[0].content}
    return {"role": side, "content": [block for turn in turns for block in _blocks(turn)]}


def _blocks(turn: Turn) -> Iterator[dict[str, Any]]:
    if turn.role == "tool":
        yield {"type": "tool_result", "tool_use_id": plain_id(turn.tool_call_id or ""), "content": turn.content}
        return
    if turn.content:
        yield {"type": "text", "text": turn.content}
    for call in turn.tool_calls:
        yield {"type": "tool_use", "id": plain_id(call.id), "name": call.name, "input": dict(call.arguments)}
