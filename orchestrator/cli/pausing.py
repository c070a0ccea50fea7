"""Does what ``pause`` and ``resume`` ask for, and looks at what became of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.cli.output import data, out, say
from orchestrator.cli.requests import pairs, read_value
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.standing import command
from orchestrator.client import Orchestrator
from orchestrator.contracts import ProgressPage
from orchestrator.errors import MessageError, WorkerMissingError

__all__ = ["pause", "resume"]

_ALL_EVENTS = 1_000


def pause(run_id: str, *, as_json: bool) -> None:
    """Pause a run, and print how it stands then."""

    async def work(session: Session) -> ProgressPage | None:
        await session.orchestrator.pause(run_id)
        return await _afterwards(session.orchestrator, run_id, 0, 1)

    page = on_server(work)
    if as_json:
        data({"run_id": run_id, "status": page.status if page else None})
    elif page is None:
        out(f"asked {run_id} to pause; it does so once a worker is there")
    elif page.status == "paused":
        out(f"{run_id} is paused: what is under way finishes, nothing new starts, deadlines go on")
        out(f"        `{command('resume', run_id)}` ends it")
    else:
        out(f"asked {run_id} to pause; its status is {page.status}")


def resume(run_id: str, values: Sequence[str], *, as_json: bool) -> None:
    """End a pause, and print how the run stands then.

    Raises:
        MessageError: It is not paused; or it stays so, because the values do not fit its shared state.
        RequestError: A value is not well formed.
    """
    given = pairs("-v", values)

    async def work(session: Session) -> ProgressPage | None:
        runs = session.orchestrator
        cursor = await _cursor(runs, run_id)
        await runs.resume(run_id, await _variables(runs, run_id, given))
        return None if cursor is None else await _afterwards(runs, run_id, cursor, _ALL_EVENTS)

    page = on_server(work)
    if page is not None and not any(event.type == "RUN_RESUMED" for event in page.events):
        how = "stays paused" if page.status == "paused" else f"was not resumed; its status is {page.status}"
        raise MessageError(f"`{run_id}` {how}{_why(page)}")
    if as_json:
        data({"run_id": run_id, "status": page.status if page else None})
    elif page is None:
        out(f"asked {run_id} to go on; it does so once a worker is there")
    else:
        out(f"{run_id} goes on; its status is {page.status}")


async def _cursor(runs: Orchestrator, run_id: str) -> int | None:
    """The number of the run's last event; none where no worker answers."""
    try:
        page = await runs.progress(run_id, limit=1)
        while page.events:
            page = await runs.progress(run_id, after=page.cursor, limit=_ALL_EVENTS)
    except WorkerMissingError as error:
        say(f"note: {error.message}")
        return None
    return page.cursor


async def _afterwards(runs: Orchestrator, run_id: str, after: int, limit: int) -> ProgressPage | None:
    """How a run stands after a signal, which it takes before it answers; none where no worker answers."""
    try:
        return await runs.progress(run_id, after=after, limit=limit)
    except WorkerMissingError as error:
        say(f"note: {error.message}")
        return None


async def _variables(runs: Orchestrator, run_id: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The values by channel, read as what the run's shared state has there, where a worker can say that."""
    if not given:
        return {}
    try:
        channels: dict[str, Any] = (await runs.definition(run_id)).get("state", {})
    except WorkerMissingError:
        channels = {}
    return {name: read_value(f"--set {name}", text, _schema(channels.get(name))) for name, text in given.items()}


def _schema(channel: Any) -> dict[str, Any]:
    named = channel.get("type") if channel else None
    return {"type": named} if named not in (None, "any") else {}


def _why(page: ProgressPage) -> str:
    """What was refused that is no answer to a question."""
    refused = [event for event in page.events if event.type == "REJECTED" and "message_id" not in event.data]
    return f": {refused[-1].data['message']}" if refused else ""
