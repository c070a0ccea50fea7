"""Ends calls that nobody has ended, and none that somebody may be making."""

import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.cli.accounting import age_of, calls, in_storage, open_as_data, open_table, shown
from orchestrator.cli.errors import FAILED, OK
from orchestrator.cli.output import at_terminal, data, out, say
from orchestrator.cli.session import Session, on_server
from orchestrator.contracts import visit_label
from orchestrator.errors import RequestError, ServerUnavailableError
from orchestrator.settings import load_settings
from storage import EntryKey, Ledger, OpenEntry, Storage, open_storage

__all__ = ["LEAST_AGE", "reconcile"]

LEAST_AGE: Final = "1m"
"""A run that began just now may not be in the server's list yet."""
_LEAST_REST_S: Final = 60.0
_PAGE = 1_000
_Standing = Literal["under way", "over", "not found"]


@dataclass
class _Found:
    """The calls that nobody has ended, by what the server says of them; and which server that is."""

    where: str
    over: list[OpenEntry] = field(default_factory=list[OpenEntry])
    missing: list[OpenEntry] = field(default_factory=list[OpenEntry])
    under_way: int = 0


def reconcile(how: Literal["book", "release"], older_than: str, *, missing: bool, yes: bool, as_json: bool) -> int:
    """End what nobody has ended, once somebody has seen it. Returns the exit code.

    Args:
        how: What becomes of the money.
        older_than: Only calls that began so long ago.
        missing: Also calls of runs that the server's namespace does not have.
        yes: Nobody is asked.
        as_json: Print those that were ended as JSON.

    Raises:
        RequestError: ``older_than`` is no duration or less than a minute, or nobody is here who could confirm it.
        ServerUnavailableError: It does not say which calls are under way.
        StorageUnavailableError: The ledger cannot be reached.
    """
    age = age_of(older_than, LEAST_AGE)
    if not yes and not at_terminal():
        raise RequestError("nobody is here to confirm it: look with `orchestrator budgets open`, then give --yes")
    found = on_server(lambda session: _find(session, age))
    left = [*found.over, *found.missing] if missing else found.over
    _tell(found, missing=missing)
    if left and not yes:
        open_table(left, sys.stderr)
        say(f"{how} {calls(len(left))}? [y/N] ")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            say("nothing was done")
            return FAILED

    async def end(storage: Storage) -> list[OpenEntry]:
        ledger = Ledger(storage)
        do = ledger.book if how == "book" else ledger.release
        return [entry for entry in left if await do(entry.key)]

    ended = in_storage(end)
    if as_json:
        data([open_as_data(entry) for entry in ended])
    else:
        amount = shown(sum(entry.reserved for entry in ended))
        out(f"{'booked' if how == 'book' else 'given back'}: {calls(len(ended))}, {amount}")
    return OK


def _tell(found: _Found, *, missing: bool) -> None:
    """Say who was asked, and what was left alone because of the answer."""
    say(f"asked {found.where}")
    if found.under_way:
        say(f"left alone, since they may be under way there: {calls(found.under_way)}")
    if found.missing and not missing:
        say(
            f"left alone, since it does not have their runs: {calls(len(found.missing))}. Their history is gone, or "
            "they are of another namespace (TEMPORAL_NAMESPACE); --missing ends them too"
        )


async def _find(session: Session, age: timedelta) -> _Found:
    client = session.client
    found = _Found(f"namespace {client.namespace} at {session.address}")
    asked = _Asked(client)
    async with open_storage(load_settings().storage_address) as storage:
        async for page in _pages(Ledger(storage), age):
            for entry in page:
                standing = await asked.standing(entry.key)
                if standing == "under way":
                    found.under_way += 1
                else:
                    (found.over if standing == "over" else found.missing).append(entry)
    return found


async def _pages(ledger: Ledger, age: timedelta) -> AsyncGenerator[Sequence[OpenEntry]]:
    after = 0
    while page := await ledger.open_entries(older_than=age, after=after, limit=_PAGE):
        yield page
        after = page[-1].id


class _Asked:
    """What the server says of runs; each is asked for once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rest = timedelta(seconds=max(_LEAST_REST_S, 2 * load_settings().heartbeat_timeout))
        self._runs: dict[str, WorkflowExecutionDescription | _Standing] = {}

    async def standing(self, key: EntryKey) -> _Standing:
        """Whether a worker may be making the call.

        Raises:
            ServerUnavailableError: The server does not say.
        """
        if key.run_id not in self._runs:
            try:
                self._runs[key.run_id] = await self._run(key.run_id)
            except RPCError as error:
                # Not to know it is no reason to give money back.
                label = visit_label(key.node, key.visit)
                raise ServerUnavailableError(
                    f"the server does not say whether {label} is under way: {error.message}"
                ) from None
        run = self._runs[key.run_id]
        return run if isinstance(run, str) else self._of(run, key)

    async def _run(self, run_id: str) -> WorkflowExecutionDescription | _Standing:
        listed: list[WorkflowExecution] = [it async for it in self._client.list_workflows(f"RunId = '{run_id}'")]
        if not listed:
            return "not found"
        try:
            return await self._client.get_workflow_handle(listed[0].id, run_id=run_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return "over"
            raise

    def _of(self, run: WorkflowExecutionDescription, key: EntryKey) -> _Standing:
        if run.close_time is not None and datetime.now(UTC) - run.close_time < self._rest:
            # Its workers learn from their next heartbeats that it is over.
            return "under way"
        label = visit_label(key.node, key.visit)
        activity_id = label if key.try_ == 1 else f"{label}~{key.try_}"
        # An attempt that is given up for dead may still be at it while the next one runs.
        pending = run.raw_description.pending_activities
        return "under way" if any(it.activity_id == activity_id for it in pending) else "over"
