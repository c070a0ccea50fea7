"""Does what ``run`` and ``start`` ask for."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from orchestrator.cli.answers import Answers
from orchestrator.cli.errors import FAILED, INTERRUPTED, INVALID, NOT_FOUND, OK, PARKED, WAITING, code_for
from orchestrator.cli.following import follow
from orchestrator.cli.output import at_terminal, data, out, say
from orchestrator.cli.render import Screen, result_lines
from orchestrator.cli.requests import Wanted, wanted
from orchestrator.cli.session import Session, any_session, on_server
from orchestrator.cli.standing import show
from orchestrator.contracts import ProgressPage, RunResult
from orchestrator.errors import WorkerMissingError
from orchestrator.settings import Settings, load_settings

__all__ = ["Command", "exit_code", "finish", "run", "start", "written"]


@dataclass(frozen=True, slots=True)
class Command:
    """A run as the command line asks for it."""

    definition: str
    inputs: str | None
    values: Sequence[str]
    run_id: str | None
    context: Mapping[str, Any]
    limits: Mapping[str, Any]

    def wanted(self, settings: Settings) -> Wanted:
        """The request, checked as far as this machine can."""
        return wanted(
            self.definition,
            self.inputs,
            self.values,
            library=settings.definitions_dir,
            context=self.context,
            limits=self.limits,
        )

    def id_for(self, name: str) -> str:
        """The id of the new run."""
        return self.run_id or f"{name}-{uuid4().hex[:8]}"


def start(command: Command, *, estimate: bool = False, as_json: bool) -> None:
    """Start a run and print its id."""
    settings = load_settings()
    asked = _asked(command, settings, estimate=estimate)
    run_id = command.id_for(asked.name)

    async def begin(session: Session) -> str | None:
        await session.orchestrator.start(asked.request, run_id)
        return session.link(await session.orchestrator.summary(run_id))

    link = on_server(begin)
    if as_json:
        data({"run_id": run_id, "definition": asked.name, "web_ui": link})
        return
    out(run_id)
    if link:
        say(f"web ui  {link}")


def run(
    command: Command,
    given: Sequence[str],
    *,
    by: str | None,
    may_embed: bool,
    estimate: bool = False,
    as_json: bool,
) -> int:
    """Run to the end, or as far as it goes without somebody's help. Returns the exit code."""
    settings = load_settings()
    asked = _asked(command, settings, estimate=estimate)
    run_id = command.id_for(asked.name)
    nodes = frozenset(node.id for node in asked.definition.nodes) if asked.definition else None
    answers = Answers(given, nodes=nodes, interactive=at_terminal(), by=by)
    # Whether the run outlives an interruption: only once it has been started on a server that does.
    begun: list[Session] = []

    async def main() -> int:
        async with any_session(settings, may_embed=may_embed) as session:
            if session.embedded:
                say(f"no server answers: started one for this run only, with its Web UI at {session.ui_url}")
                if asked.problem is not None:
                    raise asked.problem
            await session.orchestrator.start(asked.request, run_id)
            begun.append(session)
            return await finish(session, run_id, answers, as_json=as_json)

    try:
        return asyncio.run(main())
    except KeyboardInterrupt:
        say(f"\ninterrupted{_afterwards(run_id, begun)}")
        return INTERRUPTED
    except WorkerMissingError as error:
        raise WorkerMissingError(f"{error.message}. The run is `{run_id}`") from error


def _asked(command: Command, settings: Settings, *, estimate: bool) -> Wanted:
    """The request; with ``estimate``, once it was told what it costs, which is no more than it may."""
    asked = command.wanted(settings)
    if estimate:
        from orchestrator.cli.estimating import affordable

        affordable(asked, settings)
    return asked


def _afterwards(run_id: str, begun: Sequence[Session]) -> str:
    if not begun:
        return "; no run was started"
    if begun[0].embedded:
        return "; the server was this command's own, and the run ended with it"
    return f"; the run goes on: `orchestrator progress {run_id} --follow` shows it, `cancel {run_id}` ends it"


async def finish(session: Session, run_id: str, answers: Answers, *, as_json: bool) -> int:
    """Follow a run that was started, print how it ended or what it waits for, and return the exit code."""
    runs = session.orchestrator
    with Screen() as screen:
        screen.say(f"run {run_id}")
        address = session.address if session.embedded else None
        async with written(session, run_id, screen):
            waiting = await follow(runs, run_id, screen, answers, address=address)
    link = session.link(await runs.summary(run_id))
    if waiting is not None:
        return _left_open(session, run_id, waiting, link, as_json=as_json)
    if answers.left:
        say(f"{answers.left} of the answers given were not asked for")
    result = await runs.result(run_id)
    if as_json:
        data({"run_id": run_id, **result.model_dump(mode="json"), "web_ui": link})
    else:
        for line in result_lines(run_id, result, link):
            out(line)
    if result.error is not None:
        say(f"error {result.error.code}: {' '.join(result.error.message.split())}")
    return exit_code(result)


@asynccontextmanager
async def written(session: Session, run_id: str, screen: Screen) -> AsyncGenerator[None]:
    """Show what models write meanwhile, on a terminal."""
    if not screen.live:
        yield
        return
    from orchestrator.cli.tokens import read_along

    async with read_along(session.client, run_id, screen.writing, screen.say):
        yield


def exit_code(result: RunResult) -> int:
    """The exit code for a run that has ended."""
    if result.status == "completed":
        return OK
    code = code_for(result.error.code) if result.error and not result.error.node else FAILED
    return code if code in {INVALID, NOT_FOUND} else FAILED


def _left_open(session: Session, run_id: str, page: ProgressPage, link: str | None, *, as_json: bool) -> int:
    """Print what a run waits for, and return the exit code that says so."""
    if as_json:
        waits = page.model_dump(mode="json", include={"status", "awaiting", "parked", "children"})
        data({"run_id": run_id, **waits, "web_ui": link})
    else:
        out(f"status  {page.status}\nrun     {run_id}")
        show(run_id, page.awaiting, page.parked, page.children, advise=not session.embedded)
    stuck = page.status == "needs_attention"
    why = "needs attention" if stuck else "waits for an answer"
    if session.embedded:
        unless = "start a server that stays (`orchestrator dev`)"
        say(f"the run {why}, and ends here with its server: {unless if stuck else f'give `--answer`, or {unless}'}")
    elif stuck:
        say(f"the run {why}, and waits for as long as it takes: `orchestrator status {run_id}` shows what to type")
    else:
        approval = page.awaiting and page.awaiting[0].kind == "approval"
        answer = f"approve {run_id} --approve" if approval else f"answer {run_id} TEXT"
        say(f"the run {why}, for as long as it takes: `orchestrator {answer}`")
    return PARKED if stuck else WAITING
