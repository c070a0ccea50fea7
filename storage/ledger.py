"""Money that is spent by calls: reserved before, settled after, and never more than the caps of all scopes allow.

A reservation is one transaction: it counts in every scope of the call, or in none. What a scope has spent and what is
reserved in it stand in one row, and only grow by a statement that checks the cap in the same breath; so calls that
come at once cannot pass a cap together, on whatever workers they are.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, RowMapping, Table, and_, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BudgetExceededError, RequestError
from storage.clock import now_of
from storage.engine import Storage
from storage.tables import ENTRIES, SCOPES

__all__ = ["Booking", "Cap", "EntryKey", "Ledger", "OpenEntry", "Reservation", "Standing"]

Ending = Literal["settled", "released", "booked"]
_MOST = 10**17
"""Nano-dollars of one call; a database sums them up in 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryKey:
    """One paid call: the visit it is for, and which try, attempt and call of it. ``run_id`` differs after a reset."""

    first_run_id: str
    node: str
    visit: int
    run_id: str
    try_: int = 1
    attempt: int = 1
    call: int = 1

    def columns(self) -> dict[str, Any]:
        """Its values by column."""
        return {name.rstrip("_"): value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Cap:
    """What a scope may take, in nano-dollars. ``hard`` none: it is only counted. Over ``soft`` is told, not refused."""

    scope: str
    hard: int | None = None
    soft: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a scope has spent and reserved, in nano-dollars."""

    spent: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is reserved for a call, and which scopes are over their soft limit with it."""

    key: EntryKey
    amount: int
    over_soft: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What a call took: nano-dollars and tokens."""

    amount: int
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEntry:
    """A reservation that nobody has ended. ``id`` counts up."""

    id: int
    key: EntryKey
    reserved: int
    provider: str
    model: str
    at: datetime
    scopes: tuple[str, ...]


class Ledger:
    """Reserves, settles and releases.

    Args:
        storage: Where entries and scopes are kept.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def reserve(
        self, key: EntryKey, amount: int, caps: Sequence[Cap], *, provider: str, model: str
    ) -> Reservation:
        """Set ``amount`` nano-dollars aside in each scope of ``caps``; repeated with the same key, nothing more.

        Raises:
            BudgetExceededError: A hard cap would be passed. Nothing was reserved; the details have the figures.
            RequestError: The call of this key has ended, or may cost more than can be counted.
            StorageUnavailableError: The storage is away: nothing may be spent.
        """
        if amount < 0:
            raise ValueError("a reservation cannot be negative")
        if amount > _MOST:
            raise RequestError(
                f"a call that may cost ${amount // 10**9:,} cannot be booked: ask for fewer `max_tokens`"
            )
        ordered = sorted(caps, key=lambda cap: cap.scope)
        async with self._storage.writing() as connection:
            row = {
                **key.columns(),
                "scopes": [cap.scope for cap in ordered],
                "reserved": amount,
                "state": "reserved",
                "provider": provider,
                "model": model,
            }
            if not await _insert(connection, ENTRIES, row):
                found = (await connection.execute(select(ENTRIES).where(_is(key)))).mappings().one()
                if found["state"] != "reserved":
                    raise RequestError(f"the call {key} has been {found['state']}", details={"state": found["state"]})
                return Reservation(key, found["reserved"])
            over = [cap.scope for cap in ordered if await _take(connection, cap, amount)]
        return Reservation(key, amount, tuple(over))

    async def settle(self, key: EntryKey, booking: Booking) -> bool:
        """Book what the provider reported in place of what was reserved. Returns false if it had ended before."""
        return await self._end(key, "settled", booking)

    async def release(self, key: EntryKey) -> bool:
        """Give back what was reserved: the provider has charged nothing. Returns false if it had ended before."""
        return await self._end(key, "released", Booking(amount=0))

    async def book(self, key: EntryKey) -> bool:
        """Count what was reserved as spent: the provider may have charged. Returns false if it had ended before."""
        return await self._end(key, "booked", None)

    async def standing(self, scope: str) -> Standing:
        """What a scope has spent and reserved; nothing if it was never used."""
        async with self._storage.reading() as connection:
            row = (await connection.execute(select(SCOPES).where(SCOPES.c.scope == scope))).mappings().one_or_none()
        return Standing(row["spent"], row["reserved"]) if row else Standing()

    async def open_entries(
        self, *, older_than: timedelta = timedelta(), after: int = 0, limit: int = 1000
    ) -> list[OpenEntry]:
        """Reservations that nobody has ended, the oldest first: their worker has died, or the call is under way.

        Args:
            older_than: How long ago they were made at least, by the clock of the storage.
            after: The ``id`` of the last one of the page before.
            limit: At most so many.
        """
        async with self._storage.reading() as connection:
            began = await now_of(connection) - older_than
            rows = await connection.execute(
                select(ENTRIES)
                .where(ENTRIES.c.state == "reserved", ENTRIES.c.at <= began, ENTRIES.c.id > after)
                .order_by(ENTRIES.c.id)
                .limit(limit)
            )
            return [_open(row) for row in rows.mappings()]

    async def _end(self, key: EntryKey, state: Ending, booking: Booking | None) -> bool:
        async with self._storage.writing() as connection:
            closing = (
                update(ENTRIES)
                .where(_is(key), ENTRIES.c.state == "reserved")
                .values(
                    state=state,
                    ended_at=func.now(),
                    spent=ENTRIES.c.reserved if booking is None else booking.amount,
                    input_tokens=booking.input_tokens if booking else None,
                    output_tokens=booking.output_tokens if booking else None,
                )
                .returning(ENTRIES.c.reserved, ENTRIES.c.spent, ENTRIES.c.scopes)
            )
            row = (await connection.execute(closing)).one_or_none()
            if row is None:
                if (await connection.execute(select(ENTRIES.c.id).where(_is(key)))).first() is None:
                    raise RequestError(f"nothing was reserved for {key}")
                return False
            for scope in sorted(row.scopes):
                await connection.execute(
                    update(SCOPES)
                    .where(SCOPES.c.scope == scope)
                    .values(reserved=SCOPES.c.reserved - row.reserved, spent=SCOPES.c.spent + row.spent)
                )
        return True


async def _take(connection: AsyncConnection, cap: Cap, amount: int) -> bool:
    """Reserve in one scope. Returns whether it is over its soft limit now."""
    await _insert(connection, SCOPES, {"scope": cap.scope, "spent": 0, "reserved": 0})
    total = SCOPES.c.spent + SCOPES.c.reserved + amount
    fits = () if cap.hard is None else (total <= cap.hard,)
    taking = (
        update(SCOPES)
        .where(SCOPES.c.scope == cap.scope, *fits)
        .values(reserved=SCOPES.c.reserved + amount)
        .returning(SCOPES.c.spent, SCOPES.c.reserved)
    )
    row = (await connection.execute(taking)).one_or_none()
    if row is not None:
        return cap.soft is not None and row.spent + row.reserved > cap.soft
    now = (await connection.execute(select(SCOPES).where(SCOPES.c.scope == cap.scope))).mappings().one()
    raise BudgetExceededError(cap.scope, cap=cap.hard or 0, spent=now["spent"], reserved=now["reserved"], asked=amount)


async def _insert(connection: AsyncConnection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row, unless one with its key is there. Returns whether it was inserted."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    done = await connection.execute(dialect.insert(table).values(row).on_conflict_do_nothing())
    return done.rowcount > 0


def _is(key: EntryKey) -> ColumnElement[bool]:
    return and_(*(ENTRIES.c[name] == value for name, value in key.columns().items()))


def _open(row: RowMapping) -> OpenEntry:
    at: datetime = row["at"]
    return OpenEntry(
        id=row["id"],
        key=EntryKey(
            first_run_id=row["first_run_id"],
            node=row["node"],
            visit=row["visit"],
            run_id=row["run_id"],
            try_=row["try"],
            attempt=row["attempt"],
            call=row["call"],
        ),
        reserved=row["reserved"],
        provider=row["provider"],
        model=row["model"],
        # SQLite keeps times without a zone; its own clock is UTC.
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        scopes=tuple(row["scopes"]),
    )
