"""Does what ``list`` asks for."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from orchestrator.cli.output import data, say, shown_time, table
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.standing import age, command, error_line
from orchestrator.client import Trouble
from orchestrator.contracts import visit_label
from orchestrator.errors import RequestError
from orchestrator.graph.durations import parse_duration
from orchestrator.statuses import ListedStatus
from orchestrator.summaries import RunSummary

__all__ = ["Choice", "list_runs", "moment", "reason"]

_COLUMNS = ("run", "status", "definition", "at node", "tenant", "started")
_TROUBLE_COLUMNS = ("run", "definition", "at node", "for", "problem", "tenant", "started")


class Choice(TypedDict):
    """Which runs to list."""

    name: str | None
    tenant: str | None
    since: datetime | None
    until: datetime | None
    limit: int


def moment(option: str, text: str | None, now: datetime | None = None) -> datetime | None:
    """The moment an option names: ISO 8601 (in UTC where it has no offset), or a duration before now, such as ``2h``.

    Raises:
        RequestError: It is neither.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    try:
        return (now or datetime.now(UTC)) - timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise RequestError(
            f"{option} takes a time ago such as 30m, 2h or 7d, or a date such as 2027-01-31 or 2027-01-31T09:00:00Z, "
            f"and {text[:80]!r} is neither"
        ) from error


def list_runs(choice: Choice, *, status: ListedStatus | None, as_json: bool) -> None:
    """Print the newest runs.

    Raises:
        RequestError: ``since`` is not before ``until``.
        SettingsError: The server lacks the search attributes that the choice needs.
    """
    since, until = choice["since"], choice["until"]
    if since is not None and until is not None and since >= until:
        raise RequestError(f"--since {since.isoformat()} is not before --until {until.isoformat()}")
    if status == "needs_attention":
        _troubled(choice, as_json=as_json)
        return
    rows = on_server(lambda session: session.orchestrator.runs(status=status, **choice))
    if as_json:
        data([row.model_dump(mode="json") for row in rows])
        return
    shown = (
        (row.id, row.status, row.definition or "", row.current_node or "", row.tenant or "", shown_time(row.started))
        for row in rows
    )
    table(_COLUMNS, shown)
    if not rows:
        say("no runs")
    elif len(rows) == choice["limit"]:
        say(f"the newest {len(rows)} only; --limit shows more")


def _troubled(choice: Choice, *, as_json: bool) -> None:
    """Print the runs that need attention, each with what is wrong and since when."""

    async def look(session: Session) -> list[tuple[RunSummary, Trouble]]:
        runs = session.orchestrator
        rows = await runs.runs(status="needs_attention", **choice)
        found = [trouble async for trouble in runs.troubles([row.id for row in rows])]
        return list(zip(rows, found, strict=True))

    found = on_server(look)
    if as_json:
        data([_as_data(row, trouble) for row, trouble in found])
        return
    table(_TROUBLE_COLUMNS, (_row(row, trouble) for row, trouble in found))
    _notes([trouble for _, trouble in found])
    if found:
        say(
            f"`{command('status', found[0][0].id)}` shows a run in full, `orchestrator resolve --all` resolves them all"
        )
    else:
        say("no run needs attention")


def _as_data(row: RunSummary, trouble: Trouble) -> dict[str, object]:
    first = trouble.first
    return {
        **row.model_dump(mode="json"),
        "problem": first.model_dump(mode="json") if first else None,
        **trouble.model_dump(mode="json", exclude={"run"}),
    }


def _row(row: RunSummary, trouble: Trouble) -> tuple[str, ...]:
    first = trouble.first
    node = visit_label(first.node, first.visit) if first else row.current_node or ""
    since = age(first.since) if first else ""
    return (row.id, row.definition or "", node, since, reason(trouble), row.tenant or "", shown_time(row.started))


def reason(trouble: Trouble) -> str:
    """What is wrong with a run, in one line: its oldest problem, and how many others there are."""
    if trouble.unknown is not None:
        return "(not known: the run did not answer)"
    if trouble.first is None:
        return "(resolved meanwhile)"
    nodes = len(trouble.parked) + sum(len(child.parked) for child in trouble.children)
    others = f" (and {nodes - 1} more)" if nodes > 1 else ""
    inside = "" if trouble.parked else f"in its child run {trouble.children[0].run}: "
    return f"{inside}{error_line(trouble.first)}{others}"


def _notes(troubles: Sequence[Trouble]) -> None:
    """Say once why runs did not answer."""
    for message in dict.fromkeys(trouble.unknown.message for trouble in troubles if trouble.unknown is not None):
        say(f"note: {message}")
