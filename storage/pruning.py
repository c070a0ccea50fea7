"""Takes from the ledger what nobody needs any more: calls that ended long ago, and the sums of days long past."""

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from storage.clock import now_of
from storage.engine import Storage
from storage.tables import ENTRIES, SCOPES

__all__ = ["Pruned", "prune"]

_BATCH: Final = 500
"""Rows that go in one transaction: whoever spends meanwhile waits no longer than that takes."""
_PAUSE_S: Final = 0.02
"""Between two of them: SQLite hands its lock to whoever asks in the right moment, not to who waits longest."""
_DAY: Final = re.compile(
    r"(?:(?:run|tenant|definition):[^/]*|(?:user|conversation):[^/]*/[^/]*)/(?P<day>\d{4}-\d\d-\d\d)", re.DOTALL
)
"""The scope of a budget with ``each: day``."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many calls and scopes went, or would go; and how many calls stayed because their run is open."""

    entries: int = 0
    scopes: int = 0
    kept: int = 0


async def prune(storage: Storage, older_than: timedelta, *, open_runs: Collection[str] = (), go: bool) -> Pruned:
    """Delete calls that ended before, and scopes of days that were over before. All other sums stay as they are.

    Args:
        storage: Where the ledger is.
        older_than: How long ago.
        open_runs: First run ids of runs whose calls stay.
        go: Whether they are deleted, or only counted.

    Raises:
        StorageUnavailableError: The storage is away. What has gone by then is gone.
    """
    async with storage.reading() as connection:
        before = await now_of(connection) - older_than
    entries = kept = last = 0
    while page := await _ended(storage, before, last):
        last = page[-1][0]
        going = [number for number, first_run_id in page if first_run_id not in open_runs]
        entries += await _delete_entries(storage, going) if go else len(going)
        kept += len(page) - len(going)
    return Pruned(entries, await _prune_scopes(storage, before.astimezone(UTC).date(), go=go), kept)


async def _ended(storage: Storage, before: datetime, after: int) -> Sequence[tuple[int, str]]:
    found = (
        select(ENTRIES.c.id, ENTRIES.c.first_run_id)
        .where(ENTRIES.c.id > after, ENTRIES.c.state != "reserved", ENTRIES.c.ended_at < before)
        .order_by(ENTRIES.c.id)
        .limit(_BATCH)
    )
    async with storage.reading() as connection:
        return [(row.id, row.first_run_id) for row in await connection.execute(found)]


async def _delete_entries(storage: Storage, numbers: Sequence[int]) -> int:
    if not numbers:
        return 0
    async with storage.writing() as connection:
        gone = await connection.execute(delete(ENTRIES).where(ENTRIES.c.id.in_(numbers), ENTRIES.c.state != "reserved"))
    await asyncio.sleep(_PAUSE_S)
    return gone.rowcount


async def _prune_scopes(storage: Storage, before: date, *, go: bool) -> int:
    found, last = 0, ""
    while True:
        async with storage.reading() as connection:
            page = (
                (
                    await connection.execute(
                        select(SCOPES.c.scope)
                        .where(SCOPES.c.scope > last, SCOPES.c.scope.like("%/____-__-__"), SCOPES.c.reserved == 0)
                        .order_by(SCOPES.c.scope)
                        .limit(_BATCH)
                    )
                )
                .scalars()
                .all()
            )
        if not page:
            return found
        last = page[-1]
        going = [name for name in page if _is_over(name, before)]
        found += await _delete_scopes(storage, going) if go else len(going)


async def _delete_scopes(storage: Storage, names: Sequence[str]) -> int:
    if not names:
        return 0
    async with storage.writing() as connection:
        gone = await connection.execute(delete(SCOPES).where(SCOPES.c.scope.in_(names), SCOPES.c.reserved == 0))
    await asyncio.sleep(_PAUSE_S)
    return gone.rowcount


def _is_over(scope: str, before: date) -> bool:
    """Whether it is the scope of a day that is before that."""
    found = _DAY.fullmatch(scope)
    try:
        return found is not None and date.fromisoformat(found["day"]) < before
    except ValueError:
        return False
