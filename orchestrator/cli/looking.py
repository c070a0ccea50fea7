"""Does what ``status``, ``progress``, ``result``, ``state`` and ``list`` ask for."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.cli.errors import FAILED, OK, WAITING
from orchestrator.cli.output import data, out, say, table
from orchestrator.cli.render import event_line, result_lines, show_questions, usage_line
from orchestrator.cli.running import exit_code
from orchestrator.cli.session import Session, on_server
from orchestrator.contracts import Awaiting, Event, ProgressPage, RunResult, RunState
from orchestrator.errors import WorkerMissingError
from orchestrator.statuses import ENDED, ListedStatus
from orchestrator.summaries import RunSummary

__all__ = ["list_runs", "progress", "result", "state", "status"]

_LIST_COLUMNS = ("run", "status", "definition", "at node", "tenant", "started")


def status(run_id: str, *, as_json: bool) -> None:
    """Print what the server knows of a run, and what the run says of itself if a worker answers."""

    async def look(session: Session) -> tuple[RunSummary, RunState | None, list[Awaiting], str | None]:
        runs = session.orchestrator
        summary = await runs.summary(run_id)
        try:
            return summary, await runs.state(run_id), await runs.awaiting(run_id), session.link(summary)
        except WorkerMissingError as error:
            say(f"note: {error.message}")
            return summary, None, [], session.link(summary)

    summary, own, awaiting, link = on_server(look)
    # The index lags; the run itself knows best, unless the server has ended it without asking.
    current = own.status if own is not None and summary.status not in {"terminated", "timed_out"} else summary.status
    result = own.result if own else None
    if as_json:
        about: dict[str, Any] = {
            "awaiting": [question.model_dump(mode="json") for question in awaiting],
            "web_ui": link,
        }
        about["usage"] = result.usage.model_dump(mode="json") if result else None
        data({**summary.model_dump(mode="json"), "status": current, **about})
        return
    out(f"run     {run_id}\nstatus  {current}")
    out(f"of      {own.definition if own else summary.definition or '(not known)'}")
    out(f"since   {_time(summary.started)}" + (f", ended {_time(summary.closed)}" if summary.closed else ""))
    if result is not None:
        out(f"done    {len(result.path) + result.path_omitted} visits")
        out(f"usage   {usage_line(result.usage, result.cost_usd)}")
        if result.error is not None:
            out(f"error   {result.error.code}: {result.error.message}")
    show_questions(awaiting)
    if link is not None:
        out(f"web ui  {link}")


def progress(run_id: str, *, after: int, follow: bool, as_json: bool) -> None:
    """Print a run's events; with ``follow``, as they come, until it has ended."""
    if follow:
        on_server(lambda session: _follow(session, run_id, after, as_json=as_json))
        return
    page = on_server(lambda session: _whole(session, run_id, after))
    if as_json:
        data(page.model_dump(mode="json"))
        return
    if page.oldest > after + 1:
        say(f"events before {page.oldest} are not kept")
    _print_events(page.events)
    show_questions(page.awaiting)
    out(f"status  {page.status}")


async def _whole(session: Session, run_id: str, after: int) -> ProgressPage:
    """All the events that are kept, as one page."""
    page = await session.orchestrator.progress(run_id, after=after, limit=1000)
    events = list(page.events)
    while (more := await session.orchestrator.progress(run_id, after=page.cursor, limit=1000)).events:
        events.extend(more.events)
        page = page.model_copy(update={"cursor": more.cursor})
    return more.model_copy(update={"events": tuple(events), "oldest": page.oldest})


async def _follow(session: Session, run_id: str, after: int, *, as_json: bool) -> None:
    since: datetime | None = None
    async for event in session.orchestrator.follow(run_id, after=after):
        since = since or datetime.fromisoformat(event.at)
        if as_json:
            data(event.model_dump(mode="json"), compact=True)
        else:
            out(event_line(event, since))


def _print_events(events: Sequence[Event]) -> None:
    for event in events:
        out(event_line(event, datetime.fromisoformat(events[0].at)))


def result(run_id: str, *, wait: bool, as_json: bool) -> int:
    """Print the result of a run, or how it stands. Returns the exit code."""

    async def look(session: Session) -> tuple[RunResult, str | None]:
        runs = session.orchestrator
        summary = await runs.summary(run_id)
        link = session.link(summary)
        if summary.closed is not None:
            return await runs.result(run_id), link
        if not wait:
            return (await runs.state(run_id)).result, link
        if summary.status == "awaiting_input":
            say(f"the run waits for an answer (`orchestrator status {run_id}`); waiting for its end")
        return await runs.result(run_id), link

    found, link = on_server(look)
    if as_json:
        data({"run_id": run_id, **found.model_dump(mode="json"), "web_ui": link})
    else:
        for line in result_lines(run_id, found, link):
            out(line)
    if found.status in ENDED:
        return exit_code(found)
    return {"awaiting_input": WAITING, "needs_attention": FAILED}.get(found.status, OK)


def state(run_id: str) -> None:
    """Print everything a run knows."""
    data(on_server(lambda session: session.orchestrator.state(run_id)).model_dump(mode="json"))


def list_runs(*, status: ListedStatus | None, name: str | None, limit: int, as_json: bool) -> None:
    """Print the newest runs."""
    rows = on_server(lambda session: session.orchestrator.runs(status=status, name=name, limit=limit))
    if as_json:
        data([row.model_dump(mode="json") for row in rows])
        return
    shown = (
        (row.id, row.status, row.definition or "", row.current_node or "", row.tenant or "", _time(row.started))
        for row in rows
    )
    table(_LIST_COLUMNS, shown)
    if not rows:
        say("no runs")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
