"""Anthropic: what goes over the wire, what is read of it, and every way it fails."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.providers.anthropic_messages import AnthropicMessages
from activities.providers.anthropic_requests import DEFAULT_MAX_TOKENS
from activities.providers.base import ChatReply, ChatRequest, Tool, ToolCall, Turn
from orchestrator.errors import (
    ContentFilteredError,
    ContextTooLongError,
    ProviderAuthError,
    ProviderError,
    ProviderOverloadedError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from tests.unit.loopback import Answer, Web, web
from tests.unit.pouring import pouring

KEY = "sk-ant-very-secret"
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "served-model",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 2},
}
LOOK_UP = Tool(name="look_up", description="Finds it.", parameters={"type": "object", "properties": {}})
CLOSED = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 3}}, "required": ["age"]}
OPEN = {"type": "object", "additionalProperties": {"type": "string"}}


@pytest.fixture
async def served() -> AsyncIterator[tuple[AnthropicMessages, Web]]:
    with web() as site:
        site.answers = [Answer(body=MESSAGE)]
        provider = AnthropicMessages(api_key=KEY, base_url=site.url, timeout=5)
        yield provider, site
        await provider.close()


def ask(*turns: Turn, **more: Any) -> ChatRequest:
    return ChatRequest(model=more.pop("model", "claude-m"), turns=turns or (Turn("user", "Hi"),), **more)


def sent(site: Web) -> dict[str, Any]:
    return json.loads(site.seen[-1].body)


def failure(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def poured(*events: dict[str, Any]) -> list[bytes]:
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def start(**more: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None, **more}}


def text(piece: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}


def ended(reason: str = "end_turn", tokens: int = 9) -> tuple[dict[str, Any], ...]:
    delta = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": tokens}}
    return delta, {"type": "message_stop"}


def calling(name: str, *pieces: str) -> tuple[dict[str, Any], ...]:
    block: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}
    begun = {"type": "content_block_start", "index": 1, "content_block": block}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return begun, *({"type": "content_block_delta", "index": 1, "delta": delta} for delta in deltas)


async def streamed(*pieces: bytes, request: ChatRequest | None = None, **more: Any) -> list[str | ChatReply]:
    with pouring(*pieces, **more) as site:
        provider = AnthropicMessages(api_key=KEY, base_url=site.url, timeout=1)
        try:
            return [part async for part in provider.stream(request or ask())]
        finally:
            await provider.close()


async def test_the_question_goes_over_the_wire_as_anthropic_wants_it(served: tuple[AnthropicMessages, Web]) -> None:
    provider, site = served
    reply = await provider.complete(
        ask(Turn("system", "Be brief."), Turn("user", "One"), Turn("user", "Two"), temperature=0.5, max_tokens=9)
    )
    assert sent(site) == {
        "model": "claude-m",
        "max_tokens": 9,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]}],
    }
    assert (site.seen[0].path, site.seen[0].headers["authorization"]) == ("/v1/messages", f"Bearer {KEY}")
    assert reply == ChatReply(text="Hello", model="served-model", finish_reason="stop", input_tokens=8, output_tokens=2)


async def test_a_request_without_a_limit_has_the_usual_one(served: tuple[AnthropicMessages, Web]) -> None:
    provider, site = served
    await provider.complete(ask())
    assert sent(site)["max_tokens"] == DEFAULT_MAX_TOKENS


async def test_tools_and_what_they_answered_go_over_the_wire(served: tuple[AnthropicMessages, Web]) -> None:
    provider, site = served
    call = ToolCall(id="other~maker's/id", name="look_up", arguments={"x": 1})
    site.answers = [
        Answer(
            body={
                **MESSAGE,
                "stop_reason": "tool_use",
                "content": [{"type": "tool_use", "id": "toolu_2", "name": "look_up", "input": {"x": 2}}],
            }
        )
    ]
    conversation = (Turn("user", "Hi"), Turn("assistant", "", (call,)), Turn("tool", "42", tool_call_id=call.id))
    reply = await provider.complete(ask(*conversation, Turn("user", "And?"), tools=(LOOK_UP,)))
    _, used, answered = sent(site)["messages"]
    assert sent(site)["tools"] == [
        {"name": "look_up", "description": "Finds it.", "input_schema": {"type": "object", "properties": {}}}
    ]
    call_id = used["content"][0]["id"]
    assert call_id.isalnum()
    assert used["content"] == [{"type": "tool_use", "id": call_id, "name": "look_up", "input": {"x": 1}}]
    assert answered["content"] == [
        {"type": "tool_result", "tool_use_id": call_id, "content": "42"},
        {"type": "text", "text": "And?"},
    ]
    assert reply.tool_calls == (ToolCall(id="toolu_2", name="look_up", arguments={"x": 2}),)
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")


async def test_a_schema_is_asked_for_as_structured_output(served: tuple[AnthropicMessages, Web]) -> None:
    provider, site = served
    await provider.complete(ask(schema=CLOSED))
    schema = sent(site)["output_config"]["format"]["schema"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["age"] == {"type": "integer", "description": "{minimum: 3}"}
    assert "tools" not in sent(site)


@pytest.mark.parametrize(
    ("model", "tools", "choice"),
    [
        ("claude-sonnet-4-6", (), {"type": "tool", "name": "answer"}),
        ("claude-sonnet-4-6", (LOOK_UP,), {"type": "any"}),
        ("claude-opus-5-5", (), None),
    ],
)
async def test_a_schema_that_structured_output_cannot_say_comes_by_a_tool(
    served: tuple[AnthropicMessages, Web], model: str, tools: tuple[Tool, ...], choice: dict[str, str] | None
) -> None:
    provider, site = served
    block = {"type": "tool_use", "id": "toolu_1", "name": "answer", "input": {"a": "é"}}
    site.answers = [Answer(body={**MESSAGE, "stop_reason": "tool_use", "content": [block]})]
    reply = await provider.complete(ask(model=model, schema=OPEN, tools=tools))
    assert sent(site).get("tool_choice") == choice
    assert sent(site)["tools"][-1]["input_schema"] == OPEN
    assert "calling the tool answer" in sent(site)["system"]
    assert (reply.text, reply.finish_reason, reply.tool_calls) == ('{"a": "é"}', "stop", ())


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ],
)
async def test_why_it_stopped_is_said_in_our_words(
    served: tuple[AnthropicMessages, Web], reason: str, finish_reason: str
) -> None:
    provider, site = served
    site.answers = [Answer(body={**MESSAGE, "stop_reason": reason})]
    assert (await provider.complete(ask())).finish_reason == finish_reason


async def test_a_refusal_without_a_word_is_filtered_content(served: tuple[AnthropicMessages, Web]) -> None:
    provider, site = served
    site.answers = [Answer(body={**MESSAGE, "stop_reason": "refusal", "content": []})]
    with pytest.raises(ContentFilteredError, match="anthropic"):
        await provider.complete(ask())


@pytest.mark.parametrize(
    ("answer", "error_class", "wait"),
    [
        (Answer(status=429, headers={"retry-after": "3"}), ProviderRateLimitedError, 3),
        (Answer(status=529, body=failure("overloaded_error", "Overloaded")), ProviderOverloadedError, None),
        (Answer(status=401, body=failure("authentication_error", f"bad key {KEY}")), ProviderAuthError, None),
        (Answer(status=400, body=failure("invalid_request_error", f"bad; {KEY}")), ProviderRejectedError, None),
        (
            Answer(status=400, body=failure("invalid_request_error", "prompt is too long: 210000 tokens > 200000")),
            ContextTooLongError,
            None,
        ),
        (Answer(body={**MESSAGE, "content": "text"}), ProviderUnavailableError, None),
        (Answer(body={**MESSAGE, "usage": {"input_tokens": -1}}), ProviderUnavailableError, None),
    ],
)
async def test_what_anthropic_says_of_a_failure_is_told_in_our_words(
    served: tuple[AnthropicMessages, Web], answer: Answer, error_class: type[ProviderError], wait: float | None
) -> None:
    provider, site = served
    site.answers = [answer]
    with pytest.raises(ProviderError) as caught:
        await provider.complete(ask())
    assert type(caught.value) is error_class
    assert caught.value.retry_after_s == wait
    assert KEY not in f"{caught.value} {caught.value.details}"


async def test_a_stream_says_at_its_end_what_it_took() -> None:
    reply = ChatReply(text="Hello", model="served-model", finish_reason="stop", input_tokens=8, output_tokens=9)
    assert await streamed(*poured(start(), text("Hel"), text("lo"), *ended())) == ["Hel", "lo", reply]


async def test_a_tool_call_in_pieces_is_put_together() -> None:
    events = poured(start(), *calling("look_up", '{"x"', ": 1}"), *ended("tool_use"))
    (reply,) = await streamed(*events, request=ask(tools=(LOOK_UP,)))
    assert isinstance(reply, ChatReply)
    assert reply.tool_calls == (ToolCall(id="toolu_1", name="look_up", arguments={"x": 1}),)
    assert reply.finish_reason == "tool_calls"


async def test_an_answer_by_a_tool_is_streamed_as_text() -> None:
    events = poured(start(), text("Let me see. "), *calling("answer", '{"a": ', '"b"}'), *ended("tool_use"))
    *pieces, reply = await streamed(*events, request=ask(schema=OPEN))
    assert pieces == ['{"a": ', '"b"}']
    assert isinstance(reply, ChatReply)
    assert (reply.text, reply.finish_reason, reply.tool_calls) == ('{"a": "b"}', "stop", ())


@pytest.mark.parametrize(
    ("more", "error_class"),
    [
        ((failure("overloaded_error", "Overloaded"),), ProviderOverloadedError),
        ((failure("api_error", "Oh"),), ProviderUnavailableError),
        (calling("look_up", '{"x"') + ended("tool_use"), ProviderUnavailableError),
        ((text("x") | {"index": "first"},), ProviderUnavailableError),
    ],
)
async def test_a_stream_that_goes_wrong_may_have_been_charged(
    more: tuple[dict[str, Any], ...], error_class: type[ProviderError]
) -> None:
    with pytest.raises(error_class) as caught:
        await streamed(*poured(start(), text("Hel"), *more))
    assert type(caught.value) is error_class
    assert caught.value.may_have_charged
