"""Serves a small HTTP application of ours beside the other work of a process."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

__all__ = ["serving"]

_LAST_ANSWERS_S = 2


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves SIGTERM and SIGINT to the process: they begin its drain, and this server answers until its end."""
        yield


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket, *, body_timeout: int = 5) -> AsyncGenerator[None]:
    """Answers on ``listener`` as long as the context lasts, and closes it.

    Args:
        app: What answers.
        listener: A socket that listens already.
        body_timeout: Seconds that an idle connection is kept.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=body_timeout,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
        ws="none",
    )
    server = _Server(config)
    with contextlib.closing(listener):
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await task
