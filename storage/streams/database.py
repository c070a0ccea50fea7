"""Keeps token streams in the database, for any number of processes."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, Row, bindparam, cast, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import StreamSupersededError
from storage.engine import Storage
from storage.streams.deciding import Head, added
from storage.streams.following import PAGE, Following, Page
from storage.streams.log import Keeping
from storage.streams.records import Delta, Finished, Piece, Record, StreamKey, Superseded
from storage.tables import STREAM_RECORDS, STREAM_RUNS, STREAMS

__all__ = ["DatabaseLog"]

_BUSY_S, _IDLE_S = 0.015, 0.1
"""Between two questions of the process, however many readers it has."""
_TRIMMED_TO = 0.75
"""Of the bytes a run may have, how many are left when it had more: less often is more at a time."""
_RUNS, _STREAMS, _RECORDS = STREAM_RUNS.c, STREAMS.c, STREAM_RECORDS.c
_READ = (_RECORDS.id, _RECORDS.kind, _RECORDS.node, _RECORDS.visit, _RECORDS.generation, _RECORDS.offset, _RECORDS.text)
_ADVANCE = (
    update(STREAM_RUNS)
    .where(_RUNS.run == bindparam("of"))
    .values(last=bindparam("to"), size=bindparam("bytes"), at=bindparam("now"))
)
_GROW = (
    update(STREAMS)
    .where(
        _STREAMS.run == bindparam("of"), _STREAMS.node == bindparam("at_node"), _STREAMS.visit == bindparam("at_visit")
    )
    .values(length=bindparam("to"), ending=bindparam("because"))
)


class DatabaseLog:
    """A ``TokenLog`` in the database.

    Args:
        storage: The database; whoever opened it closes it, after this.
        keeping: How long text is kept.
    """

    def __init__(self, storage: Storage, keeping: Keeping) -> None:
        self._storage = storage
        self._keeping = keeping
        self._following = Following(_Source(storage), busy_s=_BUSY_S, idle_s=_IDLE_S)

    async def open(self, key: StreamKey, *, rank: int) -> int:
        """See ``TokenLog``."""
        of_key = (_STREAMS.run == key.run) & (_STREAMS.node == key.node) & (_STREAMS.visit == key.visit)
        async with self._storage.writing() as connection:
            run = await _begun(connection, key.run)
            found = (await connection.execute(select(STREAMS).where(of_key))).one_or_none()
            if found is None:
                row = {"run": key.run, "node": key.node, "visit": key.visit, "rank": rank}
                await connection.execute(STREAMS.insert().values(**row, generation=1, first=run.last + 1, length=0))
                return 1
            if rank < found.rank:
                raise StreamSupersededError(f"a newer attempt writes the text of {key.node}#{key.visit}")
            last = run.last + 1
            record = _row(key, last, "superseded", found.generation)
            await connection.execute(STREAM_RECORDS.insert().values(record))
            await connection.execute(_ADVANCE, [_advance(run.run, last, run.size)])
            await connection.execute(
                update(STREAMS)
                .where(of_key)
                .values(generation=found.generation + 1, rank=rank, first=last + 1, length=0, ending=None)
            )
            return found.generation + 1

    async def append(self, pieces: Sequence[Piece]) -> Sequence[bool | None]:
        """See ``TokenLog``."""
        if not pieces:
            return []
        async with self._storage.writing() as connection:
            runs = await _locked(connection, {piece.key.run for piece in pieces})
            heads = await _heads(connection, pieces)
            change = _Change(runs)
            taken = [change.add(piece, heads.get(piece.key)) for piece in pieces]
            await change.write(connection)
            for run in change.grown:
                if change.size[run] > self._keeping.run_bytes:
                    await self._shorten(connection, run, change.size[run])
        return taken

    def read(self, run: str, *, after: int = 0, until: asyncio.Event | None = None) -> AsyncGenerator[Record]:
        """See ``TokenLog``."""
        return self._following.records(run, after, until)

    async def trim(self) -> int:
        """See ``TokenLog``."""
        now = datetime.now(UTC)
        old = now - timedelta(seconds=self._keeping.seconds)
        older = now - timedelta(seconds=2 * self._keeping.seconds)
        stale = _RUNS.at < old
        async with self._storage.reading() as connection:
            # With nothing but what was superseded a run has no size, and is left for later.
            found = select(_RUNS.run).where(stale, (_RUNS.size > 0) | (_RUNS.at < older))
            runs = (await connection.execute(found)).scalars().all()
        # One by one, so that nobody who writes for another run waits for it.
        return sum([await self._drop(run, stale, older) for run in runs])

    async def _drop(self, run: str, stale: ColumnElement[bool], older: datetime) -> int:
        """Drop the text of a run; and, where it is ``older``, all that is known of it."""
        async with self._storage.writing() as connection:
            locked = select(_RUNS.at < older).where(_RUNS.run == run, stale).with_for_update()
            forgotten = (await connection.execute(locked)).scalar()
            if forgotten is None:
                return 0
            gone = (await connection.execute(delete(STREAM_RECORDS).where(_RECORDS.run == run))).rowcount
            await connection.execute(update(STREAM_RUNS).where(_RUNS.run == run).values(size=0))
            if forgotten:
                for table in (STREAMS, STREAM_RUNS):
                    await connection.execute(delete(table).where(table.c.run == run))
            return gone

    async def close(self) -> None:
        """Ask no more for what is new."""
        await self._following.close()

    async def _shorten(self, connection: AsyncConnection, run: str, size: int) -> None:
        """Drop the oldest of a run, but nothing that somebody is still writing, nor what came after it."""
        open_ones = select(func.min(_STREAMS.first)).where(_STREAMS.run == run, _STREAMS.ending.is_(None))
        guarded = (await connection.execute(open_ones)).scalar()
        oldest = (await connection.execute(select(func.min(_RECORDS.id)).where(_RECORDS.run == run))).scalar()
        if guarded is not None and oldest is not None and oldest >= guarded:
            return
        newer = func.sum(_RECORDS.size).over(order_by=_RECORDS.id.desc()).label("newer")
        kept = select(_RECORDS.id, newer).where(_RECORDS.run == run).subquery()
        most = int(self._keeping.run_bytes * _TRIMMED_TO)
        cut = (await connection.execute(select(func.max(kept.c.id)).where(kept.c.newer > most))).scalar()
        if cut is None:
            return
        last = cut if guarded is None else min(cut, guarded - 1)
        going = (_RECORDS.run == run) & (_RECORDS.id <= last)
        freed = (await connection.execute(select(func.sum(_RECORDS.size)).where(going))).scalar() or 0
        await connection.execute(delete(STREAM_RECORDS).where(going))
        await connection.execute(update(STREAM_RUNS).where(_RUNS.run == run).values(size=size - freed))


class _Change:
    """What a batch of pieces changes."""

    def __init__(self, runs: Mapping[str, Row[Any]]) -> None:
        self.last = {run: row.last for run, row in runs.items()}
        self.size = {run: row.size for run, row in runs.items()}
        self.grown: dict[str, None] = {}
        self._records: list[dict[str, Any]] = []
        self._streams: list[dict[str, Any]] = []

    def add(self, piece: Piece, head: Head | None) -> bool | None:
        """Take a piece, if it is to be taken. Returns whether; none where nothing is known of its text."""
        if head is None:
            return None
        new = added(head, piece)
        if new is None:
            return False
        if not new.text and new.ending is None:
            return True
        key = piece.key
        if new.text:
            self._record(key, "delta", piece, new.text)
        if new.ending is not None:
            self._record(key, "finished", piece, new.ending)
        where = {"of": key.run, "at_node": key.node, "at_visit": key.visit}
        self._streams.append({**where, "to": piece.end, "because": new.ending})
        return True

    def _record(self, key: StreamKey, kind: str, piece: Piece, text: str) -> None:
        self.last[key.run] += 1
        record = _row(key, self.last[key.run], kind, piece.generation, offset=piece.offset, text=text)
        self._records.append(record)
        self.size[key.run] += record["size"]
        self.grown[key.run] = None

    async def write(self, connection: AsyncConnection) -> None:
        if not self._records:
            return
        await connection.execute(STREAM_RECORDS.insert(), self._records)
        await connection.execute(_GROW, self._streams)
        await connection.execute(_ADVANCE, [_advance(run, self.last[run], self.size[run]) for run in self.grown])


def _row(key: StreamKey, number: int, kind: str, generation: int, *, offset: int = 0, text: str = "") -> dict[str, Any]:
    return {
        "run": key.run,
        "id": number,
        "kind": kind,
        "node": key.node,
        "visit": key.visit,
        "generation": generation,
        "offset": offset,
        "text": text,
        "size": len(text.encode()),
    }


def _advance(run: str, last: int, size: int) -> dict[str, Any]:
    return {"of": run, "to": last, "bytes": size, "now": datetime.now(UTC)}


async def _begun(connection: AsyncConnection, run: str) -> Row[Any]:
    """The row of a run, locked; made where there is none."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # A run whose text was trimmed, or a log that was lost, begins again beyond any id that somebody may have.
    begun = time.time_ns() // 1_000
    row = {"run": run, "begun": begun, "last": begun, "size": 0, "at": datetime.now(UTC)}
    await connection.execute(dialect.insert(STREAM_RUNS).values(row).on_conflict_do_nothing())
    return (await _locked(connection, {run}))[run]


