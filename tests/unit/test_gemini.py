"""Gemini: what goes over the wire, what is read of it, and every way it fails."""

import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, Tool, Turn
from activities.providers.gemini import Gemini
from orchestrator.errors import (
    ContentFilteredError,
    ContextTooLongError,
    ProviderAuthError,
    ProviderError,
    ProviderOverloadedError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from tests.unit.loopback import Answer, Web, web
from tests.unit.pouring import pouring

KEY = "AIza-very-secret"
USAGE = {
    "promptTokenCount": 5,
    "toolUsePromptTokenCount": 1,
    "candidatesTokenCount": 2,
    "thoughtsTokenCount": 3,
}
LOOK_UP = Tool(name="look_up", description="Finds it.", parameters={"type": "object", "properties": {}})
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}}


def answer(*parts: dict[str, Any], reason: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "served-model", **more}


def failure(status: int, name: str, message: str, *details: dict[str, Any], **headers: str) -> Answer:
    body = {"error": {"code": status, "status": name, "message": message, "details": list(details)}}
    return Answer(status=status, body=body, headers={key.replace("_", "-"): value for key, value in headers.items()})


def poured(*events: dict[str, Any]) -> list[bytes]:
    return [f"data: {json.dumps(event)}\r\n\r\n".encode() for event in events]


def writing(piece: str) -> dict[str, Any]:
    return answer({"text": piece}, reason=None)


@pytest.fixture
async def served() -> AsyncIterator[tuple[Gemini, Web]]:
    with web() as site:
        site.answers = [Answer(body=answer({"text": "Hello"}))]
        provider = Gemini(api_key=KEY, base_url=site.url, timeout=5)
        yield provider, site
        await provider.close()


def ask(*turns: Turn, **more: Any) -> ChatRequest:
    return ChatRequest(model=more.pop("model", "gemini-m"), turns=turns or (Turn("user", "Hi"),), **more)


def sent(site: Web) -> dict[str, Any]:
    return json.loads(site.seen[-1].body)


async def streamed(*pieces: bytes, **more: Any) -> list[str | ChatReply]:
    with pouring(*pieces, **more) as site:
        provider = Gemini(api_key=KEY, base_url=site.url, timeout=1)
        try:
            return [part async for part in provider.stream(ask())]
        finally:
            await provider.close()


async def test_the_question_goes_over_the_wire_as_gemini_wants_it(served: tuple[Gemini, Web]) -> None:
    provider, site = served
    turns = (Turn("system", "Be brief."), Turn("user", "One"), Turn("user", "Two"), Turn("assistant", "Three"))
    reply = await provider.complete(ask(*turns, temperature=0.5, max_tokens=9, schema=SCHEMA, tools=(LOOK_UP,)))
    body = sent(site)
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "One"}, {"text": "Two"}]},
        {"role": "model", "parts": [{"text": "Three"}]},
    ]
    assert body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert body["generationConfig"] == {
        "temperature": 0.5,
        "maxOutputTokens": 9,
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }
    assert body["tools"][0]["functionDeclarations"][0]["name"] == "look_up"
    assert site.seen[0].path == "/v1beta/models/gemini-m:generateContent"
    assert site.seen[0].headers["x-goog-api-key"] == KEY
    assert reply == ChatReply(text="Hello", model="served-model", finish_reason="stop", input_tokens=6, output_tokens=5)


