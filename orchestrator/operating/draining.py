"""Runs a worker until it is told to stop, and lets it finish what it does."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from temporalio.worker import Worker

from orchestrator.errors import SettingsError

__all__ = ["Stop", "run_until", "stop_signals", "unless_stopped"]

T = TypeVar("T")
_log = logging.getLogger("worker")


class Stop(asyncio.Event):
    """Set when a process is told to stop; ``hurry`` is set when it is told again."""

    def __init__(self) -> None:
        super().__init__()
        self.hurry = asyncio.Event()

    def tell(self) -> None:
        """Tell it to stop, or, for the second time, to hurry."""
        (self.hurry if self.is_set() else self).set()


@asynccontextmanager
async def stop_signals() -> AsyncGenerator[Stop]:
    """What SIGTERM and SIGINT tell this process, as long as the context lasts."""
    stop, loop = Stop(), asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.tell)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What ``work`` gives; none if ``stop`` was set before it was done: it is then cancelled."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def run_until(
    stop: asyncio.Event,
    worker: Worker,
    *,
    hurried: asyncio.Event | None = None,
    hurry: Callable[[], None] | None = None,
) -> None:
    """Runs ``worker`` until ``stop`` is set, then lets the nodes in flight finish within the grace period.

    Args:
        stop: Ends it.
        worker: Not yet running.
        hurried: Set when nodes in flight shall not finish after all.
        hurry: What ends them.

    Raises:
        SettingsError: The server does not know the namespace, or refuses the worker.
        RuntimeError: The worker could not go on, once it had begun.
    """
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    hurrying: asyncio.Task[None] | None = None
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            _log.info("stopping: nodes in flight may finish, nothing new is taken")
            if hurried is not None and hurry is not None:
                hurrying = asyncio.create_task(_hurry(hurried, hurry))
            await worker.shutdown()
        await running
    except RuntimeError as error:
        # The SDK names what ended a worker under way as the cause; one that it never let begin has none.
        if error.__cause__ is not None:
            raise
        reason = str(error).partition(": Status {")[0]
        raise SettingsError(f"The Temporal server does not accept this worker: {reason}.") from error
    finally:
        stopping.cancel()
        if hurrying is not None:
            hurrying.cancel()
            with suppress(asyncio.CancelledError):
                await hurrying


async def _hurry(hurried: asyncio.Event, hurry: Callable[[], None]) -> None:
    await hurried.wait()
    _log.warning("told to stop again: nodes in flight are ended, and other workers try them again")
    hurry()
