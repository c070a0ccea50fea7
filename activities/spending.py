"""Pays for model calls: the worst case is set aside before, and what the provider reports is booked after.

See docs/budgets.md for what is promised, and docs/decisions/0016-money-is-set-aside-first.md for why it is done so.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from temporalio import activity

from activities.budgets import Budget, caps_for
from activities.lazily import Lazily
from orchestrator.contracts import Account, AttemptUsage, NodeCall
from orchestrator.errors import OrchestratorError, PriceUnknownError, ProviderError, StorageUnavailableError
from orchestrator.models import TURN_TOKENS, Cost, ModelInfo, Price, cost_of, dollars
from storage import Accounts, Booking, Cap, Entry, EntryKey, Ledger, Reservation, Storage

__all__ = ["Bill", "Purse"]

_log = logging.getLogger(__name__)


@dataclass
class Bill:
    """What one call takes, filled in by whoever makes it. ``cost_usd`` is known afterwards, if there is a price.

    ``simulated``: no model is asked, and nothing is paid.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    over_soft: tuple[str, ...] = ()
    """Scopes whose budget is over its soft limit with it."""
    simulated: bool = False


class Purse:
    """The money of a worker's runs.

    Args:
        storage: Where the ledger is, opened when money is first spent, and closed by whoever made it; none: nothing
            can be spent.
        budgets: Caps beside those of the runs.
        otherwise: The price of models that nobody knows one for; none: a call that a cap concerns is refused.
    """

    def __init__(
        self,
        storage: Lazily[Storage] | None = None,
        budgets: Sequence[Budget] = (),
        otherwise: Price | None = None,
    ) -> None:
        self._storage = storage
        self._budgets = budgets
        self._otherwise = otherwise

    @asynccontextmanager
    async def paying(
        self,
        model: ModelInfo,
        texts: Sequence[str],
        most_output: int | None,
        call: NodeCall,
        *,
        number: int = 1,
        told: int = 0,
    ) -> AsyncGenerator[Bill]:
        """Set the worst case of a call aside, have it made in the block, and book what its bill says.

        Where the block fails or is cancelled before the bill is filled in, what was set aside is given back, or booked
        if the provider may have charged.

        Args:
            model: Who is asked.
            texts: What it is asked, message by message.
            most_output: Tokens of the answer at most; none: as many as the model can write.
            call: The visit it is for.
            number: Counts the calls of one attempt.
            told: Tokens at most that it is told beside the texts.

        Raises:
            BudgetExceededError: It might pass a cap.
            PriceUnknownError: A cap concerns it, and nobody knows what it may cost.
            StorageUnavailableError: The ledger is away, so nothing is spent.
        """
        account = call.account
        caps = caps_for(account, self._budgets) if account else []
        cost = self._cost(model, caps)
        if account is None or cost is None:
            yield Bill()
            return
        ledger = Ledger(await self._storage_of())
        most_in = model.estimated_tokens(*texts) + TURN_TOKENS * (len(texts) + 1) + told
        amount = cost(most_in, _most_output(model, most_output, caps))
        key = _key(call, account, attempt=activity.info().attempt, number=number)
        reserving = ledger.reserve(key, amount, caps, provider=model.provider, model=model.name)
        reservation = await _set_aside(ledger, key, reserving)
        for scope in reservation.over_soft:
            _log.warning("the budget of %s is over its soft limit", scope)
        bill = Bill(over_soft=reservation.over_soft)
        try:
            yield bill
        except BaseException as error:
            if _says_what_it_took(bill):  # whatever happened after the answer
                ending = ledger.settle(key, _booking(bill, cost, amount))
            elif isinstance(error, ProviderError) and not error.may_have_charged:
                ending = ledger.release(key)
            else:
                # Also where it was cancelled, or the fault is ours: the provider may have done its work.
                bill.cost_usd = float(dollars(amount))
                ending = ledger.book(key)
            await _ended(model, ending)
            raise
        await _ended(model, ledger.settle(key, _booking(bill, cost, amount)))

    async def earlier(self, call: NodeCall, before: int) -> tuple[AttemptUsage, ...]:
        """What attempts of a visit have taken that are over, and can tell no more.

        Args:
            call: The visit, and which try of it.
            before: The number of the first attempt that is not asked for.

        Raises:
            StorageUnavailableError: The ledger is away.
        """
        account = call.account
        if account is None or before <= 1 or self._storage is None:
            return ()
        key = _key(call, account, attempt=before, number=1)
        entries = await Accounts(await self._storage_of()).attempts(key)
        return tuple(
            _attempt(call, account.try_, attempt, list(made))
            for attempt, made in groupby(sorted(entries, key=_attempt_number), key=_attempt_number)
        )

    def _cost(self, model: ModelInfo, caps: Sequence[Cap]) -> Cost | None:
        try:
            return cost_of(model, otherwise=self._otherwise)
        except PriceUnknownError:
            if any(cap.hard is not None for cap in caps):
                raise
            return None

    async def _storage_of(self) -> Storage:
        if self._storage is None:
            raise StorageUnavailableError("this worker has no storage, so it cannot spend money")
        return await self._storage.get()


