"""Runs calls that block in threads of their own, so many at a time, none of which holds up the end of the process."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

__all__ = ["Threads"]

Result = TypeVar("Result")


class Threads:
    """Starts threads.

    Python's own pool waits at exit for what its threads are at, which for a call that nobody waits for any more may be
    minutes; these are left behind.

    Args:
        name: What a list of threads calls them.
        most: How many there may be at a time; further calls wait for one to end.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._free = asyncio.Semaphore(most)

    async def start(self, work: Callable[[], None]) -> None:
        """Starts ``work``, which lets nothing escape, as soon as there is room for it."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()

        def run() -> None:
            try:
                work()
            finally:
                _tell(loop, self._free.release)

        Thread(target=run, name=self._name, daemon=True).start()

    async def call(self, work: Callable[[], Result]) -> Result:
        """What ``work`` returns, or raises; once cancelled, its thread goes on alone."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Result] = loop.create_future()

        def settle(put: Callable[[Any], None], value: object) -> None:
            if not outcome.done():
                put(value)

        def run() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits has to hear of it
                _tell(loop, settle, outcome.set_exception, error)
            else:
                _tell(loop, settle, outcome.set_result, result)

        await self.start(run)
        return await outcome


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *args: object) -> None:
    # The loop may be gone when a thread that was left behind ends.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(what, *args)
