"""Does what ``status``, ``progress``, ``result`` and ``state`` ask for."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from orchestrator.cli.errors import OK, PARKED, WAITING
from orchestrator.cli.events import event_line
from orchestrator.cli.output import data, out, say, shown_time
from orchestrator.cli.render import Screen, aftermath_lines, result_lines, usage_lines
from orchestrator.cli.running import exit_code, written
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.standing import command, show, to_resolve
from orchestrator.contracts import Awaiting, Event, ProgressPage, RunResult, RunState
from orchestrator.errors import WorkerMissingError
from orchestrator.statuses import ENDED
from orchestrator.summaries import RunSummary

__all__ = ["progress", "result", "state", "status"]

_WAITS: Mapping[str, str] = {
    "awaiting_input": "waits for an answer",
    "needs_attention": "needs attention",
    "paused": "is paused",
}
_OF_RESULT = ("error", "undone", "aside", "forked_from", "usage", "usage_by_node", "attempts", "attempts_omitted")


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
    if as_json:
        data(_status_data(summary.model_copy(update={"status": current}), own, awaiting, link))
        return
    out(f"run     {run_id}\nstatus  {current}")
    out(f"of      {own.definition if own else summary.definition or '(not known)'}")
    out(f"since   {shown_time(summary.started)}" + (f", ended {shown_time(summary.closed)}" if summary.closed else ""))
    if own is not None:
        _show_own(own)
        show(run_id, awaiting, own.parked, own.children)
    for line in _next_steps(run_id, current):
        out(line)
    if link is not None:
        out(f"web ui  {link}")


def _status_data(
    summary: RunSummary, own: RunState | None, awaiting: Sequence[Awaiting], link: str | None
) -> dict[str, Any]:
    """The same as JSON; what only the run itself knows is null where no worker answers."""
    result = own.result.model_dump(mode="json") if own else {}
    return {
        **summary.model_dump(mode="json"),
        "awaiting": [question.model_dump(mode="json") for question in awaiting],
        "parked": [item.model_dump(mode="json") for item in own.parked] if own else None,
        "children": [child.model_dump(mode="json") for child in own.children] if own else None,
        "continued": own.continued if own else None,
        **{name: result.get(name) for name in _OF_RESULT},
        "web_ui": link,
    }


def _show_own(own: RunState) -> None:
    """What a run says of itself."""
    result = own.result
    if own.continued:
        times = "once" if own.continued == 1 else f"{own.continued} times"
        out(f"went on {times} in a new workflow run; `since` is when the present one began")
    visits = len(result.path) + result.path_omitted
    out(f"done    {'1 visit' if visits == 1 else f'{visits} visits'}")
    for line in usage_lines(result):
        out(line)
    if result.error is not None:
        out(f"error   {result.error.code}: {result.error.message}")
    for line in aftermath_lines(result):
        out(line)


def _next_steps(run_id: str, current: str) -> list[str]:
    match current:
        case "paused":
            return [f"        nothing new starts until `{command('resume', run_id)}`"]
        case "cancelling":
            return [f"        undoes and cleans up; `{command('result', run_id)}` waits until it has ended"]
        case _:
            return []


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
    show(run_id, page.awaiting, page.parked, page.children)
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
    with Screen() as screen:
        async with written(session, run_id, screen) if sys.stdout.isatty() and not as_json else nullcontext():
            async for event in session.orchestrator.follow(run_id, after=after):
                since = since or datetime.fromisoformat(event.at)
                if as_json:
                    data(event.model_dump(mode="json"), compact=True)
                    continue
                out(event_line(event, since))
                if event.type == "PARKED" and event.node:
                    for line in to_resolve(run_id, event.node):
                        say(f"            {line}")


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
        if summary.status in _WAITS:
            say(f"the run {_WAITS[summary.status]} (`{command('status', run_id)}`); waiting for its end")
        return await runs.result(run_id), link

    found, link = on_server(look)
    if as_json:
        data({"run_id": run_id, **found.model_dump(mode="json"), "web_ui": link})
    else:
        for line in result_lines(run_id, found, link):
            out(line)
    if found.status in ENDED:
        return exit_code(found)
    return {"awaiting_input": WAITING, "needs_attention": PARKED}.get(found.status, OK)


def state(run_id: str) -> None:
    """Print everything a run knows."""
    data(on_server(lambda session: session.orchestrator.state(run_id)).model_dump(mode="json"))
