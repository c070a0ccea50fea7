"""How every adapter fails: in our words, with the posture that says whether asking again can help, without the key."""

import asyncio
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from activities.providers.base import ChatReply, ChatRequest, EmbedRequest, Turn
from activities.providers.statuses import MOST_BYTES
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
from tests.unit.frames import event
from tests.wire.adapters import ADAPTERS, KEY, Adapter, OpenProvider
from tests.wire.between import between, saying

REFUSALS: list[tuple[str, type[ProviderError], float | None, bool]] = [
    ("Answer with 429 and a wait", ProviderRateLimitedError, 7, True),
    ("Answer with 500", ProviderUnavailableError, None, True),
    ("Answer with 503", ProviderOverloadedError, None, True),
    ("Answer with 529", ProviderOverloadedError, None, True),
    ("Answer with 401", ProviderAuthError, None, False),
    ("Answer with 403", ProviderAuthError, None, False),
    ("Answer with 404", ProviderRejectedError, None, False),
    ("Answer with 400", ProviderRejectedError, None, False),
    *((f"A question too long for {name}", ContextTooLongError, None, False) for name in sorted(ADAPTERS)),
    ("Something forbidden", ContentFilteredError, None, False),
]
DEEP = 100_000
"""Lists within one another: more than any reader of JSON takes."""
SHORT_S = 0.5
"""For what never comes."""
LONG_S = 20.0
"""For what comes, on a machine that has much else to do."""


def ask(text: str) -> ChatRequest:
    return ChatRequest(model="a-model", turns=(Turn("user", text),), max_tokens=50)


async def read(provider: OpenProvider, request: ChatRequest) -> list[str | ChatReply]:
    return [piece async for piece in provider.stream(request)]


@asynccontextmanager
async def opened(adapter: Adapter, url: str, patience: float = LONG_S) -> AsyncGenerator[OpenProvider]:
    provider = adapter.open(url, patience)
    try:
        yield provider
    finally:
        await provider.close()


