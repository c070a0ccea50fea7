"""The outside world: a web service on loopback that notes everything it is asked to do, and does what the test says."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

__all__ = ["Answer", "Deed", "FarSide", "Room", "far_side"]


@dataclass(frozen=True)
class Answer:
    """What the service says: a status, and when the caller may come back (seconds)."""

    status: int = 200
    retry_after: float | None = None

    @property
    def good(self) -> bool:
        """Whether the service did what it was asked to do."""
        return self.status < HTTPStatus.BAD_REQUEST


@dataclass(frozen=True)
class Deed:
    """One request: where to, its idempotency key, its body, and whether the service did what it asked for."""

    path: str
    key: str
    body: Any
    done: bool

    @property
    def visit(self) -> str:
        """The key without the run: ``pay#1``, ``items[3].pay#2``."""
        return self.key.partition("/")[2]


_WELL = Answer()


@dataclass
class Room:
    """What the service keeps for one run, under an address of its own.

    ``answers`` says what a path gets, one after the other, and 200 when they are used up. A path in ``broken`` gets its
    answer each time, until it is mended; one in ``held`` gets none until ``release``, nor does the ``stop_at``-th
    request.
    """

    url: str
    answers: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict[str, tuple[Answer, ...]])
    broken: dict[str, Answer] = field(default_factory=dict[str, Answer])
    held: set[str] = field(default_factory=set[str])
    stop_at: int = 0
    deeds: list[Deed] = field(default_factory=list[Deed])
    _told: Counter[str] = field(default_factory=Counter[str])
    _change: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def done(self) -> Counter[str]:
        """How often each visit did its work here."""
        return Counter(deed.visit for deed in self.deeds if deed.done)

    @property
    def asked(self) -> Counter[str]:
        """How often each visit asked for something here."""
        return Counter(deed.visit for deed in self.deeds)

    def seen(self, path: str) -> int:
        """How many requests came in for ``path``."""
        return sum(deed.path == path for deed in self.deeds)

    async def arrival(self, path: str, times: int = 1) -> None:
        """Wait until ``path`` was asked for so many times."""
        await self._until(lambda: self.seen(path) >= times)

    async def stopped(self) -> None:
        """Wait until the ``stop_at``-th request is in; it gets no answer before ``release``."""
        await self._until(lambda: len(self.deeds) >= self.stop_at)

    async def mend(self, path: str) -> None:
        """Let a broken path work again."""
        async with self._change:
            self.broken.pop(path, None)
            self._change.notify_all()

    async def resume(self) -> None:
        """Answer the ``stop_at``-th request."""
        async with self._change:
            self.stop_at = 0
            self._change.notify_all()

    async def release(self) -> None:
        """Answer everything that is held, now and from now on."""
        async with self._change:
            self.held.clear()
            self.stop_at = 0
            self._change.notify_all()

    async def take(self, path: str, key: str, body: Any) -> Answer:
        """Do what a request asks for. Returns when it may be answered."""
        script = self.answers.get(path, ())
        number = self._told[path]
        self._told[path] += 1
        answer = self.broken.get(path) or (script[number] if number < len(script) else _WELL)
        async with self._change:
            self.deeds.append(Deed(path, key, body, answer.good))
            mine = len(self.deeds)
            self._change.notify_all()
            await self._change.wait_for(lambda: path not in self.held and mine != self.stop_at)
        return answer

    async def _until(self, holds: Any) -> None:
        async with self._change:
            await self._change.wait_for(holds)


class FarSide:
    """The service. Each run gets a room: ``http://127.0.0.1:port/<room>/<path>``."""

    def __init__(self) -> None:
        self.address = ""
        self._rooms: dict[str, Room] = {}

    def room(self, name: str, **rest: Any) -> Room:
        """A new room."""
        room = Room(f"{self.address}/{name}", **rest)
        self._rooms[name] = room
        return room

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            await self._converse(reader, writer)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The worker at the other end may be killed at any moment: then nobody is there to answer.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            start, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            text = await reader.readexactly(int(headers.get("content-length", "0")))
            _, name, path = start.split(" ")[1].split("/", 2)
            body = json.loads(text) if text else None
            answer = await self._rooms[name].take(path, headers.get("idempotency-key", ""), body)
            writer.write(_response(answer, {"path": path, "got": body}))
            await writer.drain()


def _response(answer: Answer, body: dict[str, Any]) -> bytes:
    text = json.dumps(body)
    wait = "" if answer.retry_after is None else f"retry-after: {answer.retry_after:g}\r\n"
    return (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n{wait}content-type: application/json\r\n"
        f"content-length: {len(text)}\r\nconnection: close\r\n\r\n{text}"
    ).encode()


@asynccontextmanager
async def far_side() -> AsyncGenerator[FarSide]:
    """The service, open while the context lasts."""
    service = FarSide()
    conversations: set[asyncio.Task[None]] = set()

    def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(service.serve(reader, writer))
        conversations.add(task)
        task.add_done_callback(conversations.discard)

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    service.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        server.close()
        # Whoever would have heard the answers that are still held was killed.
        left = [*conversations]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
