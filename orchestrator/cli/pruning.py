"""Deletes from the ledger what ended long ago."""

import asyncio
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.cli.accounting import age_of, calls
from orchestrator.cli.output import data, out, say
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.tokens import first_run_id
from orchestrator.contracts import WORKFLOW_TYPE
from orchestrator.errors import RunNotFoundError, ServerUnavailableError
from orchestrator.settings import load_settings
from storage import Pruned, open_storage, prune

__all__ = ["LEAST_AGE", "prune_ledger"]

LEAST_AGE: Final = "1d"
"""Calls that ended later may belong to an attempt that nobody has heard of for a while."""
_AT_A_TIME: Final = 20


def prune_ledger(older_than: str, *, yes: bool, as_json: bool) -> None:
    """Delete the calls that ended so long ago, except those of open runs, and the sums of days before; or count them.

    Args:
        older_than: How long ago.
        yes: Delete them; else they are only counted.
        as_json: Print the figures as JSON.

    Raises:
        RequestError: ``older_than`` is no duration, or less than a day.
        ServerUnavailableError: It does not say which runs are open.
        StorageUnavailableError: The ledger cannot be reached.
    """
    age = age_of(older_than, LEAST_AGE)

    async def work(session: Session) -> tuple[Pruned, str]:
        still_open = await _open_runs(session.client)
        async with open_storage(load_settings().storage_address) as storage:
            done = await prune(storage, age, open_runs=still_open, go=yes)
        return done, f"namespace {session.client.namespace} at {session.address}"

    done, asked = on_server(work)
    if as_json:
        data({"deleted": yes, "entries": done.entries, "scopes": done.scopes, "entries_of_open_runs": done.kept})
        return
    say(f"open runs are those of {asked}")
    days = "1 sum of a day" if done.scopes == 1 else f"{done.scopes} sums of days"
    out(f"{'deleted' if yes else 'would be deleted'}: {calls(done.entries)}, {days}")
    if done.kept:
        say(f"kept, since their runs are open: {calls(done.kept)}")
    if not yes and (done.entries or done.scopes):
        say("nothing was done; --yes deletes them")


async def _open_runs(client: Client) -> set[str]:
    """The first run ids of the runs that are open."""
    # One that goes on in a new workflow run may be listed for a moment by the one before only.
    query = f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus IN ('Running', 'ContinuedAsNew')"
    few = asyncio.Semaphore(_AT_A_TIME)

    async def asked(run_id: str) -> str | None:
        async with few:
            return await _first_run_id_of_open(client, run_id)

    try:
        ids = {found.id async for found in client.list_workflows(query)}
        return {found for found in await asyncio.gather(*map(asked, sorted(ids))) if found is not None}
    except RPCError as error:
        raise ServerUnavailableError(f"the server does not say which runs are open: {error.message}") from None


async def _first_run_id_of_open(client: Client, run_id: str) -> str | None:
    """The first run id of a run; none where it is over."""
    try:
        described = await client.get_workflow_handle(run_id).describe()
        if described.close_time is not None:
            return None
        return described.raw_info.first_run_id or await first_run_id(client, run_id)
    except RunNotFoundError:
        return None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
