"""Looks into the ledger: what scopes have spent, and each call of a run."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import RowMapping, select

from storage.engine import Storage
from storage.ledger import EntryKey
from storage.tables import ENTRIES, SCOPES

__all__ = ["Accounts", "Entry", "Scope"]


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope, and what it has spent and reserved, in nano-dollars."""

    name: str
    spent: int
    reserved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One call of a run. Money in nano-dollars; ``spent`` none: it has not ended."""

    node: str
    visit: int
    try_: int
    attempt: int
    call: int
    state: str
    provider: str
    model: str
    reserved: int
    spent: int | None
    input_tokens: int | None
    output_tokens: int | None
    at: datetime


class Accounts:
    """Reads the ledger.

    Args:
        storage: Where it is kept.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def scopes(self, *, prefix: str = "", limit: int = 1_000) -> list[Scope]:
        """Scopes whose name begins with ``prefix``, those that have spent most first."""
        async with self._storage.reading() as connection:
            rows = await connection.execute(
                select(SCOPES)
                .where(SCOPES.c.scope.startswith(prefix, autoescape=True))
                .order_by(SCOPES.c.spent.desc(), SCOPES.c.scope)
                .limit(limit)
            )
            return [Scope(row["scope"], row["spent"], row["reserved"]) for row in rows.mappings()]

    async def entries(self, first_run_id: str, *, limit: int = 1_000) -> list[Entry]:
        """The calls of a run, in the order they were made; those of its child runs are not among them."""
        async with self._storage.reading() as connection:
            rows = await connection.execute(
                select(ENTRIES).where(ENTRIES.c.first_run_id == first_run_id).order_by(ENTRIES.c.id).limit(limit)
            )
            return [_entry(row) for row in rows.mappings()]

    async def attempts(self, key: EntryKey) -> list[Entry]:
        """The calls of attempts before that of ``key``, in the same try of its visit, in the order they were made."""
        one = key.columns()
        same = [ENTRIES.c[name] == one[name] for name in ("first_run_id", "node", "visit", "run_id", "try")]
        async with self._storage.reading() as connection:
            rows = await connection.execute(
                select(ENTRIES).where(*same, ENTRIES.c.attempt < key.attempt).order_by(ENTRIES.c.id)
            )
            return [_entry(row) for row in rows.mappings()]


def _entry(row: RowMapping) -> Entry:
    return Entry(
        node=row["node"],
        visit=row["visit"],
        try_=row["try"],
        attempt=row["attempt"],
        call=row["call"],
        state=row["state"],
        provider=row["provider"],
        model=row["model"],
        reserved=row["reserved"],
        spent=row["spent"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        # SQLite keeps times without a zone; its own clock is UTC.
        at=row["at"] if row["at"].tzinfo else row["at"].replace(tzinfo=UTC),
    )
