"""AWS Bedrock: what goes over the wire, what is read of it, and every way it fails.

Streams are poured in the framing of AWS, through the parser of AWS's own client.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from threading import Event
from typing import Any, cast

import pytest

from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, Tool, ToolCall, Turn
from activities.providers.bedrock import Bedrock
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
    SettingsError,
)
from tests.unit.frames import event, exception
from tests.unit.loopback import Answer, Web, web
from tests.unit.pouring import pouring

SECRET = "aws-very-secret"  # noqa: S105 - of nobody
KIND = "application/vnd.amazon.eventstream"
USAGE = {"inputTokens": 5, "cacheReadInputTokens": 3, "outputTokens": 2, "totalTokens": 7}
LOOK_UP = Tool(name="look_up", description="", parameters={"type": "object", "properties": {}})
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")


def message(*content: dict[str, Any], reason: str = "end_turn") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": reason,
        "usage": USAGE,
        "metrics": {"latencyMs": 3},
    }


def refusal(status: int, name: str, text: str, **headers: str) -> Answer:
    more = {key.replace("_", "-"): value for key, value in headers.items()}
    return Answer(status=status, body={"message": text}, headers={"x-amzn-errortype": f"{name}:http://aws", **more})


def text(piece: str) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})


def calling(name: str, *pieces: str) -> list[bytes]:
    begun = {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": name}}}
    deltas = [{"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}} for piece in pieces]
    return [event("contentBlockStart", begun), *(event("contentBlockDelta", delta) for delta in deltas)]


def ended(reason: str = "end_turn") -> list[bytes]:
    return [
        event("contentBlockStop", {"contentBlockIndex": 0}),
        event("messageStop", {"stopReason": reason}),
        event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 4}}),
    ]


START = event("messageStart", {"role": "assistant"})


def opened(url: str, timeout: float = 5, **more: Any) -> Bedrock:
    return Bedrock(region="us-east-1", endpoint_url=url, timeout=timeout, **more)


@pytest.fixture
async def served() -> AsyncIterator[tuple[Bedrock, Web]]:
    with web() as site:
        site.answers = [Answer(body=message({"text": "Hello"}))]
        provider = opened(site.url)
        yield provider, site
        await provider.close()


def ask(*turns: Turn, **more: Any) -> ChatRequest:
    return ChatRequest(model=more.pop("model", "maker.model-v1:0"), turns=turns or (Turn("user", "Hi"),), **more)


def sent(site: Web) -> dict[str, Any]:
    return json.loads(site.seen[-1].body)


async def streamed(*pieces: bytes, request: ChatRequest | None = None, **more: Any) -> list[str | ChatReply]:
    with pouring(*pieces, kind=KIND, **more) as site:
        provider = opened(site.url, timeout=1)
        try:
            return [part async for part in provider.stream(request or ask())]
        finally:
            await provider.close()


async def test_the_question_goes_over_the_wire_as_converse_wants_it(served: tuple[Bedrock, Web]) -> None:
    provider, site = served
    turns = (Turn("system", "Be brief."), Turn("user", "One"), Turn("user", "Two"))
    reply = await provider.complete(ask(*turns, temperature=0.5, max_tokens=9))
    assert sent(site) == {
        "system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"text": "One"}, {"text": "Two"}]}],
        "inferenceConfig": {"temperature": 0.5, "maxTokens": 9},
    }
    assert site.seen[0].path == "/model/maker.model-v1%3A0/converse"
    assert "Credential=AKIAEXAMPLE/" in site.seen[0].headers["authorization"]
    assert reply == ChatReply(
        text="Hello", model="maker.model-v1:0", finish_reason="stop", input_tokens=8, output_tokens=2
    )


async def test_tools_and_what_they_answered_go_over_the_wire(served: tuple[Bedrock, Web]) -> None:
    provider, site = served
    call = ToolCall(id="other~maker's/id", name="look_up", arguments={"x": 1})
    block = {"toolUse": {"toolUseId": "tooluse_2", "name": "look_up", "input": {"x": 2}}}
    site.answers = [Answer(body=message(block, reason="tool_use"))]
    turns = (Turn("user", "Hi"), Turn("assistant", "", (call,)), Turn("tool", "42", tool_call_id=call.id))
    reply = await provider.complete(ask(*turns, tools=(LOOK_UP,)))
    _, used, answered = sent(site)["messages"]
    call_id = used["content"][0]["toolUse"]["toolUseId"]
    assert call_id.isalnum()
    assert used["content"] == [{"toolUse": {"toolUseId": call_id, "name": "look_up", "input": {"x": 1}}}]
    assert answered["content"] == [{"toolResult": {"toolUseId": call_id, "content": [{"text": "42"}]}}]
    assert sent(site)["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "look_up", "inputSchema": {"json": {"type": "object", "properties": {}}}}}]
    }
    assert reply.tool_calls == (ToolCall(id="tooluse_2", name="look_up", arguments={"x": 2}),)
    assert reply.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("model", "tools", "choice"),
    [
        ("us.anthropic.claude-sonnet-4-6", (), {"tool": {"name": "answer"}}),
        ("amazon.nova-pro-v1:0", (LOOK_UP,), {"any": {}}),
        ("global.anthropic.claude-opus-5-5", (), None),
    ],
)
async def test_an_answer_by_a_schema_comes_by_a_tool(
    served: tuple[Bedrock, Web], model: str, tools: tuple[Tool, ...], choice: dict[str, Any] | None
) -> None:
    provider, site = served
    block = {"toolUse": {"toolUseId": "tooluse_1", "name": "answer", "input": {"a": "é"}}}
    site.answers = [Answer(body=message({"text": "Well."}, block, reason="tool_use"))]
    reply = await provider.complete(ask(model=model, schema=OBJECT, tools=tools))
    assert sent(site)["toolConfig"].get("toolChoice") == choice
    assert sent(site)["toolConfig"]["tools"][-1]["toolSpec"]["inputSchema"]["json"] == OBJECT
    assert "calling the tool answer" in sent(site)["system"][0]["text"]
    assert (reply.text, reply.finish_reason, reply.tool_calls) == ('{"a": "é"}', "stop", ())


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
    ],
)
async def test_why_it_stopped_is_said_in_our_words(
    served: tuple[Bedrock, Web], reason: str, finish_reason: str
) -> None:
    provider, site = served
    site.answers = [Answer(body=message({"text": "Hello"}, reason=reason))]
    assert (await provider.complete(ask())).finish_reason == finish_reason


@pytest.mark.parametrize("reason", ["guardrail_intervened", "content_filtered"])
async def test_filtered_content_says_so(served: tuple[Bedrock, Web], reason: str) -> None:
    provider, site = served
    site.answers = [Answer(body=message(reason=reason))]
    with pytest.raises(ContentFilteredError, match=reason):
        await provider.complete(ask())


@pytest.mark.parametrize(
    ("answer", "error_class", "wait"),
    [
        (refusal(429, "ThrottlingException", "slow", retry_after="3"), ProviderRateLimitedError, 3),
        (refusal(429, "ModelNotReadyException", "soon"), ProviderOverloadedError, None),
        (refusal(424, "ModelErrorException", "oh"), ProviderUnavailableError, None),
        (refusal(408, "ModelTimeoutException", "late"), ProviderTimeoutError, None),
        (refusal(403, "UnrecognizedClientException", "who?"), ProviderAuthError, None),
        (
            refusal(400, "ValidationException", "Input is too long for requested model."),
            ContextTooLongError,
            None,
        ),
        (Answer(status=500), ProviderUnavailableError, None),
        (Answer(body={"output": "x"}), ProviderUnavailableError, None),
        (Answer(body={}), ProviderUnavailableError, None),
        (Answer(body=message({"text": "x"}, reason="malformed_tool_use")), ProviderUnavailableError, None),
    ],
)
async def test_what_aws_says_of_a_failure_is_told_in_our_words(
    served: tuple[Bedrock, Web], answer: Answer, error_class: type[ProviderError], wait: float | None
) -> None:
    provider, site = served
    site.answers = [answer]
    with pytest.raises(ProviderError) as caught:
        await provider.complete(ask())
    assert type(caught.value) is error_class
    assert caught.value.retry_after_s == wait
    assert SECRET not in f"{caught.value} {caught.value.details}"


async def test_missing_credentials_are_said_to_be_missing(
    served: tuple[Bedrock, Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, site = served
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    provider = opened(site.url)
    with pytest.raises(ProviderAuthError, match="AWS_ACCESS_KEY_ID"):
        await provider.complete(ask())
    await provider.close()


def test_a_missing_region_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="ORCHESTRATOR_BEDROCK_REGION"):
        Bedrock()


async def test_a_request_that_converse_does_not_take_is_refused_unsent(served: tuple[Bedrock, Web]) -> None:
    provider, site = served
    with pytest.raises(ProviderRejectedError, match="modelId"):
        await provider.complete(ask(model=""))
    assert site.seen == []


async def test_a_stream_says_at_its_end_what_it_took() -> None:
    reply = ChatReply(text="Hello", model="m", finish_reason="stop", input_tokens=8, output_tokens=2)
    parts = await streamed(START, text("Hel"), text("lo"), *ended(), request=ask(model="m"))
    assert parts == ["Hel", "lo", reply]


async def test_a_tool_call_in_pieces_is_put_together() -> None:
    pieces = [START, *calling("look_up", '{"x"', ": 1}"), *ended("tool_use")]
    (reply,) = await streamed(*pieces, request=ask(tools=(LOOK_UP,)))
    assert isinstance(reply, ChatReply)
    assert reply.tool_calls == (ToolCall(id="tooluse_1", name="look_up", arguments={"x": 1}),)
    assert reply.finish_reason == "tool_calls"


async def test_an_answer_by_a_tool_is_streamed_as_text() -> None:
    pieces = [START, text("Let me see. "), *calling("answer", '{"a": ', '"b"}'), *ended("tool_use")]
    *shown, reply = await streamed(*pieces, request=ask(schema=OBJECT))
    assert shown == ['{"a": ', '"b"}']
    assert isinstance(reply, ChatReply)
    assert (reply.text, reply.finish_reason, reply.tool_calls) == ('{"a": "b"}', "stop", ())


@pytest.mark.parametrize(
    ("more", "error_class"),
    [
        ([text("lo")[:-9]], ProviderUnavailableError),
        ([text("lo")[:-4] + b"oops"], ProviderUnavailableError),
        ([event("contentBlockDelta", b"{oops")], ProviderUnavailableError),
        ([exception("modelStreamErrorException", "oh")], ProviderUnavailableError),
        ([exception("serviceUnavailableException", "later")], ProviderOverloadedError),
        ([exception("throttlingException", "slow")], ProviderRateLimitedError),
        ([*calling("look_up", '{"x"'), *ended("tool_use")], ProviderUnavailableError),
    ],
)
async def test_a_stream_that_goes_wrong_may_have_been_charged(
    more: list[bytes], error_class: type[ProviderError]
) -> None:
    with pytest.raises(error_class) as caught:
        await streamed(START, text("Hel"), *more)
    assert type(caught.value) is error_class
    assert caught.value.may_have_charged


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "bedrock"]


async def gone(seconds: float) -> bool:
    """Whether every thread of Bedrock's ends within so many seconds."""
    for thread in threads():
        await asyncio.to_thread(thread.join, seconds)
    return threads() == []


