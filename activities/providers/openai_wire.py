"""What goes over the wire of OpenAI's chat completions, and what is read of it; endpoints that imitate it differ."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from pydantic import BaseModel, Field, TypeAdapter

from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, FinishReason, ToolCall, Turn
from orchestrator.models import StructuredOutput

__all__ = ["Writing", "chat_body", "embed_body", "read_embeddings", "read_reply"]

_FINISHED: Mapping[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_ARGUMENTS = TypeAdapter(dict[str, Any])
_Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]


class _Usage(BaseModel):
    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None


class _Function(BaseModel):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _Call(BaseModel):
    index: int | None = None
    id: str | None = None
    function: _Function = Field(default_factory=_Function)


class _Said(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Completion(BaseModel):
    """OpenAI's client does not check what its own types say."""

    model: str | None = None
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class _ChunkChoice(BaseModel):
    delta: _Said | None = None
    finish_reason: str | None = None


class _Chunk(BaseModel):
    model: str | None = None
    choices: list[_ChunkChoice] | None = None
    usage: _Usage | None = None


class _Vector(BaseModel):
    index: int | None = None
    embedding: Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(min_length=1)]


class _Vectors(BaseModel):
    model: str | None = None
    data: list[_Vector]
    usage: _Usage | None = None


def chat_body(request: ChatRequest, *, structured: StructuredOutput) -> dict[str, Any]:
    """The body that asks for a reply.

    Args:
        request: What is asked.
        structured: How the endpoint is held to a schema: by the schema itself, or only to JSON. It takes schemas of
            objects alone, so that any other schema is told in words.
    """
    body: dict[str, Any] = {"model": request.model, "messages": [_message(turn) for turn in request.turns]}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.max_tokens is not None:
        body[request.limit_field] = request.max_tokens
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in request.tools
        ]
    if request.schema is not None:
        _hold_to(request.schema, body, structured)
    return body


def _hold_to(schema: Mapping[str, Any], body: dict[str, Any], structured: str) -> None:
    is_object = schema.get("type") == "object"
    if is_object and structured == "json_schema":
        form = {"name": "answer", "schema": dict(schema), "strict": _is_strict(schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
        return
    if is_object:
        body["response_format"] = {"type": "json_object"}
    words = f"Answer with JSON only, which fits this JSON Schema: {json.dumps(dict(schema), ensure_ascii=False)}"
    body["messages"].insert(0, {"role": "system", "content": words})


def _is_strict(schema: Any) -> bool:
    """Whether OpenAI takes it as strict: every object in it closed, and all that it has required."""
    if isinstance(schema, list):
        return all(_is_strict(part) for part in cast("list[Any]", schema))
    if not isinstance(schema, Mapping):
        return True
    parts = cast("Mapping[str, Any]", schema)
    properties: Any = parts.get("properties")
    if isinstance(properties, Mapping) or parts.get("type") == "object":
        names = cast("Mapping[str, Any]", properties or {})
        if parts.get("additionalProperties") is not False or set(parts.get("required") or ()) != set(names):
            return False
    return all(_is_strict(part) for part in parts.values())


def _message(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.tool_call_id is not None:
        message["tool_call_id"] = turn.tool_call_id
    if turn.tool_calls:
        message["content"] = turn.content or None
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)},
            }
            for call in turn.tool_calls
        ]
    return message


def read_reply(answer: object, request: ChatRequest) -> ChatReply:
    """The reply in an answer that was given at once.

    Raises:
        ValueError: It is none.
    """
    completion = _Completion.model_validate(answer)
    choice = completion.choices[0]
    usage = completion.usage or _Usage()
    calls = tuple(_tool_call(call, number) for number, call in enumerate(choice.message.tool_calls or ()))
    return ChatReply(
        text=choice.message.content or choice.message.refusal or "",
        model=completion.model or request.model,
        finish_reason=_finished(choice.finish_reason, calls),
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        tool_calls=calls,
    )


