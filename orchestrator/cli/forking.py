"""Does what ``fork`` asks for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from orchestrator.cli.answers import Answers
from orchestrator.cli.errors import INTERRUPTED
from orchestrator.cli.output import at_terminal, data, out, say
from orchestrator.cli.requests import find_definition, is_file, made, pairs, read_value
from orchestrator.cli.running import finish
from orchestrator.cli.session import Session, existing, on_server
from orchestrator.compiler import compile_definition
from orchestrator.contracts import ForkRequest, RunRequest
from orchestrator.definition.library import Library
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, WorkerMissingError
from orchestrator.fork import fork_of, request_for
from orchestrator.graph.inputs import input_schema
from orchestrator.graph.plan import Plan
from orchestrator.settings import Settings, load_settings
from orchestrator.trace import trace_of

__all__ = ["Command", "definition_for", "follow", "fork"]


@dataclass(frozen=True, slots=True)
class Command:
    """A fork as the command line asks for it."""

    run: str
    at: str
    changes: Sequence[str]
    definition: str | None
    run_id: str | None


@dataclass(frozen=True, slots=True)
class _Begun:
    """A fork that was started."""

    run_id: str
    request: RunRequest
    plan: Plan
    taken: int


def fork(command: Command, *, as_json: bool) -> None:
    """Start a fork and print its id.

    Raises:
        RequestError: The run never came to that point, or what is to be set cannot be.
        MigrationError: What the run did has no place in the new definition.
    """
    settings = load_settings()

    async def work(session: Session) -> tuple[_Begun, str | None]:
        begun = await _begin(session, command, settings)
        return begun, session.link(await session.orchestrator.summary(begun.run_id))

    begun, link = on_server(work)
    if as_json:
        about = {"forked_from": command.run, "forked_at": command.at, "taken": begun.taken}
        definition = f"{begun.plan.name}@{begun.plan.version}"
        data({"run_id": begun.run_id, "definition": definition, **about, "web_ui": link})
        return
    out(begun.run_id)
    if link:
        say(f"web ui  {link}")


def follow(command: Command, given: Sequence[str], *, by: str | None, as_json: bool) -> int:
    """Start a fork and follow it as far as it goes. Returns the exit code."""
    settings = load_settings()
    begun: list[str] = []

    async def main() -> int:
        session = await existing(settings)
        started = await _begin(session, command, settings)
        begun.append(started.run_id)
        nodes = frozenset(str(node.id) for node in started.plan.nodes)
        answers = Answers(given, nodes=nodes, interactive=at_terminal(), by=by)
        return await finish(session, started.run_id, answers, as_json=as_json)

    try:
        return asyncio.run(main())
    except KeyboardInterrupt:
        where = f"the run goes on: `orchestrator progress {begun[0]} --follow`" if begun else "no run was started"
        say(f"\ninterrupted; {where}")
        return INTERRUPTED
    except WorkerMissingError as error:
        raise WorkerMissingError(f"{error.message}. The run is `{begun[0]}`" if begun else error.message) from error


async def _begin(session: Session, command: Command, settings: Settings) -> _Begun:
    """Check a fork, so that a refusal costs nothing, and start it."""
    trace = await trace_of(session.client, command.run)
    plan, definition = None, None
    if command.definition is not None:
        plan, definition = definition_for(command.definition, settings)
    changes = _changes(command.changes, plan or trace.plan)
    asked = made(ForkRequest, run=command.run, at=command.at, set=changes, own_definition=definition is None)
    found = fork_of(trace, asked, plan)
    request = request_for(trace, asked, definition)
    goes_on = plan or trace.plan
    run_id = command.run_id or f"{goes_on.name}-{uuid4().hex[:8]}"
    await session.orchestrator.fork(request, run_id)
    say(f"takes over {found.lineage.taken} finished {'visit' if found.lineage.taken == 1 else 'visits'}")
    return _Begun(run_id, request, goes_on, found.lineage.taken)


def definition_for(reference: str, settings: Settings) -> tuple[Plan | None, dict[str, Any] | str]:
    """A definition, compiled here, and what to tell the worker: a whole one where it is given as a file.

    The plan is none where the folder of this machine does not have the name, or has it broken: the worker's counts.

    Raises:
        DefinitionError: A file breaks rules.
        DefinitionNotFoundError: There is no such file.
    """
    library = Library(settings.definitions_dir)
    try:
        definition = find_definition(reference, settings.definitions_dir)
        plan = compile_definition(definition, library.find)
    except (DefinitionError, DefinitionNotFoundError) as error:
        if is_file(reference):
            raise
        say(f"note: not checked here, only by the worker: {error.message}")
        return None, reference
    return plan, dict(definition.source.data) if is_file(reference) else reference


def _changes(texts: Sequence[str], plan: Plan) -> dict[str, Any]:
    """What is to be set, read as what the plan has there."""
    found: dict[str, Any] = {}
    for path, text in pairs("--set", texts).items():
        root, _, name = path.partition(".")
        schema: dict[str, Any] = {}
        if root == "inputs" and name in plan.inputs:
            schema = input_schema(plan.inputs[name])
        elif root == "state" and name in plan.state and plan.state[name].type != "any":
            schema = {"type": plan.state[name].type}
        found[path] = read_value(f"--set {path}", text, schema)
    return found
