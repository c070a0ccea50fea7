"""Does what ``record`` asks for."""

import os
import sys
from pathlib import Path
from typing import Any

from activities.blobs import blob_store
from activities.blobs.moving import bring_in
from orchestrator.cli.output import out, say
from orchestrator.cli.requests import find_definition
from orchestrator.cli.session import Session, on_server
from orchestrator.compiler import compile_definition
from orchestrator.contracts import RunResult
from orchestrator.definition.library import Library
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, RequestError
from orchestrator.settings import Settings, load_settings
from orchestrator.testkit.recording import recorded_run
from orchestrator.testkit.writing import RecordedRun, case_of

__all__ = ["record"]

_SCHEMA = Path(__file__).parents[2] / "docs/cases.schema.json"


def record(run_id: str, *, output: Path | None, name: str | None) -> None:
    """Write a case from a run.

    Raises:
        RequestError: It cannot be written as a case, or the file is in the way.
    """
    settings = load_settings()
    if output is not None and output.exists():
        raise RequestError(f"{output} is there already; choose another name")

    async def fill(values: dict[str, Any]) -> dict[str, Any]:
        return await bring_in(values, blob_store(settings), f"the case of `{run_id}`")

    async def work(session: Session) -> RecordedRun:
        return await recorded_run(session.client, run_id, await _result(session, run_id), fill, name)

    found = on_server(work)
    _compare(found, settings)
    where = output or Path("case.yaml")
    text = case_of(found, schema=os.path.relpath(_SCHEMA, where.resolve().parent).replace(os.sep, "/"))
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise RequestError(f"{output} cannot be written: {error.strerror or error}") from error
    out(str(output))
    say(f"play it with `orchestrator test {output}`")


async def _result(session: Session, run_id: str) -> RunResult:
    runs = session.orchestrator
    if (await runs.summary(run_id)).closed is None:
        return (await runs.state(run_id)).result
    return await runs.result(run_id)


def _compare(run: RecordedRun, settings: Settings) -> None:
    """Say where the case will not find the definition that the run was pinned to."""
    try:
        definition = find_definition(run.definition, settings.definitions_dir)
        same = compile_definition(definition, Library(settings.definitions_dir).find).hash == run.plan.hash
    except (DefinitionNotFoundError, DefinitionError) as error:
        say(f"note: `{run.definition}` is not in {settings.definitions_dir}, and the case needs it: {error.message}")
        return
    if not same:
        say(f"note: {run.definition} in {settings.definitions_dir} is not what the run went by; the case may show it")