@dataclass
class Writing:
    """A reply that comes in pieces: whether it has ``begun``, and why it has ``finished``, if so."""

    request: ChatRequest
    begun: bool = False
    finished: str | None = None
    _texts: list[str] = field(default_factory=list[str])
    _calls: list[_Call] = field(default_factory=list[_Call])
    _model: str | None = None
    _usage: _Usage = field(default_factory=_Usage)

    def read(self, event: object) -> str:
        """The text in the next piece, often none.

        Raises:
            ValueError: It is no piece of a reply.
        """
        chunk = _Chunk.model_validate(event)
        self.begun = True
        self._model = chunk.model or self._model
        self._usage = chunk.usage or self._usage
        choice = next(iter(chunk.choices or ()), None)
        if choice is None:
            return ""
        self.finished = choice.finish_reason or self.finished
        said = choice.delta or _Said()
        for call in said.tool_calls or ():
            self._add(call)
        text = (said.content or "") + (said.refusal or "")
        if text:
            self._texts.append(text)
        return text

    def reply(self) -> ChatReply:
        """The whole of it.

        Raises:
            ValueError: What it wants called makes no sense.
        """
        calls = tuple(_tool_call(call, number) for number, call in enumerate(self._calls))
        return ChatReply(
            text="".join(self._texts),
            model=self._model or self.request.model,
            finish_reason=_finished(self.finished, calls),
            input_tokens=self._usage.prompt_tokens or 0,
            output_tokens=self._usage.completion_tokens or 0,
            tool_calls=calls,
        )

    def _add(self, piece: _Call) -> None:
        """Some endpoints count the calls, others only give each an id of its own."""
        known = self._known(piece)
        if known is None:
            self._calls.append(piece)
            return
        written, more = known.function, piece.function
        written.name = written.name or more.name
        written.arguments = f"{written.arguments or ''}{more.arguments or ''}"

    def _known(self, piece: _Call) -> _Call | None:
        if piece.index is not None:
            return next((call for call in self._calls if call.index == piece.index), None)
        return next((call for call in reversed(self._calls) if piece.id in {None, call.id}), None)


def _finished(reason: str | None, calls: tuple[ToolCall, ...]) -> FinishReason:
    found = _FINISHED.get(reason or "", "stop")
    return "tool_calls" if calls and found == "stop" else found


def _tool_call(call: _Call, number: int) -> ToolCall:
    if not call.function.name:
        raise ValueError("it wants something called that has no name")
    given = call.function.arguments or "{}"
    arguments = _ARGUMENTS.validate_json(given) if isinstance(given, str) else given
    return ToolCall(id=call.id or f"call_{number}", name=call.function.name, arguments=arguments)


def embed_body(request: EmbedRequest) -> dict[str, Any]:
    """The body that asks for vectors."""
    dimensions = {} if request.dimensions is None else {"dimensions": request.dimensions}
    return {"model": request.model, "input": list(request.texts), "encoding_format": "float", **dimensions}


def read_embeddings(answer: object, request: EmbedRequest) -> EmbedReply:
    """The vectors in an answer.

    Raises:
        ValueError: It is not one vector for each text.
    """
    found = _Vectors.model_validate(answer)
    if len(found.data) != len(request.texts):
        raise ValueError(f"{len(request.texts)} texts gave {len(found.data)} vectors")
    places = [place if vector.index is None else vector.index for place, vector in enumerate(found.data)]
    if sorted(places) != list(range(len(places))) or len({len(vector.embedding) for vector in found.data}) > 1:
        raise ValueError("its vectors are numbered twice, or differ in length")
    usage = found.usage or _Usage()
    return EmbedReply(
        vectors=tuple(vector.embedding for vector in _in_order(found.data)),
        model=found.model or request.model,
        input_tokens=usage.prompt_tokens or 0,
    )


def _in_order(vectors: list[_Vector]) -> Iterator[_Vector]:
    numbered = ((place if vector.index is None else vector.index, vector) for place, vector in enumerate(vectors))
    return (vector for _, vector in sorted(numbered, key=lambda pair: pair[0]))
