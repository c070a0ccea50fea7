"""Reads along what the models of a run write, and those of all runs that it starts, as one stream."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.client.lineage import children, first_run_id
from orchestrator.stopping import stop
from storage.streams import Lost, Record, TokenLog

__all__ = ["Said", "texts"]

_AT_ONCE = 50
"""Runs of one family that are read at once; each holds a question at the server."""
_MOST_WAITING = 256
"""Records that wait for whoever reads; more wait in the log."""
_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Said:
    """A record of what models write, and whose it is.

    ``run`` and ``life`` are the id and the first run id of the run that has it; ``place`` is where that run stands in
    the one that is read: nothing for that one itself, ``sub#2`` or ``sub.inner`` for runs that it started. Without a
    ``record`` it says that this run has ended, or is no longer waited for.
    """

    run: str
    life: str
    place: str
    record: Record | None

    @property
    def placed(self) -> Record | None:
        """The record with the place before its node: ``sub.tell``."""
        if not self.place or self.record is None or isinstance(self.record, Lost):
            return self.record
        return replace(self.record, node=f"{self.place}.{self.record.node}")


async def texts(
    client: Client, log: TokenLog, run_id: str, *, after: Mapping[str, int] | None = None
) -> AsyncGenerator[Said]:
    """What the models of a run and of its child runs write, as they write it, until the run has ended.

    Within each run the order is that of its ids. A server that does not answer only hides child runs that begin
    meanwhile; they are read once it is back.

    Args:
        client: The server.
        log: Where text is kept; whoever opened it closes it.
        run_id: The run.
        after: By first run id, the ids that were read last; runs that are not in it are read from their beginning.

    Raises:
        RunNotFoundError: There is no such run.
        ServerUnavailableError: The server does not answer.
        RequestError: A run has not come to the id that was given for it.
        StorageUnavailableError: The log is away. Reading on from the last ids repeats and misses nothing.
    """
    family = _Family(client, log, after or {})
    family.add(_Member(run_id, await first_run_id(client, run_id), ""))
    try:
        while (item := await family.queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        await family.close()


@dataclass(frozen=True, slots=True)
class _Member:
    run: str
    life: str
    place: str
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def says(self, record: Record | None) -> Said:
        return Said(self.run, self.life, self.place, record)


class _Family:
    """A run and those that it starts. ``queue`` has what they say, then nothing; or what kept it from being read."""

    def __init__(self, client: Client, log: TokenLog, after: Mapping[str, int]) -> None:
        self.queue: asyncio.Queue[Said | Exception | None] = asyncio.Queue(_MOST_WAITING)
        self._client, self._log, self._after = client, log, after
        self._known: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._over = asyncio.Event()

    def add(self, member: _Member) -> None:
        if member.run in self._known:
            return
        self._known.add(member.run)
        self._under_way += 1
        task = asyncio.create_task(self._counted(self._follow(member)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        await stop(*self._tasks)

    async def _counted(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever reads is told
            await self.queue.put(error)
        self._under_way -= 1
        if not self._under_way:
            await self.queue.put(None)

    async def _follow(self, member: _Member) -> None:
        async with self._turn:
            looking = asyncio.create_task(self._look(member))
            try:
                await self._read(member)
                await looking
            finally:
                await stop(looking)

    async def _read(self, member: _Member) -> None:
        last = self._after.get(member.life, 0)
        async with aclosing(self._log.read(member.life, after=last, until=member.over)) as records:
            async for record in records:
                await self.queue.put(member.says(record))
        await self.queue.put(member.says(None))

    async def _look(self, member: _Member) -> None:
        """Follow the children of a member, and notice its end; that of the first ends all."""
        try:
            while True:
                if await self._looked(member):
                    return
                await asyncio.sleep(_AGAIN_S)
        finally:
            member.over.set()
            if not member.place:
                self._over.set()

    async def _looked(self, member: _Member) -> bool:
        """Take its children in, until it has ended. Returns whether the server has answered to the end."""
        try:
            async with aclosing(children(self._client, member.run, until=self._over)) as found:
                async for child in found:
                    place = f"{member.place}.{child.visit}" if member.place else child.visit
                    self.add(_Member(child.run, child.life, place))
        except RPCError as error:
            # What the server no longer keeps has ended long ago.
            return error.status is RPCStatusCode.NOT_FOUND
        return True