async def test_the_keys_of_the_environment_are_not_looked_at(
    served: tuple[Gemini, Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, site = served
    monkeypatch.setenv("GOOGLE_API_KEY", "of-somebody-else")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    provider = Gemini(api_key=None, base_url=site.url)
    await provider.complete(ask())
    await provider.close()
    assert site.seen[-1].headers["x-goog-api-key"] == "not-needed"


@pytest.mark.parametrize(
    ("model", "again", "signature"),
    [
        ("gemini-3.8-flash", "gemini-3.8-flash", b"thoughts\xff"),
        ("gemini-3.8-flash", "gemini-4-argon", b"skip_thought_signature_validator"),
        ("gemini-3.8-flash", "gemini-2.5-flash", None),
    ],
)
async def test_a_call_goes_back_with_the_signature_of_the_model_that_made_it(
    served: tuple[Gemini, Web], model: str, again: str, signature: bytes | None
) -> None:
    provider, site = served
    part = {
        "functionCall": {"id": "c1", "name": "look_up", "args": {"x": 1}},
        "thoughtSignature": b64encode(b"thoughts\xff").decode(),
    }
    site.answers = [Answer(body=answer(part))]
    wanted = await provider.complete(ask(tools=(LOOK_UP,), model=model))
    (call,) = wanted.tool_calls
    assert (call.name, call.arguments, wanted.finish_reason) == ("look_up", {"x": 1}, "tool_calls")

    site.answers = [Answer(body=answer({"text": "Done"}))]
    turns = (Turn("user", "Hi"), Turn("assistant", "", (call,)), Turn("tool", '{"y": 2}', tool_call_id=call.id))
    await provider.complete(ask(*turns, tools=(LOOK_UP,), model=again))
    _, called, answered = sent(site)["contents"]
    (back,) = called["parts"]
    assert back["functionCall"] == {"id": "c1", "name": "look_up", "args": {"x": 1}}
    assert (urlsafe_b64decode(back["thoughtSignature"]) if "thoughtSignature" in back else None) == signature
    assert answered["parts"] == [{"functionResponse": {"id": "c1", "name": "look_up", "response": {"y": 2}}}]


async def test_calls_without_ids_get_some_of_their_own(served: tuple[Gemini, Web]) -> None:
    provider, site = served
    part: dict[str, Any] = {"functionCall": {"name": "look_up", "args": {}}}
    site.answers = [Answer(body=answer(part, part))]
    reply = await provider.complete(ask(tools=(LOOK_UP,)))
    assert len({call.id for call in reply.tool_calls}) == 2


async def test_thoughts_are_no_part_of_the_answer(served: tuple[Gemini, Web]) -> None:
    provider, site = served
    site.answers = [Answer(body=answer({"text": "Hm.", "thought": True}, {"text": "Yes"}))]
    assert (await provider.complete(ask())).text == "Yes"


@pytest.mark.parametrize(
    ("reason", "finish_reason"), [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter")]
)
async def test_why_it_stopped_is_said_in_our_words(served: tuple[Gemini, Web], reason: str, finish_reason: str) -> None:
    provider, site = served
    site.answers = [Answer(body=answer({"text": "Hello"}, reason=reason))]
    assert (await provider.complete(ask())).finish_reason == finish_reason


@pytest.mark.parametrize(
    "body", [{"promptFeedback": {"blockReason": "SAFETY"}}, answer(reason="SAFETY"), answer(reason="RECITATION")]
)
async def test_filtered_content_says_so(served: tuple[Gemini, Web], body: dict[str, Any]) -> None:
    provider, site = served
    site.answers = [Answer(body=body)]
    with pytest.raises(ContentFilteredError, match=r"SAFETY|RECITATION"):
        await provider.complete(ask())


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37.5s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


@pytest.mark.parametrize(
    ("refusal", "error_class", "wait"),
    [
        (failure(429, "RESOURCE_EXHAUSTED", "slow down", retry_after="3"), ProviderRateLimitedError, 3),
        (failure(429, "RESOURCE_EXHAUSTED", "slow down", RETRY), ProviderRateLimitedError, 37.5),
        (failure(503, "UNAVAILABLE", "The model is overloaded."), ProviderOverloadedError, None),
        (failure(504, "DEADLINE_EXCEEDED", "late"), ProviderTimeoutError, None),
        (failure(403, "PERMISSION_DENIED", f"not {KEY}"), ProviderAuthError, None),
        (failure(400, "INVALID_ARGUMENT", "API key not valid.", BAD_KEY), ProviderAuthError, None),
        (failure(400, "INVALID_ARGUMENT", f"bad {KEY}"), ProviderRejectedError, None),
        (
            failure(400, "INVALID_ARGUMENT", "The input token count (12) exceeds the maximum number of tokens (9)"),
            ContextTooLongError,
            None,
        ),
        (Answer(status=500), ProviderUnavailableError, None),
        (Answer(body={}), ProviderUnavailableError, None),
        (Answer(body={"candidates": "x"}), ProviderUnavailableError, None),
        (Answer(body=answer(usageMetadata={"promptTokenCount": -1})), ProviderUnavailableError, None),
        (Answer(body=answer({"text": "x"}, reason="MALFORMED_FUNCTION_CALL")), ProviderUnavailableError, None),
    ],
)
async def test_what_google_says_of_a_failure_is_told_in_our_words(
    served: tuple[Gemini, Web], refusal: Answer, error_class: type[ProviderError], wait: float | None
) -> None:
    provider, site = served
    site.answers = [refusal]
    with pytest.raises(ProviderError) as caught:
        await provider.complete(ask())
    assert type(caught.value) is error_class
    assert caught.value.retry_after_s == wait
    assert KEY not in f"{caught.value} {caught.value.details}"


async def test_a_stream_says_at_its_end_what_it_took() -> None:
    reply = ChatReply(text="Hello", model="served-model", finish_reason="stop", input_tokens=6, output_tokens=5)
    assert await streamed(*poured(writing("Hel"), writing("lo"), answer())) == ["Hel", "lo", reply]


async def test_comments_that_keep_a_line_open_are_no_answer() -> None:
    begun, whole = poured(writing("Hel"), answer({"text": "lo"}))
    *texts, reply = await streamed(b": think", b"ing\r\n\r\n", begun, b": {\n\n: \xff\n\n", whole)
    assert texts == ["Hel", "lo"]
    assert isinstance(reply, ChatReply)
    assert reply.text == "Hello"


@pytest.mark.parametrize(
    ("more", "error_class"),
    [
        (b'data: {"error": {"code": 503, "status": "UNAVAILABLE"}}\n\n', ProviderOverloadedError),
        (b'data: {"candidates": 7}\n\n', ProviderUnavailableError),
    ],
)
async def test_a_stream_that_goes_wrong_may_have_been_charged(more: bytes, error_class: type[ProviderError]) -> None:
    with pytest.raises(error_class) as caught:
        await streamed(*poured(writing("Hel")), more)
    assert type(caught.value) is error_class
    assert caught.value.may_have_charged


async def test_texts_become_vectors_each_by_itself(served: tuple[Gemini, Web]) -> None:
    provider, site = served
    vectors = [{"values": [1, 2]}, {"values": [3, 4]}]
    site.answers = [Answer(body={"embeddings": vectors, "usageMetadata": {"promptTokenCount": 4}})]
    reply = await provider.embed(EmbedRequest(model="gemini-embedding-2", texts=("a", "b"), dimensions=2))
    assert reply == EmbedReply(vectors=((1, 2), (3, 4)), model="gemini-embedding-2", input_tokens=4)
    requests = sent(site)["requests"]
    assert [request["content"]["parts"] for request in requests] == [[{"text": "a"}], [{"text": "b"}]]
    assert {request["outputDimensionality"] for request in requests} == {2}


@pytest.mark.parametrize("body", [{}, {"embeddings": [{"values": [1]}]}, {"embeddings": [{"values": [1]}, {}]}])
async def test_vectors_that_are_missing_are_asked_for_again(served: tuple[Gemini, Web], body: dict[str, Any]) -> None:
    provider, site = served
    site.answers = [Answer(body=body)]
    with pytest.raises(ProviderUnavailableError, match="cannot be read"):
        await provider.embed(EmbedRequest(model="gemini-embedding-2", texts=("a", "b")))


async def test_more_texts_than_google_takes_at_once_go_in_turns(served: tuple[Gemini, Web]) -> None:
    provider, site = served
    usage = {"promptTokenCount": 100}
    site.answers = [
        Answer(body={"embeddings": [{"values": [1]}] * 100, "usageMetadata": usage}),
        Answer(body={"embeddings": [{"values": [2]}], "usageMetadata": {"promptTokenCount": 1}}),
    ]
    reply = await provider.embed(EmbedRequest(model="gemini-embedding-001", texts=("a",) * 101))
    assert (len(reply.vectors), reply.vectors[-1], reply.input_tokens) == (101, (2,), 101)
    assert [len(json.loads(seen.body)["requests"]) for seen in site.seen] == [100, 1]


async def test_a_turn_that_fails_after_another_may_have_been_charged(served: tuple[Gemini, Web]) -> None:
    provider, site = served
    site.answers = [Answer(body={"embeddings": [{"values": [1]}] * 100}), failure(429, "RESOURCE_EXHAUSTED", "slow")]
    with pytest.raises(ProviderRateLimitedError) as caught:
        await provider.embed(EmbedRequest(model="gemini-embedding-001", texts=("a",) * 101))
    assert caught.value.may_have_charged
