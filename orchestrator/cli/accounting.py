"""Shows what was spent, and has what all commands about money need."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TextIO, TypeVar

from orchestrator.cli.output import data, out, say, shown_time, table
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.standing import command
from orchestrator.cli.tokens import first_run_id
from orchestrator.contracts import visit_label
from orchestrator.errors import RequestError
from orchestrator.graph.durations import parse_duration
from orchestrator.models import dollars
from orchestrator.settings import load_settings
from storage import Accounts, Entry, Ledger, OpenEntry, Standing, Storage, open_storage

__all__ = [
    "age_of",
    "calls",
    "in_storage",
    "open_as_data",
    "open_table",
    "show_open",
    "show_run",
    "show_scopes",
    "shown",
]

_SCOPES = ("scope", "spent", "set aside")
_CALLS = ("visit", "attempt", "model", "state", "in", "out", "cost")
_OPEN = ("visit", "attempt", "model", "set aside", "since", "run")
_LONGEST = timedelta(days=36_500)
Result = TypeVar("Result")


def show_scopes(prefix: str, limit: int, *, as_json: bool) -> None:
    """Print what scopes have spent.

    Raises:
        StorageUnavailableError: The ledger cannot be reached.
    """
    scopes = in_storage(lambda storage: Accounts(storage).scopes(prefix=prefix, limit=limit))
    if as_json:
        data([{"scope": it.name, "spent_usd": _usd(it.spent), "reserved_usd": _usd(it.reserved)} for it in scopes])
        return
    table(_SCOPES, ((it.name, shown(it.spent), shown(it.reserved)) for it in scopes))
    if not scopes:
        say("nothing was spent" + (f" by scopes that begin with {prefix!r}" if prefix else ""))


def show_run(run_id: str, limit: int, *, as_json: bool) -> None:
    """Print the calls of a run, and say what its child runs have spent.

    Raises:
        RunNotFoundError: There is no such run.
        StorageUnavailableError: The ledger cannot be reached.
    """

    async def work(session: Session) -> tuple[list[Entry], Standing]:
        first = await first_run_id(session.client, run_id)
        async with open_storage(load_settings().storage_address) as storage:
            entries = await Accounts(storage).entries(first, limit=limit)
            return entries, await Ledger(storage).standing(f"run:{first}")

    entries, family = on_server(work)
    own = sum(entry.spent or 0 for entry in entries)
    if len(entries) == limit:
        say(f"these are the first {limit}; --limit shows more")
    elif family.spent > own:
        say(
            f"its child runs have spent {shown(family.spent - own)} more, {shown(family.spent)} together; their calls "
            f"are in `{command('budgets', 'run', 'CHILD')}`"
        )
    if as_json:
        data([_about(entry) for entry in entries])
        return
    table(_CALLS, (_row(entry) for entry in entries))
    if entries:
        out(f"{calls(len(entries))}, {shown(own)} spent")
    else:
        say("it has made no call that cost something")


def show_open(older_than: str | None, limit: int, *, as_json: bool) -> None:
    """Print the calls that nobody has ended.

    Raises:
        RequestError: ``older_than`` is no duration.
        StorageUnavailableError: The ledger cannot be reached.
    """
    age = age_of(older_than)
    entries = in_storage(lambda storage: Ledger(storage).open_entries(older_than=age, limit=limit))
    if as_json:
        data([open_as_data(entry) for entry in entries])
        return
    open_table(entries)
    if not entries:
        say("no call is open")


def open_table(entries: Sequence[OpenEntry], to: TextIO | None = None) -> None:
    """Print calls that nobody has ended, to standard output or elsewhere."""
    table(_OPEN, (_row_open(entry) for entry in entries), to)


def in_storage(work: Callable[[Storage], Coroutine[Any, Any, Result]]) -> Result:
    """What ``work`` returns, done with the storage that the settings name.

    Raises:
        StorageUnavailableError: It cannot be reached.
    """

    async def opened() -> Result:
        async with open_storage(load_settings().storage_address) as storage:
            return await work(storage)

    return asyncio.run(opened())


def age_of(text: str | None, least: str | None = None) -> timedelta:
    """The duration that ``--older-than`` says; none is no time at all.

    Raises:
        RequestError: It says none, or less than ``least``.
    """
    if text is None:
        return timedelta()
    try:
        age = timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise RequestError(f"--older-than: {error}") from None
    if least is not None and age < age_of(least):
        raise RequestError(f"--older-than: give {least} or more, not {text}")
    if age > _LONGEST:
        raise RequestError(f"--older-than: {text} is longer than anybody has kept a ledger")
    return age


def calls(count: int) -> str:
    """``1 call``, ``2 calls``."""
    return "1 call" if count == 1 else f"{count} calls"


def _usd(nano: int) -> float:
    return float(dollars(nano))


def shown(nano: int) -> str:
    """Nano-dollars for people."""
    return f"${_usd(nano):.6f}"


def _attempt(try_: int, attempt: int, call: int) -> str:
    """Which attempt: ``2`` of the first try, ``2~3`` of the third; ``2.2`` for the second call of one."""
    tried = str(attempt) if try_ == 1 else f"{attempt}~{try_}"
    return tried if call == 1 else f"{tried}.{call}"


def _row(entry: Entry) -> tuple[str, ...]:
    tokens = tuple("" if count is None else f"{count:,}" for count in (entry.input_tokens, entry.output_tokens))
    cost = f"up to {shown(entry.reserved)}" if entry.spent is None else shown(entry.spent)
    number = _attempt(entry.try_, entry.attempt, entry.call)
    return (visit_label(entry.node, entry.visit), number, entry.model, entry.state, *tokens, cost)


def _row_open(entry: OpenEntry) -> tuple[str, ...]:
    key = entry.key
    number = _attempt(key.try_, key.attempt, key.call)
    since = shown_time(entry.at)
    return (visit_label(key.node, key.visit), number, entry.model, shown(entry.reserved), since, key.run_id)


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


def open_as_data(entry: OpenEntry) -> dict[str, Any]:
    """A call that nobody has ended, as JSON."""
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
