"""What is opened late is opened once, and what cannot be opened is tried once for all who wait."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from activities.lazily import Lazily


class Door:
    """Opens when it is let, or fails as it is told; counts."""

    def __init__(self) -> None:
        self.tried = 0
        self.closed = 0
        self.let = asyncio.Event()
        self.error: Exception | None = None

    @asynccontextmanager
    async def opening(self) -> AsyncGenerator[str]:
        self.tried += 1
        await self.let.wait()
        if self.error is not None:
            raise self.error
        yield "open"
        self.closed += 1


async def test_many_who_need_it_at_once_open_it_once() -> None:
    door = Door()
    lazily = Lazily(door.opening)
    waiting = asyncio.gather(*(lazily.get() for _ in range(5)))
    await asyncio.sleep(0)
    door.let.set()

    assert await waiting == ["open"] * 5
    assert await lazily.get() == "open"
    await lazily.close()
    assert (door.tried, door.closed) == (1, 1)


async def test_all_who_wait_are_told_why_it_failed_and_the_next_one_tries_again() -> None:
    door = Door()
    door.error = OSError("away")
    lazily = Lazily(door.opening)
    waiting = asyncio.gather(*(lazily.get() for _ in range(5)), return_exceptions=True)
    await asyncio.sleep(0)
    door.let.set()
    assert [str(error) for error in await waiting] == ["away"] * 5
    assert door.tried == 1

    door.error = None
    assert await lazily.get() == "open"
    await lazily.close()
    assert (door.tried, door.closed) == (2, 1)


async def test_one_who_waits_no_more_does_not_stop_it_for_the_others() -> None:
    door = Door()
    lazily = Lazily(door.opening)
    first, second = asyncio.create_task(lazily.get()), asyncio.create_task(lazily.get())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    door.let.set()

    assert await second == "open"
    await lazily.close()


async def test_what_is_just_being_opened_can_be_closed() -> None:
    door = Door()
    lazily = Lazily(door.opening)
    waiting = asyncio.create_task(lazily.get())
    await asyncio.sleep(0)
    await lazily.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert door.closed == 0
