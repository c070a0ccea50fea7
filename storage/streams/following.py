"""Follows streams for any number of readers of one process, with one question to the log at a time."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from orchestrator.errors import RequestError, StorageUnavailableError
from orchestrator.stopping import stop
from storage.streams.records import Lost, Record

__all__ = ["PAGE", "Following", "Page", "Source"]

PAGE = 1_000
"""Records of a page."""
_MOST_WAITING = 10_000
"""Records that wait for one slow reader; one that is slower reads them from the log again."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records of a run from some id on. ``begun`` is the id before its first, none where nothing is known of it."""

    begun: int | None
    last: int
    records: Sequence[Record]

    def told(self, run: str, after: int) -> list[Record]:
        """The records for a reader who has ``after``, with word of those that are gone.

        Raises:
            RequestError: The run has not come so far.
        """
        if self.begun is None:
            return [Lost(id=after)] if after else []
        if after > self.last:
            raise RequestError(f"the run {run} has no record {after}; its last one is {self.last}")
        next_one = (after or self.begun) + 1
        if self.records:
            gap = self.records[0].id > next_one
            return [Lost(id=self.records[0].id - 1), *self.records] if gap else list(self.records)
        return [Lost(id=self.last)] if self.last >= next_one else []


class Source(Protocol):
    """Where records come from."""

    async def page(self, run: str, after: int) -> Page:
        """At most ``PAGE`` records of a run."""
        ...

    async def last(self, run: str) -> int:
        """The id of a run's last record; 0 where there is none."""
        ...

    async def newer(self, after: Mapping[str, int]) -> Mapping[str, Sequence[Record]]:
        """What several runs have beyond an id each. May wait a moment for it."""
        ...


class _Inbox:
    """What one reader has not read yet."""

    def __init__(self) -> None:
        self.newest = 0
        self.problem: Exception | None = None
        self._records: list[Record] = []
        self._changed = asyncio.Event()

    def put(self, newest: int, records: Sequence[Record] = ()) -> None:
        self.newest = max(self.newest, newest)
        if len(self._records) + len(records) > _MOST_WAITING:
            self._records.clear()
        else:
            self._records.extend(records)
        self.wake()

    def fail(self, problem: Exception) -> None:
        self.problem = problem
        self.wake()

    def take(self, after: int) -> list[Record]:
        """The records that follow ``after`` without a gap; none if there is one."""
        found = [record for record in self._records if record.id > after]
        self._records = []
        return found if found and found[0].id == after + 1 else []

    def wake(self, _why: object = None) -> None:
        self._changed.set()

    async def changes(self) -> None:
        """Wait until there may be something new."""
        await self._changed.wait()
        self._changed.clear()


class Following:
    """Hands on what is new.

    Args:
        source: Where records come from.
        busy_s: Seconds between two questions while something comes.
        idle_s: The most of them, while nothing does.
    """

    def __init__(self, source: Source, *, busy_s: float, idle_s: float) -> None:
        self._source = source
        self._busy_s, self._idle_s = busy_s, idle_s
        self._inboxes: dict[str, set[_Inbox]] = {}
        self._cursors: dict[str, int] = {}
        self._asking: asyncio.Task[None] | None = None

    async def records(self, run: str, after: int, until: asyncio.Event | None) -> AsyncGenerator[Record]:
        """See ``TokenLog.read``."""
        cursor, look = after, True
        with self._inbox(run, until) as inbox:
            while True:
                # Looked at before reading: what was written before it was set is then read for certain.
                ended = until is not None and until.is_set()
                found = [] if ended else inbox.take(cursor)
                if not found and (look or ended or inbox.newest > cursor):
                    page = await self._source.page(run, cursor)
                    found = page.told(run, cursor)
                    if not cursor and page.begun is not None:
                        cursor = page.begun
                for record in found:
                    yield record
                    cursor = record.id
                look = len(found) >= PAGE
                if look:
                    continue
                if ended:
                    return
                if inbox.problem is not None:
                    raise inbox.problem
                if inbox.newest <= cursor:
                    await inbox.changes()

    async def close(self) -> None:
        """Ask no more."""
        try:
            await stop(self._asking)
        finally:
            self._fail(StorageUnavailableError("the log of streams was closed"))

    @contextmanager
    def _inbox(self, run: str, until: asyncio.Event | None) -> Generator[_Inbox]:
        inbox = _Inbox()
        self._inboxes.setdefault(run, set()).add(inbox)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        ending = None if until is None else asyncio.create_task(until.wait())
        if ending is not None:
            ending.add_done_callback(inbox.wake)
        try:
            yield inbox
        finally:
            if ending is not None:
                ending.cancel()
            self._inboxes[run].discard(inbox)
            if not self._inboxes[run]:
                del self._inboxes[run]

    async def _ask(self) -> None:
        rest = self._busy_s
        while self._inboxes:
            try:
                found = await self._news()
            except Exception as problem:  # noqa: BLE001 - whatever it is, nobody may wait for ever because of it
                self._fail(problem)
                return
            rest = self._busy_s if found else min(rest * 1.3, self._idle_s)
            await asyncio.sleep(rest)

    def _fail(self, problem: Exception) -> None:
        for inbox in [inbox for inboxes in self._inboxes.values() for inbox in inboxes]:
            inbox.fail(problem)

    async def _news(self) -> bool:
        """Ask once, and hand on what there is. Returns whether there was anything."""
        self._cursors = {run: cursor for run, cursor in self._cursors.items() if run in self._inboxes}
        for run in [run for run in self._inboxes if run not in self._cursors]:
            # What came before this a reader reads by itself.
            self._cursors[run] = await self._source.last(run)
            self._hand_on(run, self._cursors[run])
        found = await self._source.newer(dict(self._cursors))
        for run, records in found.items():
            if run in self._cursors:
                self._cursors[run] = records[-1].id
                self._hand_on(run, records[-1].id, records)
        return bool(found)

    def _hand_on(self, run: str, newest: int, records: Sequence[Record] = ()) -> None:
        for inbox in self._inboxes.get(run, ()):
            inbox.put(newest, records)
