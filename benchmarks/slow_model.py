"""A model that writes at a speed: a server on loopback that speaks OpenAI's chat stream, token by token.

As a program, ``python -m benchmarks.slow_model TOKENS PER_SECOND``, it prints its port and serves until its input ends;
each of its tokens is the moment at which it is sent, in seconds since 1970.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, repeat, takewhile
from typing import Any

__all__ = ["SlowModel", "slow_model"]

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n"
    b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
)


@dataclass
class SlowModel:
    """A model. ``write`` gives the token at a place (from 0) of an answer (from 1), none where the answer is over."""

    write: Callable[[int, int], str | None]
    between_s: float
    url: str = ""
    asked: int = 0
    """How often it was asked."""
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What it was asked with."""
    pauses: dict[int, asyncio.Event] = field(default_factory=dict[int, asyncio.Event])
    """Places at which it waits until it may go on."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(next(line for line in head.splitlines() if line.startswith("content-length:")).split(":")[1])
            self.bodies.append(json.loads(await reader.readexactly(length)))
            self.asked += 1
            if self.bodies[-1].get("stream"):
                await self._stream(writer, self.asked)
            else:
                self._complete(writer, self.asked)
        writer.close()

    def _complete(self, writer: asyncio.StreamWriter, answer: int) -> None:
        """All of an answer at once, and without the time it would take."""
        tokens = list(takewhile(lambda token: token is not None, map(self.write, repeat(answer), count())))
        message = {"role": "assistant", "content": "".join(filter(None, tokens))}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        said = {"id": "c", "object": "chat.completion", "created": 0, "model": "gpt-4o-mini", "choices": [choice]}
        data = json.dumps({**said, "usage": _usage(len(tokens))}).encode()
        kind = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
        writer.write(kind + f"content-length: {len(data)}\r\n\r\n".encode() + data)

    async def _stream(self, writer: asyncio.StreamWriter, answer: int) -> None:
        writer.write(_HEAD)
        begun, place = time.perf_counter(), 0
        while True:
            # By the clock, so that what one token was late by the next is not.
            await asyncio.sleep(begun + place * self.between_s - time.perf_counter())
            token = self.write(answer, place)
            if token is None:
                break
            if place in self.pauses:
                await self.pauses[place].wait()
            _send(writer, _chunk({"role": "assistant", "content": token}, None))
            await writer.drain()
            place += 1
        _send(writer, _chunk({}, "stop"))
        _send(writer, {**_chunk({}, None), "choices": [], "usage": _usage(place)})
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}


def _chunk(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "gpt-4o-mini", "choices": [choice]}


def _send(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    data = f"data: {json.dumps(event)}\n\n".encode()
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


@asynccontextmanager
async def slow_model(write: Callable[[int, int], str | None], between_s: float) -> AsyncGenerator[SlowModel]:
    """The model, for as long as the context lasts; its address is ``url``."""
    model = SlowModel(write, between_s)
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0, backlog=1_000)
    model.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield model
    finally:
        server.close()


async def main(tokens: int, per_second: float) -> None:
    """Serve until the input ends."""

    def stamp(_answer: int, place: int) -> str | None:
        return f"{time.time():.6f} " if place < tokens else None

    async with slow_model(stamp, 1 / per_second) as model:
        print(model.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
