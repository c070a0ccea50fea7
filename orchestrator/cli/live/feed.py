"""Brings what is new of a run into its picture, for as long as somebody looks."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from orchestrator.cli.live.picture import Picture
from orchestrator.client import Orchestrator
from orchestrator.contracts import Event, ProgressPage, RunResult, Usage
from orchestrator.errors import OrchestratorError, RunNotFoundError
from orchestrator.statuses import ENDED

__all__ = ["Change", "Feed"]

_IDLE_S = 0.5
"""Seconds between two questions of a run in which nothing happens."""
_PAGE = 1_000
"""The most that a page may have: of a run that has ended, each question costs a replay of its history."""
_USAGE_S = 1.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 8.0


@dataclass(frozen=True, slots=True)
class Change:
    """What is different now. ``rows``: their keys; ``graph``: another graph; ``problem``: nobody answers at present."""

    rows: frozenset[str] = frozenset()
    events: tuple[Event, ...] = ()
    graph: bool = False
    problem: str | None = None
    result: RunResult | None = field(default=None)


class Feed:
    """A run that is looked at.

    Args:
        runs: The server.
        run_id: The run.
    """

    def __init__(self, runs: Orchestrator, run_id: str) -> None:
        self.picture = Picture(run_id)
        self._runs = runs
        self._asked_usage = 0.0

    async def begin(self) -> None:
        """Read what there is so far.

        Raises:
            RunNotFoundError: There is no such run.
            ServerUnavailableError: The server does not answer.
            WorkerMissingError: No worker answers.
        """
        run_id = self.picture.run_id
        await self._runs.summary(run_id)
        await self._graph()
        page = await self._runs.progress(run_id, limit=_PAGE)
        while page.events:
            self.picture.apply(page)
            page = await self._runs.progress(run_id, after=page.cursor, limit=_PAGE)
        self.picture.apply(page)

    async def _graph(self) -> None:
        run_id = self.picture.run_id
        self.picture.about(await self._runs.definition(run_id))
        self.picture.state(await self._runs.state(run_id))

    async def changes(self) -> AsyncGenerator[Change]:
        """What changes, until the run has ended; a server or worker that is away is waited for."""
        wait = _FIRST_WAIT_S
        while True:
            try:
                async for page in self._runs.watch(
                    self.picture.run_id, after=self.picture.cursor, poll_s=_IDLE_S, limit=_PAGE
                ):
                    wait = _FIRST_WAIT_S
                    yield await self._take(page)
                yield await self._end()
            except RunNotFoundError as error:
                yield Change(problem=error.message)
                return
            except OrchestratorError as error:
                yield Change(problem=error.message)
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT_S)
                continue
            return

    async def _take(self, page: ProgressPage) -> Change:
        replaced = not self.picture.rows or any(event.type == "RUN_MIGRATED" for event in page.events)
        # What it waited for can have gone without an event here: one of a child run's nodes, for instance.
        rows = self.picture.apply(page)
        if replaced:
            await self._graph()
        elif page.status not in ENDED and any(event.type == "COMPLETED" for event in page.events):
            await self._usage()
        return Change(frozenset(rows), page.events, graph=replaced)

    async def _usage(self) -> None:
        """Ask what model calls took, once a second at most: the end tells it anyway."""
        now = time.monotonic()
        if now - self._asked_usage < _USAGE_S:
            return
        self._asked_usage = now
        found = await self._runs.usage(self.picture.run_id)
        self.picture.usage = Usage.model_validate(found["total"])

    async def _end(self) -> Change:
        """How it ended, which the server knows where it has ended the run itself."""
        result = await self._runs.result(self.picture.run_id)
        self.picture.status, self.picture.usage = result.status, result.usage
        self.picture.awaiting, self.picture.troubles = (), ()
        if self.picture.ended is None:
            closed = (await self._runs.summary(self.picture.run_id)).closed
            self.picture.ended = closed.isoformat() if closed else None
        return Change(frozenset(row.key for row in self.picture.rows), result=result)
