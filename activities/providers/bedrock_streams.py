"""Reads a stream of Bedrock's in a thread and hands on each event as it comes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

from activities.threads import Threads

__all__ = ["events_of"]


async def events_of(threads: Threads, opened: Callable[[], Mapping[str, Any]]) -> AsyncGenerator[Mapping[str, Any]]:
    """The events of a stream; whoever closes it ends its thread too, and with it the connection.

    Args:
        threads: Where it is read.
        opened: Asks for the stream; what it returns has it as ``stream``.
    """
    reading = _Reading()
    await threads.start(lambda: reading.read(opened))
    try:
        while True:
            event = await reading.events.get()
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            yield event
    finally:
        reading.leave()


class _Reading:
    """One stream, between the thread that reads it and the coroutine that wants its events; None is its end."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Mapping[str, Any] | Exception | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._lock = Lock()
        self._left = False
        self._connection: Any = None

    def read(self, opened: Callable[[], Mapping[str, Any]]) -> None:
        """Reads it to its end, in a thread."""
        try:
            stream = opened()["stream"]
            try:
                with self._lock:
                    # Its own `close` would wait for the read that it is to end; the connection beneath can do without.
                    self._connection = stream._raw_stream  # noqa: SLF001 - botocore has no public name for it
                    left = self._left
                if not left:
                    for event in stream:
                        self._hand_on(event)
            finally:
                stream.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader has to hear of it
            self._hand_on(error)
        else:
            self._hand_on(None)

    def leave(self) -> None:
        """Wakes the thread where it waits for more."""
        with self._lock:
            self._left = True
            if self._connection is not None:
                # There is nothing to wake where the stream has ended.
                with suppress(ValueError, RuntimeError, OSError):
                    self._connection.shutdown()

    def _hand_on(self, event: Mapping[str, Any] | Exception | None) -> None:
        # The loop may be gone when a thread that nobody waits for ends.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)
