"""Ending background tasks does not lose that whoever ends them is to end as well."""

import asyncio

import pytest

from orchestrator.stopping import stop


async def forever() -> None:
    await asyncio.Event().wait()


async def test_tasks_have_ended_whatever_they_end_with() -> None:
    async def fails() -> None:
        try:
            await forever()
        finally:
            raise KeyError("x")

    async def done() -> None:
        return

    tasks = [asyncio.create_task(work()) for work in (forever, fails, done)]
    await asyncio.wait([tasks[2]])
    await asyncio.sleep(0)
    await stop(*tasks, None)

    assert [task.done() for task in tasks] == [True] * 3
    await stop()


async def test_whoever_is_cancelled_meanwhile_is_cancelled_once_they_have_ended() -> None:
    told, end = asyncio.Event(), asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            told.set()
            try:
                await end.wait()
            finally:
                end.set()
            raise

    task = asyncio.create_task(slow_to_end())
    await asyncio.sleep(0)
    stopping = asyncio.create_task(stop(task))
    await told.wait()
    stopping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert (task.done(), end.is_set()) == (True, True)
