"""A way to a PostgreSQL server on which the answer to one commit is lost."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

__all__ = ["Lossy", "lossy"]

_CHUNK = 65_536


class Lossy:
    """Where it listens, and how many commits it let through without telling."""

    def __init__(self) -> None:
        self.port = 0
        self.lost = 0


@asynccontextmanager
async def lossy(host: str, port: int, marker: bytes) -> AsyncGenerator[Lossy]:
    """Passes everything on; cuts the line in place of the first answer to a commit after ``marker`` was sent."""
    state = Lossy()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        marked = committing = False

        async def back() -> None:
            while answer := await far_reader.read(_CHUNK):
                if committing and not state.lost:
                    state.lost += 1
                    break
                writer.write(answer)
            writer.close()

        answers = asyncio.create_task(back())
        with contextlib.suppress(ConnectionError):
            while sent := await reader.read(_CHUNK):
                marked = marked or marker in sent
                committing = marked and b"COMMIT" in sent
                far_writer.write(sent)
        far_writer.close()
        await answers

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    async with server:
        yield state
