"""Bounds what one workflow task does: a task that issues or computes too much can not be taken back.

The server terminates a run whose task completes with more than 4 MiB, whatever each command takes, and the SDK fails a
task that computes for two seconds, for ever. So the engine spends from an allowance that each task fills anew, and ends
the task with a timer when it is used up.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

__all__ = ["MOST_BYTES", "VISIT_WORK", "Pace"]

MOST_BYTES = 1_500_000
"""Bytes of activity inputs and local results in one task, beside what is under way."""
_MOST_WORK = 500_000
VISIT_WORK = 1_000
"""What starting a visit counts, where a step of an expression counts 1: both take some 0.2 ms at this rate."""
_REST = timedelta(milliseconds=1)


class Pace:
    """The allowance of the task under way. Which task that is, history tells, so that a replay rests where the run did.

    Args:
        go_on: Called when a new task has begun after a rest.
    """

    def __init__(self, go_on: Callable[[], None]) -> None:
        self._go_on = go_on
        self._task: int = -1
        self._bytes = 0
        self._work = 0
        self._resting: asyncio.Task[None] | None = None

    def work(self, amount: int) -> None:
        """Note work done."""
        self._begin()
        self._work += amount

    def carried(self, size: int) -> None:
        """Note bytes that the task's completion will hold."""
        self._begin()
        self._bytes += size

    def tired(self) -> bool:
        """Whether this task should start nothing more. If so, a new one will come."""
        tired = self._used_up()
        if tired:
            self._rest()
        return tired

    async def admit(self, size: int) -> None:
        """Wait until a task has room for a command of ``size`` bytes, and take it."""
        while not self._fits(size):
            self._rest()
            await workflow.wait_condition(lambda: self._fits(size))
        self._bytes += size

    async def refreshed(self) -> None:
        """Wait until the task under way is not tired."""
        while self.tired():
            await workflow.wait_condition(lambda: not self._used_up())

    def stop(self) -> None:
        """Rest no more: the run is over."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _used_up(self) -> bool:
        self._begin()
        return self._work >= _MOST_WORK or self._bytes >= MOST_BYTES

    def _fits(self, size: int) -> bool:
        self._begin()
        return self._bytes == 0 or self._bytes + size <= MOST_BYTES

    def _begin(self) -> None:
        # The length of history changes from task to task, and only there.
        task: int = workflow.info().get_current_history_length()
        if task != self._task:
            self._task, self._bytes, self._work = task, 0, 0

    def _rest(self) -> None:
        if self._resting is None:
            self._resting = asyncio.create_task(self._sleep())

    async def _sleep(self) -> None:
        await workflow.sleep(_REST, summary="a new workflow task")
        self._resting = None
        self._go_on()
