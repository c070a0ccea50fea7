"""What goes to endpoints of OpenAI's kind, and how their differences are read."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from activities.providers.base import ChatReply, ChatRequest, EmbedRequest, Tool, ToolCall, Turn
from activities.providers.openai_compatible import OpenAICompatible
from orchestrator.errors import (
    ContextTooLongError,
    ProviderAuthError,
    ProviderError,
    ProviderOverloadedError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from orchestrator.models import StructuredOutput
from tests.unit.loopback import Answer, Web, web
from tests.unit.test_providers import COMPLETION

KEY = "sk-very-secret"
CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**CITY, "additionalProperties": False}
CALL = {"id": "c7", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}


@pytest.fixture
def site() -> Generator[Web]:
    with web() as found:
        found.answers = [Answer(body=COMPLETION)]
        yield found


def provider(site: Web, structured: StructuredOutput = "json_schema") -> OpenAICompatible:
    return OpenAICompatible(api_key=KEY, base_url=f"{site.url}/v1", timeout=5, structured=structured)


def ask(*turns: Turn, **more: Any) -> ChatRequest:
    return ChatRequest(model="m", turns=turns or (Turn("user", "Hi"),), **more)


async def completed(site: Web, request: ChatRequest, structured: StructuredOutput = "json_schema") -> ChatReply:
    openai = provider(site, structured)
    try:
        return await openai.complete(request)
    finally:
        await openai.close()


async def streamed(site: Web, *events: object, request: ChatRequest | None = None) -> list[str | ChatReply]:
    """What comes of a stream of these events."""
    said = "".join(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events)
    site.answers = [Answer(body=said, headers={"content-type": "text/event-stream"})]
    openai = provider(site)
    try:
        return [piece async for piece in openai.stream(request or ask())]
    finally:
        await openai.close()


def sent(site: Web) -> dict[str, Any]:
    return json.loads(site.seen[-1].body)


def answering(message: dict[str, Any], reason: str = "stop") -> dict[str, Any]:
    return {**COMPLETION, "choices": [{"index": 0, "finish_reason": reason, "message": message}]}


def piece(delta: dict[str, Any] | None, reason: str | None = None) -> dict[str, Any]:
    return {"model": "served", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (CITY, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "properties": {"city": {"type": "array", "items": CITY}}}, False),
        ({**CLOSED, "properties": {"city": {"anyOf": [CLOSED, {"type": "null"}]}}}, True),
        ({**CLOSED, "$defs": {"a": CITY}}, False),
    ],
)
async def test_a_schema_is_strict_where_the_endpoint_can_hold_to_it(
    site: Web, schema: dict[str, Any], *, strict: bool
) -> None:
    await completed(site, ask(schema=schema))

    form = {"name": "answer", "schema": schema, "strict": strict}
    assert sent(site)["response_format"] == {"type": "json_schema", "json_schema": form}
    assert len(sent(site)["messages"]) == 1


async def test_an_endpoint_that_knows_only_json_is_told_the_schema_in_words(site: Web) -> None:
    await completed(site, ask(schema=CITY), "json_object")

    assert sent(site)["response_format"] == {"type": "json_object"}
    first = sent(site)["messages"][0]
    assert first["role"] == "system"
    assert first["content"].endswith(f"fits this JSON Schema: {json.dumps(CITY)}")


async def test_a_schema_that_is_no_object_is_told_in_words_alone(site: Web) -> None:
    await completed(site, ask(schema={"type": "array", "items": {"type": "string"}}))

    assert "response_format" not in sent(site)
    assert '"type": "array"' in sent(site)["messages"][0]["content"]


async def test_tools_and_what_came_of_them_go_over_the_wire(site: Web) -> None:
    call = ToolCall(id="c1", name="weather", arguments={"city": "Köln"})
    turns = (Turn("user", "Hi"), Turn("assistant", "", (call,)), Turn("tool", "sunny", tool_call_id="c1"))

    await completed(site, ask(*turns, tools=(Tool(name="weather", description="Tells it", parameters=CITY),)))

    assert sent(site)["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Köln"}'}}
            ],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "c1"},
    ]
    function = {"name": "weather", "description": "Tells it", "parameters": CITY}
    assert sent(site)["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (CALL, ToolCall(id="c7", name="weather", arguments={"city": "Rome"})),
        ({**CALL, "id": None}, ToolCall(id="call_0", name="weather", arguments={"city": "Rome"})),
        ({"function": {"name": "now", "arguments": ""}}, ToolCall(id="call_0", name="now", arguments={})),
        ({"function": {"name": "now", "arguments": {"a": 1}}}, ToolCall(id="call_0", name="now", arguments={"a": 1})),
    ],
)
async def test_what_is_to_be_called_is_read_in_every_form(site: Web, call: dict[str, Any], expected: ToolCall) -> None:
    site.answers = [Answer(body=answering({"content": None, "tool_calls": [call]}))]

    reply = await completed(site, ask())

    assert (reply.tool_calls, reply.finish_reason, reply.text) == ((expected,), "tool_calls", "")


@pytest.mark.parametrize(
    "function", [{"name": "x", "arguments": "{oops"}, {"name": "x", "arguments": "[1]"}, {"arguments": "{}"}, {}]
)
async def test_a_call_that_makes_no_sense_is_no_answer(site: Web, function: dict[str, Any]) -> None:
    site.answers = [Answer(body=answering({"tool_calls": [{**CALL, "function": function}]}))]
    with pytest.raises(ProviderUnavailableError, match="cannot be read"):
        await completed(site, ask())
    with pytest.raises(ProviderUnavailableError, match="cannot be read"):
        await streamed(site, piece({"tool_calls": [{"index": 0, "id": "a", "function": function}]}, "tool_calls"))


async def test_a_refusal_of_the_model_is_its_answer(site: Web) -> None:
    site.answers = [Answer(body=answering({"content": None, "refusal": "I will not"}))]

    assert (await completed(site, ask())).text == "I will not"
    assert (await streamed(site, piece({"refusal": "I will not"}, "stop")))[0] == "I will not"


async def test_a_stream_asks_for_its_usage_and_reads_it_at_the_end(site: Web) -> None:
    *texts, reply = await streamed(
        site,
        piece({"role": "assistant", "content": ""}),
        piece({"content": "Hel"}),
        piece({"content": "lo"}),
        piece({}, "length"),
        {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
        "[DONE]",
    )

    assert texts == ["Hel", "lo"]
    assert reply == ChatReply(
        text="Hello", model="served", finish_reason="length", input_tokens=5, output_tokens=2, tool_calls=()
    )
    assert (sent(site)["stream"], sent(site)["stream_options"]) == (True, {"include_usage": True})


async def test_a_stream_without_usage_or_an_end_mark_is_whole_once_it_says_why_it_ended(site: Web) -> None:
    (text, reply) = await streamed(site, piece({"content": "Hi"}), {"choices": None}, piece(None, "stop"))

    assert text == "Hi"
    assert isinstance(reply, ChatReply)
    assert (reply.input_tokens, reply.output_tokens) == (0, 0)


@pytest.mark.parametrize("index", [0, None])
async def test_pieces_of_calls_are_put_together(site: Web, index: int | None) -> None:
    def part(number: int, call_id: str | None, **function: str) -> dict[str, Any]:
        place = None if index is None else number
        return piece({"tool_calls": [{"index": place, "id": call_id, "function": function}]})

    (reply,) = await streamed(
        site,
        part(0, "a", name="weather", arguments=""),
        part(0, None, arguments='{"city":'),
        part(0, None, arguments=' "Rome"}'),
        part(1, "b", name="now", arguments="{}"),
        piece({}, "stop"),
    )

    assert isinstance(reply, ChatReply)
    assert reply.tool_calls == (
        ToolCall(id="a", name="weather", arguments={"city": "Rome"}),
        ToolCall(id="b", name="now", arguments={}),
    )
    assert reply.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        ({"message": "slow down", "code": "rate_limit_exceeded"}, ProviderRateLimitedError),
        ({"message": "too busy", "type": "overloaded_error"}, ProviderOverloadedError),
        ({"message": "upstream", "code": 502}, ProviderUnavailableError),
        ({"message": "it broke"}, ProviderUnavailableError),
        ({"message": f"bad key {KEY}", "type": "authentication_error"}, ProviderAuthError),
        ({"message": "x", "code": "context_length_exceeded", "type": "invalid_request_error"}, ContextTooLongError),
        ({"message": "pay first", "code": "insufficient_quota"}, ProviderRejectedError),
        ("it broke", ProviderUnavailableError),
    ],
)
async def test_an_error_within_a_stream_is_told_as_before_it(
    site: Web, error: object, error_class: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError) as caught:
        await streamed(site, piece({"content": "Hi"}), {"error": error})

    assert type(caught.value) is error_class
    assert caught.value.may_have_charged
    assert KEY not in f"{caught.value} {caught.value.details}"


async def test_a_stream_that_ends_without_saying_why_was_cut(site: Web) -> None:
    with pytest.raises(ProviderUnavailableError, match="broke off") as caught:
        await streamed(site, piece({"content": "Hi"}), "[DONE]")
    assert caught.value.may_have_charged


async def test_vectors_are_put_in_the_order_of_the_texts(site: Web) -> None:
    data = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]
    site.answers = [Answer(body={"data": data, "model": "e", "usage": {"prompt_tokens": 4, "total_tokens": 4}})]
    openai = provider(site)

    reply = await openai.embed(EmbedRequest(model="m", texts=("one", "two"), dimensions=2))
    await openai.close()

    assert (reply.vectors, reply.model, reply.input_tokens) == (((1.0, 0.0), (0.0, 1.0)), "e", 4)
    assert sent(site) == {"model": "m", "input": ["one", "two"], "encoding_format": "float", "dimensions": 2}


NO_VECTORS: list[Any] = [
    None,
    [],
    [{"embedding": [1]}],
    [{"embedding": []}] * 2,
    [{"embedding": ["a"]}] * 2,
    [{"embedding": [None]}] * 2,
]


@pytest.mark.parametrize("data", NO_VECTORS)
async def test_vectors_that_do_not_match_the_texts_are_no_answer(site: Web, data: object) -> None:
    site.answers = [Answer(body={"data": data})]
    openai = provider(site)
    with pytest.raises(ProviderUnavailableError, match="cannot be read"):
        await openai.embed(EmbedRequest(model="m", texts=("one", "two")))
    await openai.close()


async def test_half_a_character_is_refused_before_it_is_sent(site: Web) -> None:
    with pytest.raises(ProviderRejectedError, match="holds half a character") as caught:
        await completed(site, ask(Turn("user", "\ud83d")))

    assert not caught.value.may_have_charged
    assert site.seen == []
