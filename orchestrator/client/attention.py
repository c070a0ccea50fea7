"""Runs that need attention, many at a time: what is wrong with each, and what became of resolving it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

from orchestrator.contracts import ChildRun, ErrorInfo, Parked, ProgressPage, ResolveReply
from orchestrator.contracts.base import Written
from orchestrator.errors import OrchestratorError, WorkerMissingError

__all__ = ["Resolution", "Trouble", "in_order", "resolutions", "troubles"]

AT_ONCE = 16

Item = TypeVar("Item")
Found = TypeVar("Found")


class Trouble(Written):
    """Why a run needs attention: its own parked nodes, and those of its child runs."""

    run: str
    parked: tuple[Parked, ...] = ()
    children: tuple[ChildRun, ...] = ()
    """The child runs that have parked nodes; those are resolved there."""
    unknown: ErrorInfo | None = None
    """Why the run could not be asked; none if it answered."""

    @property
    def first(self) -> Parked | None:
        """What has been parked longest, here or in a child run; none if nothing is parked any more."""
        every = [*self.parked, *(parked for child in self.children for parked in child.parked)]
        return min(every, key=lambda parked: parked.since, default=None)


class Resolution(Written):
    """What became of resolving one run of many."""

    run: str
    resolved: tuple[str, ...] = ()
    parked: tuple[Parked, ...] = ()
    """What is parked now."""
    error: ErrorInfo | None = None
    """Why nothing was resolved; none if something was."""


def troubles(run_ids: Iterable[str], progress: Callable[[str], Awaitable[ProgressPage]]) -> AsyncGenerator[Trouble]:
    """What is wrong with each run, in the order given. Once no worker answers for one, no further one is asked."""
    away: list[ErrorInfo] = []

    async def ask(run_id: str) -> Trouble:
        if away:
            return Trouble(run=run_id, unknown=away[0])
        try:
            page = await progress(run_id)
        except OrchestratorError as error:
            if isinstance(error, WorkerMissingError):
                away.append(_info(error))
            return Trouble(run=run_id, unknown=_info(error))
        children = tuple(child for child in page.children if child.parked)
        return Trouble(run=run_id, parked=page.parked, children=children)

    return in_order(run_ids, ask)


def resolutions(
    run_ids: Iterable[str], resolve: Callable[[str], Awaitable[ResolveReply]]
) -> AsyncGenerator[Resolution]:
    """What became of resolving each run, in the order given; that one fails stops no other."""

    async def one(run_id: str) -> Resolution:
        try:
            reply = await resolve(run_id)
        except OrchestratorError as error:
            return Resolution(run=run_id, error=_info(error))
        return Resolution(run=run_id, resolved=reply.resolved, parked=reply.parked)

    return in_order(run_ids, one)


def _info(error: OrchestratorError) -> ErrorInfo:
    return ErrorInfo.of(error)


async def in_order(items: Iterable[Item], work: Callable[[Item], Awaitable[Found]]) -> AsyncGenerator[Found]:
    """What ``work`` gives for each item, in their order, with a bounded number under way."""
    under_way: deque[asyncio.Future[Found]] = deque()
    try:
        for item in items:
            if len(under_way) == AT_ONCE:
                yield await under_way.popleft()
            under_way.append(asyncio.ensure_future(work(item)))
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