async def _locked(connection: AsyncConnection, runs: set[str]) -> dict[str, Row[Any]]:
    # In one order everywhere, or two who write for the same runs would wait for each other.
    statement = select(STREAM_RUNS).where(_RUNS.run.in_(sorted(runs))).order_by(_RUNS.run).with_for_update()
    return {row.run: row for row in await connection.execute(statement)}


async def _heads(connection: AsyncConnection, pieces: Sequence[Piece]) -> dict[StreamKey, Head]:
    keys = [(piece.key.run, piece.key.node, piece.key.visit) for piece in pieces]
    rows = await connection.execute(
        select(STREAMS).where(tuple_(_STREAMS.run, _STREAMS.node, _STREAMS.visit).in_(keys))
    )
    return {
        StreamKey(row.run, row.node, row.visit): Head(generation=row.generation, length=row.length, ending=row.ending)
        for row in rows
    }


class _Source:
    """What ``Following`` asks."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def page(self, run: str, after: int) -> Page:
        async with self._storage.reading() as connection:
            row = (await connection.execute(select(STREAM_RUNS).where(_RUNS.run == run))).one_or_none()
            if row is None:
                return Page(None, 0, ())
            # Afterwards, so that there are no fewer records than the row knows of, unless they were trimmed.
            rows = await connection.execute(
                select(*_READ).where(_RECORDS.run == run, _RECORDS.id > after).order_by(_RECORDS.id).limit(PAGE)
            )
            return Page(row.begun, row.last, [_record(*found) for found in rows])

    async def last(self, run: str) -> int:
        async with self._storage.reading() as connection:
            return (await connection.execute(select(_RUNS.last).where(_RUNS.run == run))).scalar() or 0

    async def newer(self, after: Mapping[str, int]) -> Mapping[str, Sequence[Record]]:
        async with self._storage.reading() as connection:
            found: dict[str, list[Record]] = {}
            each = func.json_each_text if connection.dialect.name == "postgresql" else func.json_each
            asked = each(bindparam("after", type_=JSON)).table_valued("key", "value")
            statement = (
                select(_RECORDS.run, *_READ)
                .join(asked, (_RECORDS.run == asked.c.key) & (_RECORDS.id > cast(asked.c.value, BigInteger)))
                .order_by(_RECORDS.run, _RECORDS.id)
            )
            for run, *rest in await connection.execute(statement, {"after": dict(after)}):
                found.setdefault(run, []).append(_record(*rest))
        return found


def _record(number: int, kind: str, node: str, visit: int, generation: int, offset: int, text: str) -> Record:
    if kind == "delta":
        return Delta(id=number, node=node, visit=visit, generation=generation, offset=offset, text=text)
    if kind == "finished":
        return Finished(id=number, node=node, visit=visit, generation=generation, reason=text)
    return Superseded(id=number, node=node, visit=visit, generation=generation)
