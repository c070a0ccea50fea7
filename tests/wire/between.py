"""Stands between a provider and the wire server, and does to the connection what networks do."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["Line", "between", "pouring", "saying"]

_CHUNK = 65_536

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@dataclass
class Line:
    """The way through: its address, how many bytes of answers have passed, and whether the provider hung up.

    ``asked``: how many requests came to ``saying``.
    """

    url: str
    passed: int = 0
    asked: int = 0
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def between(url: str, *, most: int | None = None, hold: bool = False) -> AsyncGenerator[Line]:
    """A way to the server at ``url``.

    Args:
        url: The server.
        most: Bytes of an answer that are passed on; then the connection is cut.
        hold: Instead of cutting it, nothing more is passed on.
    """
    there = urlsplit(url)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(there.hostname, there.port)

        async def ask() -> None:
            while piece := await reader.read(_CHUNK):
                up_writer.write(piece)
                await up_writer.drain()
            line.hung_up.set()
            up_writer.close()

        async def answer() -> None:
            left = most
            while piece := await up_reader.read(_CHUNK):
                writer.write(piece[:left])
                await writer.drain()
                line.passed += len(piece[:left])
                left = None if left is None else left - len(piece[:left])
                if left == 0:
                    break
            if left == 0 and hold:
                await line.hung_up.wait()
            writer.close()

        try:
            await asyncio.gather(ask(), answer())
        finally:
            line.hung_up.set()
            up_writer.close()

    async with _served(talk) as served:
        line = Line(served)
        yield line


@asynccontextmanager
async def saying(answer: bytes, *, hold: bool = False) -> AsyncGenerator[Line]:
    """A server that answers every request with ``answer`` and hangs up, or ``hold``s the line, saying no more."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever asks sends all of it before they listen.
        await reader.read(_CHUNK)
        line.asked += 1
        writer.write(answer)
        await writer.drain()
        if not hold:
            writer.write_eof()
        # What is still unread when the line is closed would have the rest of a long answer thrown away.
        while await reader.read(_CHUNK):
            continue
        line.hung_up.set()

    async with _served(talk) as served:
        line = Line(served)
        yield line


@asynccontextmanager
async def pouring(head: bytes, piece: bytes) -> AsyncGenerator[Line]:
    """A server that answers every request with ``head``, and ``piece`` again and again until the other hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(_CHUNK)
        writer.write(head)
        try:
            while True:
                writer.write(piece)
                await writer.drain()
                line.passed += len(piece)
        finally:
            line.hung_up.set()

    async with _served(talk) as served:
        line = Line(served)
        yield line


@asynccontextmanager
async def _served(talk: Talk) -> AsyncGenerator[str]:
    """The address of a server on this machine; what still talks at the end is cut off."""
    talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:  # that it breaks is what it is for
            writer.transport.abort()
        finally:
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks[asyncio.get_running_loop().create_task(meet(reader, writer))] = writer

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        # What was accepted a moment ago begins only now.
        await asyncio.sleep(0)
        for task, writer in talks.items():
            task.cancel()
            # A task that has not begun closes nothing.
            writer.transport.abort()
        await asyncio.gather(*talks, return_exceptions=True)
