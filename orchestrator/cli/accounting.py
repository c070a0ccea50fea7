"""Does what the commands about money ask for."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Literal, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.cli.errors import FAILED, OK
from orchestrator.cli.output import at_terminal, data, out, say, shown_time, table
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.tokens import first_run_id
from orchestrator.contracts import visit_label
from orchestrator.errors import RequestError, ServerUnavailableError
from orchestrator.graph.durations import parse_duration
from orchestrator.models import dollars
from orchestrator.settings import load_settings
from storage import Accounts, Entry, EntryKey, Ledger, OpenEntry, Storage, open_storage

__all__ = ["reconcile", "show_open", "show_run", "show_scopes"]

_SCOPES = ("scope", "spent", "set aside")
_CALLS = ("visit", "attempt", "model", "state", "in", "out", "cost")
_OPEN = ("visit", "attempt", "model", "set aside", "since", "run")
Result = TypeVar("Result")


def show_scopes(prefix: str, limit: int, *, as_json: bool) -> None:
    """Print what scopes have spent.

    Raises:
        StorageUnavailableError: The ledger cannot be reached.
    """
    scopes = _in_storage(lambda storage: Accounts(storage).scopes(prefix=prefix, limit=limit))
    if as_json:
        data([{"scope": it.name, "spent_usd": _usd(it.spent), "reserved_usd": _usd(it.reserved)} for it in scopes])
        return
    table(_SCOPES, ((it.name, _shown(it.spent), _shown(it.reserved)) for it in scopes))
    if not scopes:
        say("nothing was spent" + (f" by scopes that begin with {prefix!r}" if prefix else ""))


def show_run(run_id: str, limit: int, *, as_json: bool) -> None:
    """Print the calls of a run.

    Raises:
        RunNotFoundError: There is no such run.
        StorageUnavailableError: The ledger cannot be reached.
    """

    async def work(session: Session) -> list[Entry]:
        first = await first_run_id(session.client, run_id)
        async with open_storage(load_settings().storage_address) as storage:
            return await Accounts(storage).entries(first, limit=limit)

    entries = on_server(work)
    if as_json:
        data([_about(entry) for entry in entries])
        return
    table(_CALLS, (_row(entry) for entry in entries))
    if entries:
        out(f"{_calls(len(entries))}, {_shown(sum(entry.spent or 0 for entry in entries))} spent")
    else:
        say("it has made no call that cost something")


def show_open(older_than: str | None, limit: int, *, as_json: bool) -> None:
    """Print the calls that nobody has ended.

    Raises:
        RequestError: ``older_than`` is no duration.
        StorageUnavailableError: The ledger cannot be reached.
    """
    age = _age(older_than)
    entries = _in_storage(lambda storage: Ledger(storage).open_entries(older_than=age, limit=limit))
    if as_json:
        data([_about_open(entry) for entry in entries])
        return
    table(_OPEN, (_row_open(entry) for entry in entries))
    if not entries:
        say("no call is open")


def reconcile(how: Literal["book", "release"], older_than: str, *, yes: bool, as_json: bool) -> int:
    """End what nobody has ended, once somebody has seen it. Returns the exit code.

    Raises:
        RequestError: ``older_than`` is no duration, or nobody is here who could confirm it.
        ServerUnavailableError: It does not say which calls are under way.
        StorageUnavailableError: The ledger cannot be reached.
    """
    age = _age(older_than)
    if not yes and not at_terminal():
        raise RequestError("nobody is here to confirm it: look with `orchestrator budgets open`, then give --yes")

    async def find(session: Session) -> list[OpenEntry]:
        async with open_storage(load_settings().storage_address) as storage:
            entries = await Ledger(storage).open_entries(older_than=age)
        return [entry for entry in entries if not await _under_way(session.client, entry)]

    left = on_server(find)
    if left and not yes:
        table(_OPEN, (_row_open(entry) for entry in left), sys.stderr)
        say(f"{how} {_calls(len(left))}? [y/N] ")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            say("nothing was done")
            return FAILED

    async def end(storage: Storage) -> list[OpenEntry]:
        ledger = Ledger(storage)
        do = ledger.book if how == "book" else ledger.release
        return [entry for entry in left if await do(entry.key)]

    ended = _in_storage(end)
    if as_json:
        data([_about_open(entry) for entry in ended])
    else:
        amount = _shown(sum(entry.reserved for entry in ended))
        out(f"{'booked' if how == 'book' else 'given back'}: {_calls(len(ended))}, {amount}")
    return OK


async def _under_way(client: Client, entry: OpenEntry) -> bool:
    """Whether a worker is making the call: Temporal has its attempt as the one that runs.

    Raises:
        ServerUnavailableError: The server does not say.
    """
    label = visit_label(entry.key.node, entry.key.visit)
    try:
        async for found in client.list_workflows(f"RunId = '{entry.key.run_id}'"):
            if await _has_pending(client, found.id, entry.key):
                return True
    except RPCError as error:
        # Not to know it is no reason to give money back.
        raise ServerUnavailableError(f"the server does not say whether {label} is under way: {error.message}") from None
    return False


async def _has_pending(client: Client, run_id: str, key: EntryKey) -> bool:
    label = visit_label(key.node, key.visit)
    activity_id = label if key.try_ == 1 else f"{label}~{key.try_}"
    try:
        described = await client.get_workflow_handle(run_id, run_id=key.run_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    pending = described.raw_description.pending_activities
    return any(task.activity_id == activity_id and task.attempt == key.attempt for task in pending)


def _in_storage(work: Callable[[Storage], Coroutine[Any, Any, Result]]) -> Result:
    async def opened() -> Result:
        async with open_storage(load_settings().storage_address) as storage:
            return await work(storage)

    return asyncio.run(opened())


def _age(text: str | None) -> timedelta:
    if text is None:
        return timedelta()
    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise RequestError(f"--older-than: {error}") from None


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def _usd(nano: int) -> float:
    return float(dollars(nano))


def _shown(nano: int) -> str:
    return f"${_usd(nano):.6f}"


def _attempt(try_: int, attempt: int, call: int) -> str:
    """Which attempt: ``2`` of the first try, ``2~3`` of the third; ``2.2`` for the second call of one."""
    tried = str(attempt) if try_ == 1 else f"{attempt}~{try_}"
    return tried if call == 1 else f"{tried}.{call}"


def _row(entry: Entry) -> tuple[str, ...]:
    tokens = tuple("" if count is None else f"{count:,}" for count in (entry.input_tokens, entry.output_tokens))
    cost = f"up to {_shown(entry.reserved)}" if entry.spent is None else _shown(entry.spent)
    number = _attempt(entry.try_, entry.attempt, entry.call)
    return (visit_label(entry.node, entry.visit), number, entry.model, entry.state, *tokens, cost)


def _row_open(entry: OpenEntry) -> tuple[str, ...]:
    key = entry.key
    number = _attempt(key.try_, key.attempt, key.call)
    since = shown_time(entry.at)
    return (visit_label(key.node, key.visit), number, entry.model, _shown(entry.reserved), since, key.run_id)


def _about(entry: Entry) -> dict[str, Any]:
    return {
        "node": entry.node,
        "visit": entry.visit,
        "try": entry.try_,
        "attempt": entry.attempt,
        "call": entry.call,
        "state": entry.state,
        "provider": entry.provider,
        "model": entry.model,
        "reserved_usd": _usd(entry.reserved),
        "spent_usd": None if entry.spent is None else _usd(entry.spent),
        "input_tokens": entry.input_tokens,
        "output_tokens": entry.output_tokens,
        "at": entry.at.isoformat(),
    }


def _about_open(entry: OpenEntry) -> dict[str, Any]:
    key = entry.key
    return {
        "node": key.node,
        "visit": key.visit,
        "try": key.try_,
        "attempt": key.attempt,
        "call": key.call,
        "run_id": key.run_id,
        "first_run_id": key.first_run_id,
        "provider": entry.provider,
        "model": entry.model,
        "reserved_usd": _usd(entry.reserved),
        "scopes": list(entry.scopes),
        "at": entry.at.isoformat(),
    }
