"""What ended long ago goes from the ledger, on both databases, and nothing else does."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from storage import Accounts, Booking, Cap, EntryKey, Ledger, Pruned, Standing, Storage, open_storage, prune
from storage.tables import ENTRIES, SCOPES
from tests.integration.test_ledger import database_of_its_own

MODEL = {"provider": "openai", "model": "gpt-4o-mini"}
KEY = EntryKey(first_run_id="first", node="ask", visit=1, run_id="run")
MONTH = timedelta(days=30)
LONG_AGO = datetime.now(UTC) - timedelta(days=31)


@pytest.fixture(params=["sqlite", "postgresql"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Storage]:
    async with database_of_its_own(request.param, tmp_path) as url, open_storage(url) as opened:
        yield opened


async def ended_long_ago(storage: Storage, key: EntryKey, caps: list[Cap]) -> None:
    await Ledger(storage).reserve(key, 300, caps, **MODEL)
    await Ledger(storage).settle(key, Booking(amount=100))
    async with storage.writing() as connection:
        of_key = ENTRIES.c.first_run_id == key.first_run_id
        await connection.execute(update(ENTRIES).where(of_key).values(at=LONG_AGO, ended_at=LONG_AGO))


async def nodes(storage: Storage, first_run_id: str) -> list[str]:
    return [entry.node for entry in await Accounts(storage).entries(first_run_id)]


async def test_what_ended_long_ago_goes_and_its_sums_stay(storage: Storage) -> None:
    await ended_long_ago(storage, KEY, [Cap("run:first"), Cap("tenant:acme")])
    await Ledger(storage).reserve(replace(KEY, node="open"), 300, [Cap("run:first")], **MODEL)
    await Ledger(storage).reserve(replace(KEY, node="late"), 300, [Cap("run:first")], **MODEL)
    async with storage.writing() as connection:
        await connection.execute(update(ENTRIES).values(at=LONG_AGO))
    await Ledger(storage).settle(replace(KEY, node="late"), Booking(amount=100))

    assert await prune(storage, MONTH, go=False) == Pruned(entries=1)
    assert await nodes(storage, "first") == ["ask", "open", "late"]
    assert await prune(storage, MONTH, go=True) == Pruned(entries=1)
    assert await nodes(storage, "first") == ["open", "late"]
    assert await prune(storage, MONTH, go=True) == Pruned()
    assert await Ledger(storage).standing("run:first") == Standing(spent=200, reserved=300)
    assert await Ledger(storage).standing("tenant:acme") == Standing(spent=100, reserved=0)


async def test_calls_of_open_runs_stay(storage: Storage) -> None:
    await ended_long_ago(storage, KEY, [Cap("run:first")])
    await ended_long_ago(storage, replace(KEY, first_run_id="other"), [Cap("run:other")])

    assert await prune(storage, MONTH, open_runs={"first"}, go=True) == Pruned(entries=1, kept=1)
    assert (await nodes(storage, "first"), await nodes(storage, "other")) == (["ask"], [])


async def test_sums_of_days_that_are_over_go_and_no_others(storage: Storage) -> None:
    old, new = (LONG_AGO - timedelta(days=2)).date(), datetime.now(UTC).date()
    going = [f"tenant:acme/{old}", f"user:acme/ada/{old}", f"definition:ask/{old}", f"run:first/{old}"]
    staying = [
        f"tenant:acme/{new}",
        f"tenant:busy/{old}",
        # Ones that have no end, with names like days.
        f"user:acme/{old}",
        f"conversation:acme/{old}",
        "tenant:acme/2026-13-45",
        "tenant:acme",
    ]
    async with storage.writing() as connection:
        rows = [{"scope": name, "spent": 5, "reserved": int("busy" in name)} for name in [*going, *staying]]
        await connection.execute(insert(SCOPES), rows)

    assert await prune(storage, MONTH, go=False) == Pruned(scopes=4)
    assert await prune(storage, MONTH, go=True) == Pruned(scopes=4)
    async with storage.reading() as connection:
        assert set((await connection.execute(select(SCOPES.c.scope))).scalars()) == set(staying)


async def test_more_than_one_transaction_takes_goes_too(storage: Storage) -> None:
    ended = {"state": "settled", "at": LONG_AGO, "ended_at": LONG_AGO}
    rest: dict[str, Any] = {"scopes": [], "reserved": 0, **ended, **MODEL}
    rows = [{**replace(KEY, node=f"n{number}").columns(), **rest} for number in range(1_201)]
    days = [{"scope": f"user:acme/u{number}/2020-01-01", "spent": 1, "reserved": 0} for number in range(701)]
    async with storage.writing() as connection:
        await connection.execute(insert(ENTRIES), rows)
        await connection.execute(insert(SCOPES), days)

    assert await prune(storage, MONTH, go=True) == Pruned(entries=1_201, scopes=701)
    assert await prune(storage, MONTH, go=True) == Pruned()
