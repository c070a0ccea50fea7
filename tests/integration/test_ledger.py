"""The ledger, on both databases: what is reserved, settled and refused, also by many at once and after a death."""

import asyncio
import multiprocessing
import os
import sqlite3
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # it has none
import pytest
from sqlalchemy import QueuePool, event

from orchestrator.errors import BudgetExceededError, RequestError, SettingsError, StorageUnavailableError
from storage import Booking, Cap, EntryKey, Ledger, Standing, Storage, clock, open_storage
from storage.tables import SCOPES

SERVER = os.environ.get("TEST_POSTGRESQL", "postgresql://root@127.0.0.1:5432/test")
MODEL = {"provider": "openai", "model": "gpt-4o-mini"}


@asynccontextmanager
async def database_of_its_own(kind: str, folder: Path) -> AsyncGenerator[str]:
    """The address of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'storage.db'}"
        return
    driver: Any = asyncpg
    try:
        server = await driver.connect(SERVER)
    except OSError as error:
        pytest.skip(f"needs PostgreSQL at {SERVER}: {error}")
    name = f"ledger_{uuid.uuid4().hex}"
    await server.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlsplit(SERVER)._replace(path=f"/{name}").geturl()
    finally:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str]:
    async with database_of_its_own(request.param, tmp_path) as found:
        yield found


@pytest.fixture
async def storage(url: str) -> AsyncGenerator[Storage]:
    async with open_storage(url) as opened:
        yield opened


@pytest.fixture
def ledger(storage: Storage) -> Ledger:
    return Ledger(storage)


def key(node: str = "answer", **parts: Any) -> EntryKey:
    return replace(EntryKey(first_run_id="first", node=node, visit=1, run_id="run"), **parts)


async def test_what_is_reserved_is_settled_in_every_scope(ledger: Ledger) -> None:
    caps = [Cap("tenant:acme", 1000), Cap("run:first", 500), Cap("day:acme/2026-11-21")]

    await ledger.reserve(key(), 300, caps, **MODEL)
    assert await ledger.standing("run:first") == Standing(spent=0, reserved=300)

    assert await ledger.settle(key(), Booking(amount=120, input_tokens=10, output_tokens=5))
    for cap in caps:
        assert await ledger.standing(cap.scope) == Standing(spent=120, reserved=0)
    assert await ledger.open_entries() == []


async def test_what_was_released_may_be_spent_again_and_what_was_booked_may_not(ledger: Ledger) -> None:
    cap = [Cap("run:first", 300)]
    await ledger.reserve(key("one"), 300, cap, **MODEL)
    assert await ledger.release(key("one"))

    await ledger.reserve(key("two"), 300, cap, **MODEL)
    assert await ledger.book(key("two"))

    assert await ledger.standing("run:first") == Standing(spent=300, reserved=0)
    with pytest.raises(BudgetExceededError):
        await ledger.reserve(key("three"), 1, cap, **MODEL)


async def test_a_refusal_has_the_figures_and_reserves_nothing_anywhere(ledger: Ledger) -> None:
    await ledger.reserve(key("one"), 600_000_000, [Cap("tenant:acme", 1_000_000_000)], **MODEL)

    with pytest.raises(BudgetExceededError) as caught:
        await ledger.reserve(
            key("two"), 500_000_000, [Cap("run:first", 700_000_000), Cap("tenant:acme", 1_000_000_000)], **MODEL
        )

    assert caught.value.details == {
        "scope": "tenant:acme",
        "cap_usd": 1.0,
        "spent_usd": 0.0,
        "reserved_usd": 0.6,
        "asked_usd": 0.5,
    }
    assert await ledger.standing("run:first") == Standing()
    assert await ledger.standing("tenant:acme") == Standing(spent=0, reserved=600_000_000)
    assert [entry.key for entry in await ledger.open_entries()] == [key("one")]


async def test_a_cap_may_be_used_up_to_its_last_nano_dollar(ledger: Ledger) -> None:
    await ledger.reserve(key("one"), 999, [Cap("run:first", 1000)], **MODEL)
    await ledger.reserve(key("two"), 1, [Cap("run:first", 1000)], **MODEL)

    with pytest.raises(BudgetExceededError):
        await ledger.reserve(key("three"), 1, [Cap("run:first", 1000)], **MODEL)
    await ledger.reserve(key("free"), 0, [Cap("run:first", 1000)], **MODEL)


async def test_the_same_reservation_again_counts_once(ledger: Ledger) -> None:
    cap = [Cap("run:first", 500)]
    first = await ledger.reserve(key(), 300, cap, **MODEL)

    assert await ledger.reserve(key(), 300, cap, **MODEL) == first
    assert await ledger.standing("run:first") == Standing(spent=0, reserved=300)


@pytest.mark.parametrize("part", [{"visit": 2}, {"run_id": "reset"}, {"try_": 2}, {"attempt": 2}, {"call": 2}])
async def test_another_attempt_is_another_entry(ledger: Ledger, part: dict[str, Any]) -> None:
    await ledger.reserve(key(), 100, [Cap("run:first")], **MODEL)
    await ledger.reserve(key(**part), 100, [Cap("run:first")], **MODEL)

    assert await ledger.standing("run:first") == Standing(spent=0, reserved=200)


async def test_a_call_ends_once(ledger: Ledger) -> None:
    await ledger.reserve(key(), 300, [Cap("run:first")], **MODEL)

    assert await ledger.settle(key(), Booking(amount=100))
    assert not await ledger.settle(key(), Booking(amount=100))
    assert not await ledger.release(key())
    assert await ledger.standing("run:first") == Standing(spent=100, reserved=0)
    with pytest.raises(RequestError, match="has been settled"):
        await ledger.reserve(key(), 300, [Cap("run:first")], **MODEL)


async def test_what_was_never_reserved_cannot_be_settled(ledger: Ledger) -> None:
    with pytest.raises(RequestError, match="nothing was reserved"):
        await ledger.settle(key(), Booking(amount=1))


async def test_over_a_soft_limit_is_told_and_not_refused(ledger: Ledger) -> None:
    caps = [Cap("tenant:acme", hard=1000, soft=500), Cap("run:first", soft=100)]

    assert (await ledger.reserve(key("one"), 100, caps, **MODEL)).over_soft == ()
    assert (await ledger.reserve(key("two"), 300, caps, **MODEL)).over_soft == ("run:first",)
    assert (await ledger.reserve(key("three"), 300, caps, **MODEL)).over_soft == ("run:first", "tenant:acme")


async def test_a_call_that_took_more_than_was_reserved_is_booked_whole(ledger: Ledger) -> None:
    await ledger.reserve(key(), 100, [Cap("run:first", 100)], **MODEL)
    await ledger.settle(key(), Booking(amount=150))

    assert await ledger.standing("run:first") == Standing(spent=150, reserved=0)


async def test_an_entry_that_nobody_ended_stays_booked_until_it_is_reconciled(ledger: Ledger) -> None:
    await ledger.reserve(key(), 300, [Cap("run:first", 300)], **MODEL)

    (left,) = await ledger.open_entries()
    assert (left.key, left.reserved, left.model, left.scopes) == (key(), 300, "gpt-4o-mini", ("run:first",))
    assert await ledger.open_entries(older_than=timedelta(hours=1)) == []
    with pytest.raises(BudgetExceededError):
        await ledger.reserve(key(attempt=2), 1, [Cap("run:first", 300)], **MODEL)
    assert await ledger.book(left.key)
    assert await ledger.standing("run:first") == Standing(spent=300, reserved=0)


async def test_calls_that_come_at_once_never_pass_a_cap_together(ledger: Ledger) -> None:
    async def call(number: int) -> int:
        caps = [Cap(f"run:{number % 3}", 2000), Cap("tenant:acme", 1000)]
        try:
            await ledger.reserve(key(f"n{number}"), 30, caps if number % 2 else caps[::-1], **MODEL)
        except BudgetExceededError:
            return 0
        await ledger.settle(key(f"n{number}"), Booking(amount=25))
        return 25

    spent = await asyncio.gather(*(call(number) for number in range(100)))

    standing = await ledger.standing("tenant:acme")
    assert standing == Standing(spent=sum(spent), reserved=0)
    # Who is refused while calls are under way, is refused for what those may cost: at most one for each connection.
    assert 1000 - 10 * 30 < standing.spent <= 1000


def spend(url: str, worker: int, together: Any, results: Any) -> None:
    """What one of several processes does: it spends until it is refused, and dies with one call under way."""

    async def run() -> int:
        spent = 0
        async with open_storage(url) as storage:
            ledger = Ledger(storage)
            cap = [Cap("tenant:acme", 2000)]
            await ledger.reserve(key("dies", attempt=worker + 1), 50, cap, **MODEL)
            together.wait()
            for number in range(1000):
                mine = key(f"w{worker}n{number}")
                try:
                    await ledger.reserve(mine, 40, cap, **MODEL)
                except BudgetExceededError:
                    break
                await ledger.settle(mine, Booking(amount=30))
                spent += 30
        return spent

    results.put(asyncio.run(run()))
    results.close()
    results.join_thread()
    os._exit(9)


def test_processes_share_a_cap_and_what_the_dead_reserved_stays_booked(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    results, together = context.Queue(), context.Barrier(3)
    workers = [context.Process(target=spend, args=(url, number, together, results)) for number in range(3)]
    for worker in workers:
        worker.start()
    spent = sum(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()

    async def look() -> tuple[Standing, int]:
        async with open_storage(url) as storage:
            return await Ledger(storage).standing("tenant:acme"), len(await Ledger(storage).open_entries())

    standing, left = asyncio.run(look())
    assert standing == Standing(spent=spent, reserved=150)
    assert left == 3
    assert 2000 - 3 * 40 < standing.spent + standing.reserved <= 2000


async def test_many_may_open_an_empty_database_at_once(url: str) -> None:
    async with AsyncExitStack() as stack:
        opened = await asyncio.gather(*(stack.enter_async_context(open_storage(url)) for _ in range(5)))
        await Ledger(opened[0]).reserve(key(), 1, [Cap("run:first")], **MODEL)
        assert await Ledger(opened[4]).standing("run:first") == Standing(spent=0, reserved=1)


async def test_without_its_database_nothing_is_reserved() -> None:
    with pytest.raises(StorageUnavailableError, match="cannot be reached"):
        async with open_storage("postgresql://root:hidden@127.0.0.1:1/away"):
            pytest.fail("there is none")


@pytest.mark.parametrize("wrong", ["", "books", "mysql://host/books", "sqlite://", "sqlite:///:memory:"])
async def test_an_address_that_cannot_be_used_is_said(wrong: str) -> None:
    with pytest.raises(SettingsError, match="ORCHESTRATOR_STORAGE_URL"):
        async with open_storage(wrong):
            pytest.fail("there is none")


async def ended_connections(url: str) -> None:
    """What a restart of the server does to those who were connected."""
    driver: Any = asyncpg
    server = await driver.connect(SERVER)
    name = urlsplit(url).path.removeprefix("/")
    await server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    await server.close()


async def test_a_server_that_was_restarted_between_two_steps_of_a_call_is_not_noticed(tmp_path: Path) -> None:
    async with database_of_its_own("postgresql", tmp_path) as url, open_storage(url) as storage:
        await Ledger(storage).reserve(key(), 300, [Cap("run:first")], **MODEL)
        await ended_connections(url)

        assert await Ledger(storage).settle(key(), Booking(amount=120))
        assert await Ledger(storage).standing("run:first") == Standing(spent=120, reserved=0)


async def test_a_server_that_goes_in_the_middle_of_a_step_has_done_nothing_of_it(tmp_path: Path) -> None:
    async with database_of_its_own("postgresql", tmp_path) as url, open_storage(url) as storage:

        async def two_steps() -> None:
            async with storage.writing() as connection:
                await connection.execute(SCOPES.insert().values(scope="run:first", spent=5, reserved=0))
                await ended_connections(url)
                await connection.execute(SCOPES.insert().values(scope="run:second", spent=5, reserved=0))

        with pytest.raises(StorageUnavailableError):
            await two_steps()
        assert await Ledger(storage).standing("run:first") == Standing()
        await Ledger(storage).reserve(key(), 300, [Cap("run:first")], **MODEL)


async def test_what_everybody_else_calls_sslmode_is_understood(tmp_path: Path) -> None:
    async with database_of_its_own("postgresql", tmp_path) as url, open_storage(f"{url}?sslmode=prefer") as storage:
        assert await Ledger(storage).standing("run:first") == Standing()


async def test_the_age_of_a_call_is_that_of_the_servers_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        """The clock of a machine that is a day ahead."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Ahead":
            return super().now(tz) + timedelta(days=1)

    async with database_of_its_own("postgresql", tmp_path) as url, open_storage(url) as storage:
        await Ledger(storage).reserve(key(), 300, [Cap("run:first")], **MODEL)
        monkeypatch.setattr(clock, "datetime", Ahead)

        assert await Ledger(storage).open_entries(older_than=timedelta(hours=1)) == []
        assert len(await Ledger(storage).open_entries()) == 1


async def test_one_of_a_process_asks_for_sqlites_lock_and_the_others_wait_in_line(tmp_path: Path) -> None:
    async with open_storage(f"sqlite:///{tmp_path / 'storage.db'}") as storage:
        ledger, pool = Ledger(storage), storage.engine.sync_engine.pool
        assert isinstance(pool, QueuePool)
        asked = asyncio.Event()
        event.listen(storage.engine.sync_engine, "checkout", lambda *_: asked.set())
        with closing(sqlite3.connect(tmp_path / "storage.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            calls = [
                asyncio.create_task(ledger.reserve(key(f"n{number}"), 1, [Cap("run:first")], **MODEL))
                for number in range(50)
            ]
            await asked.wait()
            # Whoever reads does not wait.
            assert await ledger.standing("run:first") == Standing()
            assert pool.checkedout() == 1
        await asyncio.gather(*calls)

        assert await ledger.standing("run:first") == Standing(spent=0, reserved=50)
