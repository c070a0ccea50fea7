"""A development server to be killed and started again on its file."""

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from orchestrator.devserver import DevServer

__all__ = ["MortalServer"]


class MortalServer:
    """A server that comes back at the same address, with what is in its file."""

    def __init__(self, file: Path | None, parts: AsyncExitStack) -> None:
        self._file = file
        self._parts = parts
        self._port: int | None = None
        self._pid = 0

    @staticmethod
    @asynccontextmanager
    async def open(file: Path | None) -> AsyncGenerator["MortalServer"]:
        """A server that is not started yet, and stopped when the context is left; without a file it forgets all."""
        async with AsyncExitStack() as parts:
            yield MortalServer(file, parts)

    async def start(self) -> Client:
        """Start it, or start it again. Returns a new client."""
        server = await self._parts.enter_async_context(DevServer.start(port=self._port, db_file=self._file))
        if server.pid is None:
            raise RuntimeError("a server that was started here has a process id")
        self._pid, self._port = server.pid, int(server.address.rpartition(":")[2])
        return await server.client()

    async def kill(self) -> None:
        """SIGKILL. Returns when it is gone."""
        os.kill(self._pid, signal.SIGKILL)
        await self._parts.aclose()
