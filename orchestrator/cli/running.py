"""Does what ``run`` and ``start`` ask for."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from orchestrator.cli.answers import Answers
from orchestrator.cli.errors import FAILED, INTERRUPTED, INVALID, NOT_FOUND, OK, WAITING, code_for
from orchestrator.cli.following import follow
from orchestrator.cli.output import at_terminal, data, out, say
from orchestrator.cli.render import Screen, result_lines, show_questions
from orchestrator.cli.requests import Wanted, wanted
from orchestrator.cli.session import Session, any_session, on_server
from orchestrator.contracts import Awaiting, RunResult
from orchestrator.errors import WorkerMissingError
from orchestrator.settings import Settings, load_settings

__all__ = ["Command", "exit_code", "finish", "run", "start"]


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


def start(command: Command, *, as_json: bool) -> None:
    """Start a run and print its id."""
    settings = load_settings()
    asked = command.wanted(settings)
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


def run(command: Command, given: Sequence[str], *, may_embed: bool, as_json: bool) -> int:
    """Run to the end, or as far as it goes without an answer. Returns the exit code."""
    settings = load_settings()
    asked = command.wanted(settings)
    run_id = command.id_for(asked.name)
    nodes = frozenset(node.id for node in asked.definition.nodes) if asked.definition else None
    answers = Answers(given, nodes=nodes, interactive=at_terminal())
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
        waiting = await follow(runs, run_id, screen, answers)
    link = session.link(await runs.summary(run_id))
    if waiting:
        _unanswered(session, run_id, waiting, link, as_json=as_json)
        return WAITING
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


def exit_code(result: RunResult) -> int:
    """The exit code for a run that has ended."""
    if result.status == "completed":
        return OK
    code = code_for(result.error.code) if result.error and not result.error.node else FAILED
    return code if code in {INVALID, NOT_FOUND} else FAILED


def _unanswered(session: Session, run_id: str, waiting: Sequence[Awaiting], link: str | None, *, as_json: bool) -> None:
    if as_json:
        questions = [question.model_dump(mode="json") for question in waiting]
        data({"run_id": run_id, "status": "awaiting_input", "awaiting": questions, "web_ui": link})
    else:
        out(f"status  awaiting_input\nrun     {run_id}")
        show_questions(waiting)
    if session.embedded:
        say(
            "the run waits for an answer, and ends here with its server: give `--answer`, or start a server that stays "
            "(`orchestrator dev`)"
        )
    else:
        say(f"the run waits for an answer, for as long as it takes: `orchestrator answer {run_id} TEXT`")