def _key(call: NodeCall, account: Account, *, attempt: int, number: int) -> EntryKey:
    return EntryKey(
        first_run_id=call.first_run_id,
        node=call.node,
        visit=call.visit,
        run_id=account.run_id,
        try_=account.try_,
        attempt=attempt,
        call=number,
    )


def _attempt_number(entry: Entry) -> int:
    return entry.attempt


def _attempt(call: NodeCall, try_: int, attempt: int, entries: Sequence[Entry]) -> AttemptUsage:
    # Of one that its worker did not live to end, all that was set aside counts.
    cost = sum(entry.reserved if entry.spent is None else entry.spent for entry in entries)
    return AttemptUsage(
        node=call.node,
        visit=call.visit,
        try_number=try_,
        attempt=attempt,
        failed=True,
        calls=sum(entry.state != "released" for entry in entries),
        input_tokens=sum(entry.input_tokens or 0 for entry in entries),
        output_tokens=sum(entry.output_tokens or 0 for entry in entries),
        cost_usd=float(dollars(cost)),
    )


async def _set_aside(ledger: Ledger, key: EntryKey, reserving: Coroutine[Any, Any, Reservation]) -> Reservation:
    """Reserve; cancelled in the middle of it, give back what may be reserved by then: nobody was asked yet."""
    done = asyncio.create_task(reserving)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        with suppress(OrchestratorError):
            await done
            await ledger.release(key)
        raise


async def _ended(model: ModelInfo, ending: Coroutine[Any, Any, bool]) -> None:
    """Note in the ledger what became of a call, also if it is cancelled meanwhile: it would stay open else."""
    done = asyncio.create_task(_noted(model, ending))
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        await done
        raise


async def _noted(model: ModelInfo, ending: Awaitable[bool]) -> None:
    """Note it; the call's own outcome counts whatever becomes of the note."""
    try:
        if not await ending:
            _log.warning("a call of %s was reconciled by hand before it ended", model.name)
    except StorageUnavailableError as error:
        # An attempt that failed here would be paid for again, and one that was cancelled would not be cancelled. What
        # was set aside stays so until it is reconciled.
        _log.warning("what became of a call of %s cannot be noted: %s", model.name, error.message)


def _most_output(model: ModelInfo, asked: int | None, caps: Sequence[Cap]) -> int:
    most = asked if asked is not None else model.most_output
    if model.only_embeds:
        return 0
    if most is None and any(cap.hard is not None for cap in caps):
        raise PriceUnknownError(
            f"nobody knows how much the model {model.name!r} may write: give the node `max_tokens`, or the model "
            "`most_output` in the file of ORCHESTRATOR_MODELS_FILE",
            details={"model": model.name},
        )
    return most or 0


def _says_what_it_took(bill: Bill) -> bool:
    return bill.input_tokens is not None and bill.output_tokens is not None


def _booking(bill: Bill, cost: Cost, reserved: int) -> Booking:
    if bill.input_tokens is None or bill.output_tokens is None:
        # It did not say what it took; no less than what was set aside is safe.
        amount = reserved
    else:
        amount = cost(bill.input_tokens, bill.output_tokens)
    bill.cost_usd = float(dollars(amount))
    return Booking(amount=amount, input_tokens=bill.input_tokens or 0, output_tokens=bill.output_tokens or 0)
