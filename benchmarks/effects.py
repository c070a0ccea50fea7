"""The outside world of a soak: a web service on loopback that notes every effect by its idempotency key."""

import asyncio
import socket
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

__all__ = ["Effects", "Room", "open_effects"]

_REFUSED = 402
_GONE = 410
_MOST_LATE = 100


@dataclass
class Room:
    """What the service keeps for one run.

    A path in ``broken`` is refused, and does nothing. One in ``held`` is done, and not answered before ``release``.
    ``arrivals`` are the times (of ``time.monotonic``) at which each key did its work.
    """

    url: str
    broken: set[str] = field(default_factory=set[str])
    held: set[str] = field(default_factory=set[str])
    arrivals: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def times(self) -> dict[str, list[float]]:
        """When each visit did its work: ``pay#1``, ``items[3].pay#2``, without the run that is in its key."""
        found: dict[str, list[float]] = defaultdict(list)
        for key, moments in self.arrivals.items():
            found[key.partition("/")[2]] += moments
        return found

    async def arrival(self, path: str, times: int = 1) -> float:
        """Wait until ``path`` was asked for so many times. Returns when that was first the case."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self._moments(path)) >= times)
        return self._moments(path)[times - 1]

    def release(self) -> None:
        """Answer everything that is held, now and from now on."""
        self._released.set()

    async def take(self, path: str, key: str) -> bool:
        """Do what a request asks for. Returns whether it was done, when it may be answered."""
        if path in self.broken:
            return False
        self.arrivals[key].append(time.monotonic())
        async with self._arrived:
            self._arrived.notify_all()
        if path in self.held:
            await self._released.wait()
        return True

    def _moments(self, path: str) -> list[float]:
        return sorted(moment for key, moments in self.arrivals.items() if _node(key) == path for moment in moments)


class Effects:
    """The service. Each run gets a room: ``http://127.0.0.1:port/<room>/<path>``.

    ``late`` are requests for rooms that were closed already, the first hundred of them.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests = 0
        self.late: list[str] = []
        self._rooms: dict[str, Room] = {}

    def open(self, name: str, *, broken: set[str] | None = None, held: set[str] | None = None) -> Room:
        """A new room."""
        room = Room(f"{self.address}/{name}", broken=broken or set(), held=held or set())
        self._rooms[name] = room
        return room

    def close(self, name: str) -> None:
        """Forget a room: whatever is asked for in it from now on is too late."""
        self._rooms.pop(name).release()

    async def serve(self, request: Request) -> JSONResponse:
        """Answer one request: with its path, and what came with it."""
        name, path = request.path_params["room"], request.path_params["path"]
        key = request.headers.get("idempotency-key", "")
        self.requests += 1
        room = self._rooms.get(name)
        if room is None:
            if len(self.late) < _MOST_LATE:
                self.late.append(f"{name}/{key}")
            return JSONResponse({"path": path}, _GONE)
        got = await request.json()
        return JSONResponse({"path": path, "got": got}, 200 if await room.take(path, key) else _REFUSED)


@asynccontextmanager
async def open_effects() -> AsyncGenerator[Effects]:
    """The service, open while the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        effects = Effects(f"http://127.0.0.1:{listener.getsockname()[1]}")
        app = Starlette(routes=[Route("/{room}/{path:path}", effects.serve, methods=["POST"])])
        config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield effects
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """Leaves signals to the program it is a part of."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Captures none."""
        yield


def _node(key: str) -> str:
    """The node in a key: ``run/pay#1`` gives ``pay``."""
    return key.partition("/")[2].partition("#")[0].rpartition(".")[2]
