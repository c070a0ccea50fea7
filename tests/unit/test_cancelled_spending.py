"""A call that is cancelled while its ledger is busy: what was set aside is ended all the same."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event
from temporalio.testing import ActivityEnvironment

from activities.lazily import Lazily
from activities.spending import Bill, Purse
from orchestrator.contracts import Account
from orchestrator.errors import ProviderRejectedError, ProviderTimeoutError
from orchestrator.models import cost_of, dollars, find_model
from storage import Accounts, Ledger, Standing, Storage, open_storage
from tests.unit.loopback import call

VISIT = call("ModelInvoke", {}, account=Account(purse="first", run_id="run"))


@pytest.fixture
async def lazily(tmp_path: Path) -> AsyncGenerator[Lazily[Storage]]:
    found = Lazily(partial(open_storage, f"sqlite:///{tmp_path / 'storage.db'}"))
    yield found
    await found.close()


class Busy:
    """Somebody else writes into the ledger, until the call that waits for that has been cancelled."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self.asked = asyncio.Event()
        self._folder = folder
        event.listen(storage.engine.sync_engine, "checkout", lambda *_: self.asked.set())

    async def cancelling(self, task: "asyncio.Task[None]", begin: asyncio.Event | None = None) -> None:
        with closing(sqlite3.connect(self._folder / "storage.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            self.asked.clear()
            if begin is not None:
                begin.set()
            await self.asked.wait()
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def left(storage: Storage) -> tuple[list[str], Standing]:
    states = [entry.state for entry in await Accounts(storage).entries(VISIT.first_run_id)]
    return states, await Ledger(storage).standing("run:first")


async def test_what_a_call_took_that_is_cancelled_while_it_settles_is_booked(
    lazily: Lazily[Storage], tmp_path: Path
) -> None:
    storage, asking, answered = await lazily.get(), asyncio.Event(), asyncio.Event()

    async def pay() -> None:
        async with Purse(lazily).paying(find_model("gpt-4o-mini"), ["Hi"], 10, VISIT) as bill:
            bill.input_tokens, bill.output_tokens = 10, 10
            asking.set()
            await answered.wait()

    task = asyncio.create_task(ActivityEnvironment().run(pay))
    await asking.wait()
    await Busy(storage, tmp_path).cancelling(task, answered)

    states, standing = await left(storage)
    assert (states, standing.reserved, standing.spent > 0) == (["settled"], 0, True)


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), ProviderTimeoutError("slow", may_have_charged=True), ValueError("a fault")]
)
async def test_a_call_that_answered_is_booked_at_what_it_took_whatever_happens_then(
    error: BaseException, lazily: Lazily[Storage]
) -> None:
    model, made = find_model("gpt-4o-mini"), list[Bill]()

    async def pay() -> None:
        async with Purse(lazily).paying(model, ["Hi"], 1_000, VISIT) as bill:
            made.append(bill)
            bill.input_tokens, bill.output_tokens = 12, 7
            raise error

    async def caught() -> None:
        with pytest.raises(type(error)):
            await pay()

    await ActivityEnvironment().run(caught)

    took = cost_of(model)(12, 7)
    assert await left(await lazily.get()) == (["settled"], Standing(spent=took))
    assert made[0].cost_usd == float(dollars(took))


async def test_a_call_that_was_refused_and_is_cancelled_then_gives_back_what_was_set_aside(
    lazily: Lazily[Storage], tmp_path: Path
) -> None:
    storage, asking, answered = await lazily.get(), asyncio.Event(), asyncio.Event()

    async def pay() -> None:
        async with Purse(lazily).paying(find_model("gpt-4o-mini"), ["Hi"], 10, VISIT):
            asking.set()
            await answered.wait()
            raise ProviderRejectedError("no")

    task = asyncio.create_task(ActivityEnvironment().run(pay))
    await asking.wait()
    await Busy(storage, tmp_path).cancelling(task, answered)

    assert await left(storage) == (["released"], Standing())


async def test_a_call_that_is_cancelled_before_anybody_was_asked_sets_nothing_aside(
    lazily: Lazily[Storage], tmp_path: Path
) -> None:
    storage, made = await lazily.get(), list[Bill]()

    async def pay() -> None:
        async with Purse(lazily).paying(find_model("gpt-4o-mini"), ["Hi"], 10, VISIT) as bill:
            made.append(bill)

    busy = Busy(storage, tmp_path)
    begin = asyncio.Event()

    async def begun() -> None:
        await begin.wait()
        await ActivityEnvironment().run(pay)

    await busy.cancelling(asyncio.create_task(begun()), begin)

    states, standing = await left(storage)
    assert (made, states, standing) == ([], ["released"], Standing())
