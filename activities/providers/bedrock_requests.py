"""Puts a request into the form of AWS Bedrock's Converse."""

from collections.abc import Iterator, Mapping
from typing import Any

from activities.providers.base import ChatRequest, Turn
from activities.providers.conversation import exchanges, plain_id, system_text
from activities.providers.drafts import AnswerTool, answer_tool

__all__ = ["asked_of"]


def asked_of(request: ChatRequest) -> tuple[dict[str, Any], AnswerTool | None]:
    """What Converse is asked, and the tool that an answer by a schema comes by."""
    asked: dict[str, Any] = {
        "modelId": request.model,
        "messages": [
            {"role": side, "content": [block for turn in turns for block in _blocks(turn)]}
            for side, turns in exchanges(request.turns)
        ],
    }
    answer = answer_tool(request)
    if system := system_text(request.turns, answer.words if answer else ""):
        asked["system"] = [{"text": system}]
    limits = {"maxTokens": request.max_tokens, "temperature": request.temperature}
    if set_limits := {name: value for name, value in limits.items() if value is not None}:
        asked["inferenceConfig"] = set_limits
    tools = [_tool(tool.name, tool.description, tool.parameters) for tool in request.tools]
    choice: dict[str, Any] = {}
    if answer is not None:
        if answer.forced:
            choice = {"toolChoice": {"any": {}} if tools else {"tool": {"name": answer.name}}}
        tools.append(_tool(answer.name, answer.description, answer.parameters))
    if tools:
        asked["toolConfig"] = {"tools": tools, **choice}
    return asked, answer


def _tool(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    # An empty description is refused.
    described = {"description": description} if description else {}
    return {"toolSpec": {"name": name, **described, "inputSchema": {"json": dict(parameters)}}}


def _blocks(turn: Turn) -> Iterator[dict[str, Any]]:
    if turn.role == "tool":
        answer = [{"text": turn.content}] if turn.content else []
        yield {"toolResult": {"toolUseId": plain_id(turn.tool_call_id or ""), "content": answer}}
        return
    if turn.content:
        yield {"text": turn.content}
    for call in turn.tool_calls:
        yield {"toolUse": {"toolUseId": plain_id(call.id), "name": call.name, "input": dict(call.arguments)}}