async def test_who_stops_reading_ends_the_thread_and_the_connection() -> None:
    with pouring(START, text("Hel"), end="hang", kind=KIND) as site:
        provider = opened(site.url, timeout=60)
        async with aclosing(cast("AsyncGenerator[str | ChatReply]", provider.stream(ask()))) as stream:
            assert await anext(stream) == "Hel"
            assert len(threads()) == 1
        assert await gone(2)
        assert site.left.wait(2)
        await provider.close()


async def test_a_reader_that_is_cancelled_ends_the_thread() -> None:
    with pouring(START, text("Hel"), end="hang", kind=KIND) as site:
        provider = opened(site.url, timeout=60)

        async def read() -> list[str | ChatReply]:
            return [part async for part in provider.stream(ask())]

        reading = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await gone(2)
        await provider.close()


async def test_the_loop_goes_on_while_a_call_waits() -> None:
    with web() as site:
        release = Event()
        site.answers = [Answer(hold=release)]
        provider = opened(site.url, threads=2)
        calls = [asyncio.create_task(provider.complete(ask())) for _ in range(3)]
        begun = time.monotonic()
        await asyncio.sleep(0.1)
        assert time.monotonic() - begun < 1
        assert len(threads()) == 2
        for call in calls:
            call.cancel()
        release.set()
        await asyncio.gather(*calls, return_exceptions=True)
        assert await gone(5)
        await provider.close()


