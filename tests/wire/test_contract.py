"""What every provider promises: each adapter on the wire server, the simulated one, and on demand the real services."""

import json
from typing import Any

import httpx
import pytest

from activities.providers.base import ChatReply, ChatRequest, EmbedRequest, Tool, Turn
from orchestrator.errors import ProviderRejectedError
from tests.wire.adapters import Adapter, Asked, OpenProvider

WEATHER = Tool(
    name="get_weather",
    description="Tells the weather in a city",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {"customer": {"type": "string"}, "pieces": {"type": "integer"}},
    "required": ["customer", "pieces"],
    "additionalProperties": False,
}


def chat(asked: Asked, *turns: Turn, **more: Any) -> ChatRequest:
    return ChatRequest(model=asked.model, turns=turns, limit_field=asked.limit_field, **more)


async def streamed(provider: OpenProvider, request: ChatRequest) -> tuple[list[str], ChatReply]:
    """The pieces and the reply at the end, after which there is nothing more."""
    *pieces, reply = [piece async for piece in provider.stream(request)]
    assert isinstance(reply, ChatReply)
    texts = [piece for piece in pieces if isinstance(piece, str)]
    assert texts == pieces
    return texts, reply


async def seen(wire: str) -> dict[str, Any]:
    """The last request that the wire server took, in the form it has for all providers."""
    async with httpx.AsyncClient() as http:
        journal = (await http.get(f"{wire}/__aimock/journal")).json()
    return journal[-1]["body"]


async def test_an_answer_has_text_usage_and_a_reason_to_end(asked: Asked) -> None:
    reply = await asked.provider.complete(chat(asked, Turn("user", "Say hello"), max_tokens=50))

    assert reply.text
    assert reply.model
    assert reply.finish_reason == "stop"
    assert reply.input_tokens > 0
    assert reply.output_tokens > 0
    assert reply.simulated == (asked.provider.name == "simulated")
    if asked.scripted:
        assert (reply.text, reply.input_tokens, reply.output_tokens) == ("Hello there, my dear friend", 11, 7)


async def test_a_stream_says_what_a_whole_answer_says_and_ends_with_it(asked: Asked) -> None:
    request = chat(asked, Turn("user", "Say hello"), max_tokens=50, temperature=0)

    texts, reply = await streamed(asked.provider, request)

    assert len(texts) > 1
    assert all(texts)
    assert "".join(texts) == reply.text
    assert reply.finish_reason == "stop"
    assert reply.input_tokens > 0
    assert reply.output_tokens > 0
    if asked.scripted or reply.simulated:
        assert reply == await asked.provider.complete(request)


async def test_a_system_message_is_heeded(asked: Asked) -> None:
    turns = (Turn("system", "You are Captain Bligh."), Turn("user", "Who are you?"))

    reply = await asked.provider.complete(chat(asked, *turns, max_tokens=50))

    if not reply.simulated:
        assert "Bligh" in reply.text


async def test_an_answer_goes_by_all_that_was_said_before(asked: Asked) -> None:
    turns = (
        Turn("system", "Answer with one word."),
        Turn("user", "My name is Ada."),
        Turn("assistant", "Nice to meet you."),
        Turn("user", "And what is my name?"),
    )

    reply = await asked.provider.complete(chat(asked, *turns, max_tokens=50))

    assert "Ada" in reply.text


async def test_every_message_reaches_the_wire_in_its_order(on_wire: OpenProvider, adapter: Adapter, wire: str) -> None:
    said = [
        ("system", "Answer with one word."),
        ("user", "My name is Ada."),
        ("assistant", "Nice to meet you."),
        ("user", "And what is my name?"),
    ]
    turns = tuple(Turn(role, content) for role, content in said)  # pyright: ignore[reportArgumentType] - from the list
    request = ChatRequest(model="a-model", turns=turns, temperature=0.5, max_tokens=50)

    await on_wire.complete(request)

    body = await seen(wire)
    assert [(message["role"], message["content"]) for message in body["messages"]] == said
    assert (body.get("temperature"), body["max_tokens"]) == (0.5 if adapter.temperature else None, 50)


async def test_an_answer_that_may_be_no_longer_says_so(asked: Asked) -> None:
    request = chat(asked, Turn("user", "Count to a hundred, in words, and say nothing else."), max_tokens=16)

    reply = await asked.provider.complete(request)
    texts, at_the_end = await streamed(asked.provider, request)

    if reply.simulated:
        assert reply.text
    else:
        assert reply.finish_reason == at_the_end.finish_reason == "length"
        assert "".join(texts) == at_the_end.text


async def test_an_answer_keeps_to_a_schema(asked: Asked) -> None:
    turns = (Turn("user", "The customer: Ada. She ordered 3 pieces. Which order is it?"),)
    request = chat(asked, *turns, schema=ORDER, max_tokens=200)

    reply = await asked.provider.complete(request)
    texts, at_the_end = await streamed(asked.provider, request)

    assert json.loads(reply.text) == {"customer": "Ada", "pieces": 3}
    assert json.loads("".join(texts)) == json.loads(at_the_end.text) == json.loads(reply.text)
    assert (reply.finish_reason, reply.tool_calls) == ("stop", ())


async def test_a_tool_is_asked_for_and_its_result_is_heeded(asked: Asked) -> None:
    question = Turn("user", "What is the weather in the city Lisbon?")
    wanted = await asked.provider.complete(chat(asked, question, tools=(WEATHER,), max_tokens=200))
    (call,) = wanted.tool_calls

    assert (call.name, call.arguments, wanted.finish_reason) == ("get_weather", {"city": "Lisbon"}, "tool_calls")

    turns = (
        question,
        Turn("assistant", wanted.text, wanted.tool_calls),
        Turn("tool", "25 degrees", tool_call_id=call.id),
    )
    reply = await asked.provider.complete(chat(asked, *turns, tools=(WEATHER,), max_tokens=200))

    assert "25" in reply.text
    assert (reply.finish_reason, reply.tool_calls) == ("stop", ())


async def test_a_tool_is_asked_for_in_a_stream_as_well(asked: Asked) -> None:
    question = Turn("user", "What is the weather in the city Lisbon?")

    texts, reply = await streamed(asked.provider, chat(asked, question, tools=(WEATHER,), max_tokens=200))

    assert [(call.name, call.arguments) for call in reply.tool_calls] == [("get_weather", {"city": "Lisbon"})]
    assert reply.finish_reason == "tool_calls"
    assert "".join(texts) == reply.text
    assert reply.tool_calls[0].id


async def test_texts_become_vectors_in_their_order(asked: Asked) -> None:
    texts = ("the cat sat on the mat", "quarterly revenue", "the cat sat on a mat")
    request = EmbedRequest(model=asked.embed_model or asked.model, texts=texts)
    if asked.embed_model is None:
        with pytest.raises(ProviderRejectedError, match="no embeddings"):
            await asked.provider.embed(request)
        return

    reply = await asked.provider.embed(request)
    again = await asked.provider.embed(EmbedRequest(model=request.model, texts=texts[1:2]))

    assert len(reply.vectors) == 3
    assert len({len(vector) for vector in reply.vectors}) == 1
    assert reply.vectors[1] == pytest.approx(again.vectors[0], abs=1e-3)
    if not asked.scripted:
        assert near(reply.vectors[0], reply.vectors[2]) > near(reply.vectors[0], reply.vectors[1])


def near(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
