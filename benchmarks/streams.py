"""How late a reader sees what a model writes: from the provider's sending a token, through a worker and the log.

``python -m benchmarks.streams`` measures just this, and for as long as it is told; so does, for eight seconds,
``python -m benchmarks --only streams``.
"""

import asyncio
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from benchmarks.figures import Figure
from benchmarks.fleet import ROOT, clean_environment, open_fleet
from benchmarks.lab import Lab, open_lab
from benchmarks.machine import describe_machine
from benchmarks.options import JsonFile, check_page
from benchmarks.pages import PAGE, STREAMS
from benchmarks.peers.database import DatabaseMissingError, own_database
from benchmarks.peers.measure import DEFAULT_POSTGRES, POSTGRES_VARIABLE
from benchmarks.progress import progress
from benchmarks.report import Report, as_table, row, write_block
from orchestrator.child import command_that_ends_with_us
from orchestrator.contracts import WORKFLOW_TYPE, RunRequest
from orchestrator.errors import StorageUnavailableError
from orchestrator.leave import leave
from storage.streams import Delta, TokenLog, open_token_log

__all__ = ["STREAM_DEFINITIONS", "as_block", "main", "streams"]

_PER_SECOND = 50
_SECONDS = 8
_FEWEST_S = 2
_WARM_UP = _PER_SECOND
"""Tokens of each stream that do not count: all begin at once, and that is another figure."""
_COLUMNS = ("Figure", "Target", "Median", "Verdict", "Remarks")
_DEFAULT_REDIS = "redis://127.0.0.1:6379/9"
_REDIS_VARIABLE = "BENCHMARK_REDIS"


def _tells(name: str, *, streams: bool) -> dict[str, Any]:
    config = {"model": "gpt-4o-mini", "prompt": "Go on.", "stream": streams}
    return {"name": name, "version": "1.0.0", "nodes": [{"id": "tell", "type": "ModelInvoke", "config": config}]}


STREAM_DEFINITIONS: Mapping[str, Mapping[str, Any]] = {
    "streamed": _tells("streamed", streams=True),
    "unstreamed": _tells("unstreamed", streams=False),
}
"""What the measure runs, by name."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of log, how many streams it has to carry, and how late the median may be, in milliseconds."""

    name: str
    streams: int
    target: float


@dataclass(frozen=True, slots=True)
class _Model:
    """A model that writes, and how many tokens each of its answers has."""

    url: str
    tokens: int


_KINDS = (_Kind("Redis", 50, 60), _Kind("PostgreSQL", 50, 150), _Kind("SQLite", 10, 300))


async def streams(lab: Lab, seconds: int = _SECONDS) -> list[Figure]:
    """The lag of each kind of log, and what streaming adds to history.

    Args:
        lab: Where runs run.
        seconds: For how long each model writes, the first of which does not count.
    """
    figures: list[Figure] = []
    async with _model(_PER_SECOND * seconds) as url:
        for kind in _KINDS:
            lab.told(f"streams: {kind.streams} through {kind.name}, {seconds} s")
            try:
                async with _address(kind) as (storage, redis, folder):
                    figures += await _measured(lab, kind, _Model(url, _PER_SECOND * seconds), storage, redis, folder)
            except (DatabaseMissingError, StorageUnavailableError) as missing:
                what = f"lag of {kind.streams} streams through {kind.name}"
                figures.append(Figure(measure="streams", what=what, unit="ms", samples=(), absent=f"{missing}"))
    return figures


async def _measured(
    lab: Lab, kind: _Kind, model: _Model, storage: str, redis: str | None, folder: Path
) -> list[Figure]:
    settings = {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": model.url,
        "ORCHESTRATOR_STORAGE_URL": storage,
        "ORCHESTRATOR_REDIS_URL": redis or "",
        "ORCHESTRATOR_STREAM_KEEP": "600",
    }
    queue = f"streams-{uuid.uuid4().hex}"
    async with (
        open_fleet(lab.client, queue, folder, STREAM_DEFINITIONS, settings) as fleet,
        open_token_log(storage, redis) as log,
    ):
        await fleet.ready(await fleet.start())
        handles = [await _begin(lab, queue, "streamed") for _ in range(kind.streams)]
        read = await asyncio.gather(*(_lags(log, handle, model.tokens) for handle in handles))
        lags = sorted(lag for one in read for lag in one[_WARM_UP:])
        await asyncio.gather(*(handle.result() for handle in handles))
        added = await _events_added(lab, queue, handles[0], model.tokens) if kind is _KINDS[0] else []
    load = os.getloadavg()[0]
    what = f"from the provider's sending a token to its reader, {kind.streams} streams through {kind.name}"
    note = f"{_PER_SECOND} tokens/s each; {len(lags):,} tokens, p95 {_at(lags, 0.95):.0f} ms; load {load:.1f}"
    return [
        Figure(measure="streams", what=what, unit="ms", samples=tuple(lags), target=kind.target, note=note, digits=0),
        *added,
    ]


