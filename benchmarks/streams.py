"""How late a reader sees what a model writes: from the provider's sending a token, through a worker and the log.

``python -m benchmarks.streams`` measures just this, beside ``python -m benchmarks --only streams``.
"""

import asyncio
import os
import runpy
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from benchmarks.figures import Figure
from benchmarks.fleet import ROOT, clean_environment, open_fleet
from benchmarks.lab import Lab
from benchmarks.peers.database import DatabaseMissingError, own_database
from benchmarks.peers.measure import DEFAULT_POSTGRES, POSTGRES_VARIABLE
from orchestrator.child import command_that_ends_with_us
from orchestrator.contracts import WORKFLOW_TYPE, RunRequest
from orchestrator.errors import StorageUnavailableError
from storage.streams import Delta, TokenLog, open_token_log

__all__ = ["STREAM_DEFINITIONS", "streams"]

_PER_SECOND = 50
_SECONDS = 8
_TOKENS = _PER_SECOND * _SECONDS
_WARM_UP = _PER_SECOND
"""Tokens of each stream that do not count: all begin at once, and that is another figure."""
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


_KINDS = (_Kind("Redis", 50, 60), _Kind("PostgreSQL", 50, 150), _Kind("SQLite", 10, 300))


async def streams(lab: Lab) -> list[Figure]:
    """The lag of each kind of log, and what streaming adds to history."""
    figures: list[Figure] = []
    async with _model() as url:
        for kind in _KINDS:
            lab.told(f"streams: {kind.streams} through {kind.name}, {_SECONDS} s")
            try:
                async with _address(kind) as (storage, redis, folder):
                    figures += await _measured(lab, kind, url, storage, redis, folder)
            except (DatabaseMissingError, StorageUnavailableError) as missing:
                what = f"lag of {kind.streams} streams through {kind.name}"
                figures.append(Figure(measure="streams", what=what, unit="ms", samples=(), absent=f"{missing}"))
    return figures


async def _measured(lab: Lab, kind: _Kind, url: str, storage: str, redis: str | None, folder: Path) -> list[Figure]:
    settings = {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": url,
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
        read = await asyncio.gather(*(_lags(log, handle) for handle in handles))
        lags = sorted(lag for one in read for lag in one[_WARM_UP:])
        await asyncio.gather(*(handle.result() for handle in handles))
        added = await _events_added(lab, queue, handles[0]) if kind is _KINDS[0] else []
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


async def _lags(log: TokenLog, handle: WorkflowHandle[Any, Any]) -> list[float]:
    """Milliseconds by which each token of a run was late, by the clock that all here share."""
    found: list[float] = []
    async for record in log.read(handle.first_execution_run_id or ""):
        now = time.time()
        if not isinstance(record, Delta):
            break
        found += [1_000 * (now - float(token)) for token in record.text.split()]
    if len(found) != _TOKENS:
        raise RuntimeError(f"of {_TOKENS} tokens a reader saw {len(found)}")
    return found


async def _events_added(lab: Lab, queue: str, streamed: WorkflowHandle[Any, Any]) -> list[Figure]:
    """What a streamed run's history has more than that of one which is not, for each token."""
    plain = await _begin(lab, queue, "unstreamed")
    await plain.result()
    more = [len(await _kinds_of_events(handle)) for handle in (streamed, plain)]
    return [
        Figure(
            measure="streams",
            what="history events that a streamed token adds",
            unit="events",
            samples=((more[0] - more[1]) / _TOKENS,),
            target=0,
            note=f"{_TOKENS} tokens: {more[0]} events streamed, {more[1]} not",
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
async def _model() -> AsyncGenerator[str]:
    """The address of the model, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *command_that_ends_with_us(Path(sys.executable), "-m", "benchmarks.slow_model", str(_TOKENS), str(_PER_SECOND)),
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


if __name__ == "__main__":
    sys.argv[1:1] = ["--only", "streams"]
    runpy.run_module("benchmarks", run_name="__main__")
