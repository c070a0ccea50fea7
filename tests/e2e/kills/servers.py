"""A development server on a file, to be killed and started again on that file."""

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from orchestrator.devserver import DevServer

__all__ = ["MortalServer", "mortal_server"]


class MortalServer:
    """A server that keeps its runs in a file, and comes back at the same address."""

    def __init__(self, file: Path, open_parts: AsyncExitStack) -> None:
        self._file = file
        self._open_parts = open_parts
        self._port: int | None = None
        self._pid = 0

    async def start(self) -> Client:
        """Start it, or start it again. Returns a new client."""
        server = await self._open_parts.enter_async_context(DevServer.start(port=self._port, db_file=self._file))
        assert server.pid is not None
        self._pid, self._port = server.pid, int(server.address.rpartition(":")[2])
        return await server.client()

    async def kill(self) -> None:
        """SIGKILL. Returns when it is gone."""
        os.kill(self._pid, signal.SIGKILL)
        await self._open_parts.aclose()


@asynccontextmanager
async def mortal_server(folder: Path) -> AsyncGenerator[MortalServer]:
    """A server that is not started yet, and stopped when the context is left."""
    async with AsyncExitStack() as open_parts:
        yield MortalServer(folder / "server.db", open_parts)
