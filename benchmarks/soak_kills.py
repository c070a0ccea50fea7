"""Kills workers and the server now and again during a soak, and starts others in their place."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.fleet import Fleet
from benchmarks.mortal import MortalServer

__all__ = ["Killer", "meanwhile"]


class Killer:
    """Who kills.

    Args:
        fleet: The workers that may be killed.
        server: The server that may.
        seed: Decides who is killed when.

    Attributes:
        workers: How many workers were killed.
        servers: How often the server was.
    """

    def __init__(self, fleet: Fleet, server: MortalServer, seed: int) -> None:
        self._fleet = fleet
        self._server = server
        self._seed = seed
        self._over = asyncio.Event()
        self._moments: list[tuple[float, float]] = []
        """The times at which something was killed: from just before to gone, or for the server to back again."""
        self.workers = 0
        self.servers = 0

    @asynccontextmanager
    async def at_work(self, workers_every: float, server_every: float) -> AsyncGenerator[None]:
        """Kills while the context lasts, on average so many seconds apart; 0 kills none.

        Whatever it has killed by the end is replaced before the context is left.
        """
        async with (
            meanwhile(self._kill_workers(workers_every), over=self._over),
            meanwhile(self._kill_server(server_every), over=self._over),
        ):
            yield

    def killed_between(self, earlier: float, later: float) -> bool:
        """Whether something was killed between two moments."""
        return any(earlier <= gone and later >= began for began, gone in self._moments)

    async def _kill_workers(self, every: float) -> None:
        """Kill a worker now and again, and start another in its place at once."""
        choice = random.Random(self._seed + 1)  # noqa: S311 - who dies when is no secret
        while every and not await self._is_over(every * choice.uniform(0.5, 1.5)):
            victim = choice.choice(self._fleet.hands)
            began = time.monotonic()
            await self._fleet.kill(victim)
            self._moments.append((began, time.monotonic()))
            self.workers += 1
            await self._fleet.start()

    async def _kill_server(self, every: float) -> None:
        """Kill the server now and again, and start it again on its file."""
        choice = random.Random(self._seed + 2)  # noqa: S311 - nor is when the server dies
        while every and not await self._is_over(every * choice.uniform(0.5, 1.5)):
            began = time.monotonic()
            await self._server.kill()
            await self._server.start()
            self._moments.append((began, time.monotonic()))
            self.servers += 1

    async def _is_over(self, within: float) -> bool:
        try:
            await asyncio.wait_for(self._over.wait(), within)
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, None], *, over: asyncio.Event | None = None) -> AsyncGenerator[None]:
    """Does ``work`` beside what the context does; if it fails, the context fails with it.

    At the end of the context it is told so by ``over``, and ends by itself; without, or on an error, it is cancelled.
    """
    task, context = asyncio.create_task(work), asyncio.current_task()

    def failed(done: asyncio.Task[None]) -> None:
        if context is not None and not done.cancelled() and done.exception() is not None:
            context.cancel()

    task.add_done_callback(failed)
    try:
        yield
    except BaseException:
        task.cancel()
        raise
    else:
        task.remove_done_callback(failed)
        if over is None:
            task.cancel()
        else:
            over.set()
    finally:
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
