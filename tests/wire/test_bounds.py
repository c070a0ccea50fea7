"""An answer without an end: no adapter reads more of it than it may, whatever it is made of."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from activities.providers.base import EmbedRequest
from orchestrator.errors import ProviderUnavailableError
from tests.wire.adapters import ADAPTERS, Adapter, OpenProvider
from tests.wire.between import Line, pouring, saying
from tests.wire.test_failures import LONG_S, ask, read

MOST = 300_000
MEMORY = 20_000_000
"""Some copies of that, and all else that goes on."""
BUFFERED = 32_000_000
"""More than what the two ends of a connection hold between them."""
STREAMS = [(name, kind) for name in sorted(ADAPTERS) for kind in ADAPTERS[name].endless]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nConnection: close\r\n"


@asynccontextmanager
async def asked_of(adapter: Adapter, line: Line) -> AsyncGenerator[OpenProvider]:
    provider = adapter.bare(line.url, LONG_S, MOST)
    try:
        yield provider
    finally:
        await provider.close()


async def refused(asking: Awaitable[Any]) -> ProviderUnavailableError:
    """The error, after which little memory was taken."""
    tracemalloc.start()
    try:
        with pytest.raises(ProviderUnavailableError) as caught:
            async with asyncio.timeout(LONG_S):
                await asking
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert f"more than {MOST} bytes" in caught.value.message
    assert "ORCHESTRATOR_MODEL_MAX_RESPONSE_BYTES" in caught.value.message
    assert caught.value.may_have_charged
    return caught.value


async def hung_up(line: Line) -> None:
    async with asyncio.timeout(LONG_S):
        await line.hung_up.wait()
    assert line.passed < MOST + BUFFERED


@pytest.mark.parametrize(("name", "kind"), STREAMS, ids=[f"{name}-{kind}" for name, kind in STREAMS])
async def test_a_stream_without_an_end_is_left(name: str, kind: str) -> None:
    adapter = ADAPTERS[name]
    first, again = adapter.endless[kind]
    head = HEAD % adapter.kind.encode() + b"\r\n" + first
    async with pouring(head, again * 1_000) as line, asked_of(adapter, line) as provider:
        await refused(read(provider, ask("Hi")))
        await hung_up(line)


@pytest.mark.parametrize("head", [b"", b"Content-Length: 900000000000\r\n"], ids=["no length", "a length"])
async def test_an_answer_without_an_end_is_left(adapter: Adapter, head: bytes) -> None:
    start = HEAD % b"application/json" + head + b'\r\n{"content": "'
    async with pouring(start, b"x" * 60_000) as line, asked_of(adapter, line) as provider:
        await refused(provider.complete(ask("Hi")))
        await hung_up(line)


@pytest.mark.parametrize("whole", [True, False], ids=["complete", "stream"])
async def test_a_refusal_without_an_end_is_left(adapter: Adapter, *, whole: bool) -> None:
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    async with pouring(head, b"x" * 60_000) as line, asked_of(adapter, line) as provider:
        await refused(provider.complete(ask("Hi")) if whole else read(provider, ask("Hi")))
        await hung_up(line)


@pytest.mark.parametrize("name", sorted(name for name in ADAPTERS if ADAPTERS[name].embeds))
async def test_vectors_without_an_end_are_left(name: str) -> None:
    adapter = ADAPTERS[name]
    start = HEAD % b"application/json" + b'\r\n{"data": ['
    async with pouring(start, b"0.1," * 10_000) as line, asked_of(adapter, line) as provider:
        await refused(provider.embed(EmbedRequest(model=adapter.embed_model, texts=("one",))))
        await hung_up(line)


@pytest.mark.parametrize("name", sorted(set(ADAPTERS) - {"bedrock"}))  # AWS's client unpacks nothing
async def test_what_is_packed_small_counts_unpacked(name: str) -> None:
    adapter = ADAPTERS[name]
    packed = gzip.compress(b'{"content": "' + b"x" * 100_000_000)
    head = HEAD % b"application/json" + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with saying(head + packed) as line, asked_of(adapter, line) as provider:
        await refused(provider.complete(ask("Hi")))
