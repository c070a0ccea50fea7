"""Opens something when it is first needed, once for all who need it, and closes it in the end."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import Generic, TypeVar

__all__ = ["Lazily"]

Opened = TypeVar("Opened")


class Lazily(Generic[Opened]):
    """Something that is opened late.

    Whoever asks while it is being opened waits for that attempt, and is told its error: a hundred nodes that need what
    is away wait as long as one. The next one to ask tries again.

    Args:
        opening: Opens it; left by ``close``.
    """

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[Opened]]) -> None:
        self._opening = opening
        self._stack = AsyncExitStack()
        self._opened: Opened | None = None
        self._attempt: asyncio.Task[Opened] | None = None

    async def get(self) -> Opened:
        """What was opened.

        Raises:
            Exception: That of opening it.
        """
        if self._opened is not None:
            return self._opened
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._open())
        return await asyncio.shield(self._attempt)

    async def close(self) -> None:
        """Closes it, if it was opened."""
        if self._attempt is not None:
            self._attempt.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._attempt
        self._opened = None
        await self._stack.aclose()

    async def _open(self) -> Opened:
        try:
            self._opened = await self._stack.enter_async_context(self._opening())
        finally:
            self._attempt = None
        return self._opened