def _said(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _deep(key: str) -> bytes:
    return b'{"%b":%b%b}' % (key.encode(), b"[" * DEEP, b"]" * DEEP)


def shown(error: ProviderError) -> str:
    """All that anyone may see of an error."""
    return f"{error} {error.details} {''.join(traceback.format_exception(error))}"


@pytest.mark.parametrize(("question", "error_class", "wait", "again"), REFUSALS, ids=[row[0] for row in REFUSALS])
@pytest.mark.parametrize("whole", [True, False], ids=["complete", "stream"])
async def test_a_refusal_is_told_in_our_words_and_without_the_key(
    on_wire: OpenProvider,
    question: str,
    error_class: type[ProviderError],
    wait: float | None,
    *,
    again: bool,
    whole: bool,
) -> None:
    with pytest.raises(ProviderError) as caught:
        await (on_wire.complete(ask(question)) if whole else read(on_wire, ask(question)))

    assert type(caught.value) is error_class
    assert caught.value.retry_after_s == wait
    assert caught.value.retryable == again
    assert not caught.value.may_have_charged
    assert KEY not in shown(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("answer", "error_class", "words"),
    [
        (b"500 Oh", ProviderUnavailableError, "answered 500"),
        (b"429 Slow", ProviderRateLimitedError, "answered 429"),
        (b"302 Found\r\nLocation: /elsewhere", ProviderRejectedError, "redirects are not followed"),
    ],
    ids=["500", "429", "302"],
)
async def test_no_client_asks_again_by_itself(
    adapter: Adapter, answer: bytes, error_class: type[ProviderError], words: str
) -> None:
    head = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % answer
    async with saying(head) as line:
        provider = adapter.bare(line.url, LONG_S, MOST_BYTES)
        for asking in (provider.complete(ask("Hi")), read(provider, ask("Hi"))):
            with pytest.raises(ProviderError, match=words) as caught:
                await asking
            assert type(caught.value) is error_class
        await provider.close()
    assert line.asked == 2


async def test_the_answer_of_a_model_that_was_cut_off_says_so(on_wire: OpenProvider) -> None:
    reply = await on_wire.complete(ask("Go too far"))
    *texts, at_the_end = await read(on_wire, ask("Go too far"))

    assert isinstance(at_the_end, ChatReply)
    assert reply.finish_reason == at_the_end.finish_reason == "content_filter"
    assert "".join(map(str, texts)) == at_the_end.text == reply.text


async def test_slow_words_are_waited_for_as_long_as_they_come(adapter: Adapter, wire: str) -> None:
    patience = 1.0
    async with opened(adapter, wire, patience) as provider:
        begun = asyncio.get_running_loop().time()
        *_, reply = await read(provider, ask("Speak slowly"))

    assert asyncio.get_running_loop().time() - begun > patience
    assert isinstance(reply, ChatReply)
    assert reply.text == "slow but steady words in a very long row"


async def test_a_stream_that_breaks_off_may_have_been_paid_for(on_wire: OpenProvider) -> None:
    pieces = on_wire.stream(ask("Break off"))
    begun = await anext(pieces)

    with pytest.raises(ProviderUnavailableError) as caught:
        _ = [piece async for piece in pieces]

    assert isinstance(begun, str)
    assert "this answer never comes to its end".startswith(begun)
    assert caught.value.may_have_charged


async def test_an_answer_cut_anywhere_is_an_error_or_whole(adapter: Adapter, wire: str) -> None:
    async with between(wire) as line, opened(adapter, line.url) as provider:
        whole = await read(provider, ask("Say hello"))
        size = line.passed
    ends: list[object] = []

    for most in range(1, size, max(1, size // 40)):
        async with between(wire, most=most) as line, opened(adapter, line.url) as provider:
            (end,) = await asyncio.gather(read(provider, ask("Say hello")), return_exceptions=True)
        ends.append(end)

    failed = [end for end in ends if isinstance(end, ProviderUnavailableError)]
    assert [end for end in ends if end not in failed and end != whole] == []
    assert all(error.may_have_charged for error in failed)
    assert len(failed) >= 30


async def test_a_whole_answer_that_is_cut_is_an_error(adapter: Adapter, wire: str) -> None:
    async with between(wire) as line, opened(adapter, line.url) as provider:
        await provider.complete(ask("Say hello"))
        size = line.passed

    for most in (1, size // 2, size - 6):
        async with between(wire, most=most) as line, opened(adapter, line.url) as provider:
            with pytest.raises(ProviderUnavailableError) as caught:
                await provider.complete(ask("Say hello"))
            assert caught.value.may_have_charged


async def test_whoever_stops_reading_hangs_up(adapter: Adapter, wire: str) -> None:
    async with between(wire) as line, opened(adapter, line.url) as provider:
        pieces = provider.stream(ask("Speak slowly"))
        await anext(pieces)
        assert not line.hung_up.is_set()
        await pieces.aclose()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - it is a generator
        async with asyncio.timeout(LONG_S):
            await line.hung_up.wait()


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"], ids=["nothing", "headers"]
)
async def test_a_provider_that_says_nothing_more_is_not_waited_for(adapter: Adapter, said: bytes) -> None:
    async with saying(said, hold=True) as line, opened(adapter, line.url, SHORT_S) as provider:
        for asking in (provider.complete(ask("Hi")), read(provider, ask("Hi"))):
            with pytest.raises(ProviderTimeoutError) as caught:
                await asking
            assert caught.value.may_have_charged


async def test_a_stream_that_falls_silent_is_not_waited_for(adapter: Adapter, wire: str) -> None:
    async with between(wire) as line, opened(adapter, line.url) as provider:
        await read(provider, ask("Say hello"))
        size = line.passed

    async with between(wire, most=size // 2, hold=True) as line, opened(adapter, line.url, SHORT_S) as provider:
        with pytest.raises(ProviderTimeoutError) as caught:
            await read(provider, ask("Say hello"))

    assert caught.value.may_have_charged


@pytest.mark.parametrize(
    "body", [b"{oops", b"", b"[]", b'"text"', b"null", b"\xff\xfe", b"<html>", b'{"choices": [], "content": 7}']
)
async def test_an_answer_that_cannot_be_read_is_said_to_be_so(adapter: Adapter, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    async with saying(head % len(body) + body) as line, opened(adapter, line.url) as provider:
        with pytest.raises(ProviderUnavailableError, match="cannot be read") as caught:
            await provider.complete(ask("Hi"))

    assert caught.value.may_have_charged


@pytest.mark.parametrize("key", ["choices", "content", "candidates", "output", "error"])
async def test_an_answer_that_is_nested_too_deeply_is_said_to_be_unreadable(adapter: Adapter, key: str) -> None:
    said = _said("200 OK", "application/json", _deep(key))
    async with saying(said) as line, opened(adapter, line.url) as provider:
        with pytest.raises(ProviderUnavailableError, match="cannot be read") as caught:
            await provider.complete(ask("Hi"))

    assert caught.value.may_have_charged


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Oh"])
async def test_a_refusal_that_is_nested_too_deeply_is_an_error_like_any_other(adapter: Adapter, status: str) -> None:
    async with saying(_said(status, "application/json", _deep("error"))) as line:
        provider = adapter.bare(line.url, LONG_S, MOST_BYTES)
        for asking in (provider.complete(ask("Hi")), read(provider, ask("Hi"))):
            with pytest.raises(ProviderError, match=f"cannot be read|answered {status[:3]}"):
                await asking
        await provider.close()


@pytest.mark.parametrize("key", ["choices", "delta", "candidates", "error"])
async def test_a_stream_that_is_nested_too_deeply_is_said_to_be_unreadable(adapter: Adapter, key: str) -> None:
    framed = event("contentBlockDelta", _deep(key)), b"event: content_block_delta\ndata: %b\n\n" % _deep(key)
    body = framed[0] if adapter.kind.endswith("eventstream") else framed[1]
    async with saying(_said("200 OK", adapter.kind, body)) as line, opened(adapter, line.url) as provider:
        with pytest.raises(ProviderUnavailableError, match="cannot be read") as caught:
            await read(provider, ask("Hi"))

    assert caught.value.may_have_charged


async def test_vectors_that_are_nested_too_deeply_are_said_to_be_unreadable(adapter: Adapter) -> None:
    request = EmbedRequest(model=adapter.embed_model, texts=("one", "two"))
    async with (
        saying(_said("200 OK", "application/json", _deep("data"))) as line,
        opened(adapter, line.url) as provider,
    ):
        expected = ProviderUnavailableError if adapter.embeds else ProviderRejectedError
        with pytest.raises(expected) as caught:
            await provider.embed(request)

    assert caught.value.may_have_charged == adapter.embeds


@pytest.mark.parametrize("body", [b"data: {oops\n\n", b"data: []\n\n", b"data: 7\n\n", b"data: \xff\n\n", b""])
async def test_a_stream_that_cannot_be_read_is_said_to_be_so(adapter: Adapter, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    async with saying(head % len(body) + body) as line, opened(adapter, line.url) as provider:
        with pytest.raises(ProviderUnavailableError, match=r"cannot be read|broke off") as caught:
            await read(provider, ask("Hi"))

    assert caught.value.may_have_charged


async def test_a_provider_that_is_away_has_charged_nothing(adapter: Adapter) -> None:
    async with saying(b"") as line:
        gone = line.url
    async with opened(adapter, gone) as provider:
        for asking in (provider.complete(ask("Hi")), read(provider, ask("Hi"))):
            with pytest.raises(
                ProviderUnavailableError, match=f"cannot be reached: check .*{adapter.address}"
            ) as caught:
                await asking
            assert not caught.value.may_have_charged


async def test_vectors_that_cannot_be_read_are_said_to_be_so(adapter: Adapter) -> None:
    request = EmbedRequest(model=adapter.embed_model, texts=("one", "two"))
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    async with saying(answer) as line, opened(adapter, line.url) as provider:
        expected = ProviderUnavailableError if adapter.embeds else ProviderRejectedError
        with pytest.raises(expected) as caught:
            await provider.embed(request)

    assert caught.value.may_have_charged == adapter.embeds
