"""Does what ``check-upgrade`` and ``migrate`` ask for."""

import re
import sys
from collections.abc import Sequence

from rich.console import Console

from orchestrator.cli.errors import FAILED, OK
from orchestrator.cli.forking import definition_for
from orchestrator.cli.output import data, out, say, table
from orchestrator.cli.requests import find_definition
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.standing import command
from orchestrator.compiler import compile_definition
from orchestrator.contracts import MigrateReply, MigrateRequest
from orchestrator.definition.library import Library
from orchestrator.errors import RequestError
from orchestrator.graph.plan import Plan
from orchestrator.settings import load_settings
from orchestrator.upgrade import Verdict
from orchestrator.upgrade import check_upgrade as verdicts

__all__ = ["check_upgrade", "migrate"]

_LAST = re.compile(r"last[: ]?\s*([1-9][0-9]{0,5})")
_MOST_RUNS = 100_000
_COLUMNS = ("run", "definition", "verdict", "where", "why")
_SUMMARY = (("same path", "on the same path"), ("fits from", "fit from a node on"), ("blocked", "blocked"))


def check_upgrade(new: str, *, against: str, as_json: bool) -> int:
    """Print how far runs go the same way in a new version. Returns the exit code.

    Raises:
        DefinitionError: The new version breaks rules.
        DefinitionNotFoundError: There is none.
        RequestError: ``against`` is not understood.
    """
    newest = _newest(against)
    settings = load_settings()
    plan = compile_definition(find_definition(new, settings.definitions_dir), Library(settings.definitions_dir).find)
    found = on_server(lambda session: _look(session, plan, newest))
    if as_json:
        data({"definition": f"{plan.name}@{plan.version}", "runs": [item.model_dump(mode="json") for item in found]})
    else:
        _show(found, plan)
    return FAILED if any(item.verdict == "blocked" for item in found) else OK


def _newest(against: str) -> int | None:
    """How many of the newest runs to look at; none for all that go on."""
    if against == "running":
        return None
    last = _LAST.fullmatch(against)
    if last is None:
        raise RequestError(f"--against takes running, or last:N, and {against[:80]!r} is neither")
    return int(last[1])


async def _look(session: Session, plan: Plan, newest: int | None) -> list[Verdict]:
    runs = session.orchestrator
    rows = await runs.runs(name=plan.name, limit=newest or _MOST_RUNS, going_on=newest is None)
    found: list[Verdict] = []
    console = Console(stderr=True, quiet=not sys.stderr.isatty())
    with console.status(f"0 of {len(rows)} runs") as status:
        async for verdict in verdicts(session.client, [row.id for row in rows], plan):
            found.append(verdict)
            status.update(f"{len(found)} of {len(rows)} runs")
    return found


def _show(found: Sequence[Verdict], plan: Plan) -> None:
    if not found:
        say(f"there are no runs of {plan.name} to look at")
        return
    table(_COLUMNS, (_row(item) for item in found))
    counts = {name: sum(item.verdict == name for item in found) for name, _ in _SUMMARY}
    told = [f"{counts[name]} {words}" for name, words in _SUMMARY]
    unknown = len(found) - sum(counts.values())
    say(f"{', '.join(told)}{f', {unknown} unknown' if unknown else ''}")
    for item in found:
        if item.verdict == "fits from" and item.at is not None:
            new = f"{plan.name}@{plan.version}"
            say(f"for example: {command('fork', item.run, '--at', item.at, '--definition', new)}")
            return


def _row(item: Verdict) -> tuple[str, ...]:
    where = ", ".join(item.nodes) if item.verdict == "fits from" else item.where or ""
    reason = item.reason or ""
    if item.verdict == "fits from" and item.at is not None and item.at not in item.nodes:
        reason = f"{item.at}: {reason}"
    elif item.verdict == "same path" and not item.migrates:
        reason = "but cannot be migrated"
    return item.run, item.definition or "", item.verdict, where, reason


def migrate(run_id: str, to: str, *, as_json: bool) -> None:
    """Move a run to another definition, and print what it goes on with.

    Raises:
        MigrationError: It does not fit, or has ended.
        DefinitionNotFoundError: The worker finds no such definition.
        WorkerMissingError: No worker answers.
    """
    _, definition = definition_for(to, load_settings())

    async def work(session: Session) -> tuple[str, MigrateReply]:
        runs = session.orchestrator
        before = (await runs.state(run_id)).definition
        return before, await runs.migrate(run_id, MigrateRequest(definition=definition))

    before, reply = on_server(work)
    if as_json:
        data({"run_id": run_id, "from": before, "to": reply.definition})
    else:
        out(f"{run_id} goes on with {reply.definition} (was {before})")
