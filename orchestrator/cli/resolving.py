"""Does what ``resolve`` asks for: one run, or all that need attention."""

import sys
from collections.abc import Sequence
from typing import Any, Literal

from orchestrator.cli.errors import FAILED, OK, code_for
from orchestrator.cli.listing import reason
from orchestrator.cli.output import at_terminal, data, out, say, table
from orchestrator.cli.requests import made, read_object
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.standing import age, parked_lines
from orchestrator.client import Resolution, Trouble
from orchestrator.contracts import ResolveReply, ResolveRequest
from orchestrator.errors import NotParkedError, RequestError, WorkerMissingError

__all__ = ["request_for", "resolve", "resolve_all"]

_COLUMNS = ("run", "nodes", "for", "problem")
_DONE = {"retry": "tried again", "override": "given its output", "skip": "skipped", "fail": "failed"}


def request_for(  # noqa: PLR0913 - one parameter for each option
    node: str | None,
    *,
    retry: bool,
    override: str | None,
    skip: bool,
    fail: bool,
    config: str | None,
    inputs: str | None,
    max_cost: float | None = None,
    by: str | None,
    comment: str | None,
) -> ResolveRequest:
    """The request that the options make.

    Raises:
        RequestError: None of the four actions was given, or several; or an option does not go with it.
    """
    chosen: dict[Literal["retry", "override", "skip", "fail"], bool] = {
        "retry": retry,
        "override": override is not None,
        "skip": skip,
        "fail": fail,
    }
    actions = [action for action, wanted in chosen.items() if wanted]
    if len(actions) != 1:
        raise RequestError("say what becomes of it with one of --retry, --override JSON, --skip and --fail")
    if (config is not None or inputs is not None or max_cost is not None) and not retry:
        raise RequestError("--config, --inputs and --max-cost change what is tried again: they go with --retry only")
    fields: dict[str, Any] = {"config": read_object("--config", config), "inputs": read_object("--inputs", inputs)}
    if max_cost is not None:
        fields["cost_usd"] = max_cost
    if override is not None:
        fields["output"] = read_object("--override", override)
    return made(ResolveRequest, action=actions[0], node=node, by=by, comment=comment, **fields)


def resolve(run_id: str, request: ResolveRequest, *, as_json: bool) -> None:
    """Resolve one run, and print what is parked in it now."""

    async def work(session: Session) -> ResolveReply:
        try:
            return await session.orchestrator.resolve(run_id, request)
        except WorkerMissingError as error:
            raise WorkerMissingError(f"{error.message}. It is safe to ask again") from error

    reply = on_server(work)
    if as_json:
        data({"run_id": run_id, **reply.model_dump(mode="json")})
        return
    out(f"{_DONE[request.action]}: {', '.join(reply.resolved)}")
    if not reply.parked:
        say("nothing is parked now")
    for line in parked_lines(run_id, reply.parked):
        out(line)


def resolve_all(request: ResolveRequest, *, name: str | None, limit: int, yes: bool, as_json: bool) -> int:
    """Resolve every run that needs attention, once somebody has seen which those are. Returns the exit code.

    Raises:
        RequestError: Nobody is here who could confirm it.
    """
    if not yes and not at_terminal():
        raise RequestError(
            "nobody is here to confirm it: look with `orchestrator list --status needs_attention`, then give --yes"
        )
    troubles = on_server(lambda session: _look(session, name, limit))
    chosen = [trouble for trouble in troubles if trouble.parked]
    _elsewhere([trouble for trouble in troubles if not trouble.parked and trouble.first])
    if chosen and not yes:
        table(_COLUMNS, (_row(trouble) for trouble in chosen), sys.stderr)
        if not _confirmed(f"{request.action} in {_runs(len(chosen))}? [y/N] "):
            say("nothing was done")
            return FAILED
    done = [Resolution(run=trouble.run, error=trouble.unknown) for trouble in troubles if trouble.unknown is not None]
    if not as_json:
        for resolution in done:
            _tell(resolution, request)
    done += on_server(lambda session: _perform(session, [trouble.run for trouble in chosen], request, as_json=as_json))
    if as_json:
        data([resolution.model_dump(mode="json") for resolution in done])
    elif not done:
        say("no run needs attention" + (f" of those of `{name}`" if name else ""))
    return _exit_code(done)


async def _look(session: Session, name: str | None, limit: int) -> list[Trouble]:
    rows = await session.orchestrator.runs(status="needs_attention", name=name, limit=limit)
    return [trouble async for trouble in session.orchestrator.troubles([row.id for row in rows])]


async def _perform(
    session: Session, run_ids: Sequence[str], request: ResolveRequest, *, as_json: bool
) -> list[Resolution]:
    """Resolve, and say of each run at once what became of it."""
    done: list[Resolution] = []
    async for resolution in session.orchestrator.resolve_each(run_ids, request):
        done.append(resolution)
        if not as_json:
            _tell(resolution, request)
    return done


def _exit_code(done: Sequence[Resolution]) -> int:
    """That a run was resolved meanwhile is no failure; runs that failed alike give that failure's own code."""
    errors = {item.error.code for item in done if item.error is not None} - {NotParkedError.code}
    codes = {code_for(error) for error in errors}
    return OK if not codes else codes.pop() if len(codes) == 1 else FAILED


def _tell(resolution: Resolution, request: ResolveRequest) -> None:
    if resolution.error is not None:
        out(f"{resolution.run}  not done: {resolution.error.code}: {resolution.error.message}")
        return
    left = f"; still parked: {', '.join(item.node for item in resolution.parked)}" if resolution.parked else ""
    out(f"{resolution.run}  {_DONE[request.action]}: {', '.join(resolution.resolved)}{left}")


def _row(trouble: Trouble) -> tuple[str, ...]:
    nodes = ", ".join(item.node for item in trouble.parked)
    return trouble.run, nodes, age(min(item.since for item in trouble.parked)), reason(trouble)


def _confirmed(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _elsewhere(troubles: Sequence[Trouble]) -> None:
    """Say which runs are left alone because the trouble is in a child run, which is in the list by itself."""
    for trouble in troubles:
        say(f"note: {trouble.run} is resolved in its child run {', '.join(child.run for child in trouble.children)}")


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