async def _begin(lab: Lab, queue: str, definition: str) -> WorkflowHandle[Any, Any]:
    return await lab.client.start_workflow(
        WORKFLOW_TYPE, RunRequest(definition=definition), id=f"{definition}-{uuid.uuid4().hex}", task_queue=queue
    )


async def _lags(log: TokenLog, handle: WorkflowHandle[Any, Any], tokens: int) -> list[float]:
    """Milliseconds by which each token of a run was late, by the clock that all here share."""
    found: list[float] = []
    async for record in log.read(handle.first_execution_run_id or ""):
        now = time.time()
        if not isinstance(record, Delta):
            break
        found += [1_000 * (now - float(token)) for token in record.text.split()]
    if len(found) != tokens:
        raise RuntimeError(f"of {tokens} tokens a reader saw {len(found)}")
    return found


async def _events_added(lab: Lab, queue: str, streamed: WorkflowHandle[Any, Any], tokens: int) -> list[Figure]:
    """What a streamed run's history has more than that of one which is not, for each token."""
    plain = await _begin(lab, queue, "unstreamed")
    await plain.result()
    more = [len(await _kinds_of_events(handle)) for handle in (streamed, plain)]
    return [
        Figure(
            measure="streams",
            what="history events that a streamed token adds",
            unit="events",
            samples=((more[0] - more[1]) / tokens,),
            target=0,
            note=f"{tokens} tokens: {more[0]} events streamed, {more[1]} not",
        )
    ]


async def _kinds_of_events(handle: WorkflowHandle[Any, Any]) -> list[str]:
    return [EventType.Name(event.event_type) async for event in handle.fetch_history_events()]


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(round(share * len(ordered)), len(ordered) - 1)]


@asynccontextmanager
async def _address(kind: _Kind) -> AsyncGenerator[tuple[str, str | None, Path]]:
    """Addresses of the storage and of Redis, and a folder to work in."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sqlite = f"sqlite:///{folder / 'storage.db'}"
        if kind.name == "Redis":
            yield sqlite, os.environ.get(_REDIS_VARIABLE, _DEFAULT_REDIS), folder
        elif kind.name == "PostgreSQL":
            async with own_database(os.environ.get(POSTGRES_VARIABLE, DEFAULT_POSTGRES)) as (url, _):
                yield url, None, folder
        else:
            yield sqlite, None, folder


@asynccontextmanager
async def _model(tokens: int) -> AsyncGenerator[str]:
    """The address of the model, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *command_that_ends_with_us(Path(sys.executable), "-m", "benchmarks.slow_model", str(tokens), str(_PER_SECOND)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=clean_environment(),
    )
    try:
        url = (await process.stdout.readline()).decode().strip() if process.stdout else ""
        if not url:
            raise RuntimeError("the model did not start")
        yield url
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


def as_block(report: Report) -> str:
    """The figures for the docs."""
    where = "" if report.machine is None else f", on {report.machine.sentence()}"
    lines = [
        f"Measured on {report.day.isoformat()} with `{report.command}`{where}.",
        "",
        row(_COLUMNS),
        row(["---"] * len(_COLUMNS)),
    ]
    for figure in report.figures:
        figures = ["", "not measured", ""]
        if not figure.absent:
            most = "" if figure.target is None else f"≤ {figure.target:g} {figure.unit}"
            figures = [most, f"{figure.median:,.{figure.digits}f} {figure.unit}", figure.verdict]
        lines.append(row([figure.what, *figures, figure.absent or figure.note]))
    return "\n".join(lines)


async def _report(seconds: int) -> Report:
    begun = time.monotonic()
    with progress() as told:
        async with open_lab(STREAM_DEFINITIONS, pairs=1, told=told) as lab:
            machine = await describe_machine(lab.client)
            figures = await streams(lab, seconds)
    return Report(
        day=datetime.now(tz=UTC).date(),
        command=f"python -m benchmarks.streams --seconds {seconds}",
        pairs=1,
        machine=machine,
        figures=tuple(figures),
        minutes=(time.monotonic() - begun) / 60,
    )


def main(
    *,
    seconds: Annotated[
        int, typer.Option(min=_FEWEST_S, help="For how long each model writes; the first second does not count.")
    ] = _SECONDS,
    json: JsonFile = None,
    write_docs: Annotated[bool, typer.Option("--write-docs", help="Put the table into docs/performance.md.")] = False,
) -> None:
    """Measure how late readers see what models write, through each kind of log, and what it adds to history.

    A target that is missed is told in the table, and is no fault of the measuring.
    """
    if write_docs:
        check_page(STREAMS)
    report = asyncio.run(_report(seconds))
    out = Console(width=None if sys.stdout.isatty() else 150)
    if report.machine is not None:
        out.print(f"On {report.machine.sentence()}.")
    out.print(as_table(report, "Medians, from the provider to the reader"))
    if json is not None:
        json.write_text(report.model_dump_json(indent=2), encoding="utf-8")
    if write_docs:
        write_block(PAGE, as_block(report), STREAMS)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else 1)