async def test_titan_takes_each_text_by_itself(served: tuple[Bedrock, Web]) -> None:
    provider, site = served
    site.answers = [Answer(body={"embedding": [1, 2], "inputTextTokenCount": 3})]
    reply = await provider.embed(
        EmbedRequest(model="amazon.titan-embed-text-v2:0", texts=("a", "b", "c"), dimensions=256)
    )
    assert reply == EmbedReply(vectors=((1, 2),) * 3, model="amazon.titan-embed-text-v2:0", input_tokens=9)
    bodies = [json.loads(seen.body) for seen in site.seen]
    assert sorted(bodies, key=lambda body: body["inputText"]) == [
        {"inputText": letter, "dimensions": 256} for letter in "abc"
    ]


async def test_cohere_takes_many_texts_at_once(served: tuple[Bedrock, Web]) -> None:
    provider, site = served
    tokens = {"x-amzn-bedrock-input-token-count": "9"}
    site.answers = [
        Answer(body={"embeddings": {"float": [[1, 2]] * 96}}, headers=tokens),
        Answer(body={"embeddings": [[3, 4]]}, headers=tokens),
    ]
    reply = await provider.embed(EmbedRequest(model="us.cohere.embed-v4:0", texts=("a",) * 97))
    assert (len(reply.vectors), reply.vectors[-1], reply.input_tokens) == (97, (3, 4), 18)
    assert [len(json.loads(seen.body)["texts"]) for seen in site.seen] == [96, 1]


@pytest.mark.parametrize("body", [{}, {"embedding": []}, {"embedding": ["a"]}])
async def test_vectors_that_cannot_be_read_are_asked_for_again(
    served: tuple[Bedrock, Web], body: dict[str, Any]
) -> None:
    provider, site = served
    site.answers = [Answer(body=body)]
    with pytest.raises(ProviderUnavailableError, match="cannot be read"):
        await provider.embed(EmbedRequest(model="amazon.titan-embed-text-v2:0", texts=("a",)))


async def test_a_model_whose_embeddings_are_not_known_is_refused(served: tuple[Bedrock, Web]) -> None:
    provider, site = served
    with pytest.raises(ProviderRejectedError, match="has no embeddings by 'maker"):
        await provider.embed(EmbedRequest(model="maker.other", texts=("a",)))
    assert site.seen == []
