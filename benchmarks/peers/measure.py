"""The same chain in LangGraph, in DBOS and in ours, in turn, on one machine."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from benchmarks.figures import Figure
from benchmarks.fleet import ROOT, clean_environment
from benchmarks.graphs import quick_chain, work_chain
from benchmarks.lab import Lab, open_lab
from benchmarks.peers.database import DatabaseMissingError, own_database
from benchmarks.peers.protocol import READY
from orchestrator.child import command_that_ends_with_us
from orchestrator.devserver import DevServer

__all__ = ["DEFAULT_POSTGRES", "NODES", "POSTGRES_VARIABLE", "peers"]

DEFAULT_POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
POSTGRES_VARIABLE = "BENCHMARK_POSTGRES"
NODES = 100
_PATIENCE_S = 120.0
_OURS = MappingProxyType({"work": work_chain, "quick": quick_chain})


@dataclass(frozen=True, slots=True)
class _Engine:
    """Another engine: the modules it needs, the program that runs its chain, and what its figure has to say."""

    name: str
    modules: tuple[str, ...]
    program: str
    note: str


_ENGINES = (
    _Engine(
        "LangGraph with its PostgreSQL checkpointer",
        ("langgraph", "langgraph.checkpoint.postgres", "psycopg"),
        "benchmarks.peers.langgraph_chain",
        "in one process, durability sync",
    ),
    _Engine("DBOS on PostgreSQL", ("dbos", "psycopg"), "benchmarks.peers.dbos_chain", "in one process"),
)
_Chain = Callable[[], Awaitable[float]]
"""Runs a chain once. Returns the seconds it took."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One of those compared: a chain to run, or why there is none."""

    what: str
    note: str
    run: _Chain | None = None


async def peers(lab: Lab) -> list[Figure]:
    """Milliseconds a node of the same chain: ours, on a server in memory and on one with a file, and the others'."""
    async with AsyncExitStack() as parts:
        columns = [*_ours(lab, "server in memory"), *await _on_a_file(lab, parts), *await _others(lab, parts)]
        there = [column for column in columns if column.run is not None]
        taken: dict[str, list[float]] = {column.what: [] for column in there}
        begun = time.perf_counter()
        for number in range(1 + lab.pairs):
            if number > min(5, lab.pairs) and time.perf_counter() - begun > lab.budget:
                break
            for column in there:
                lab.told(f"peers: round {number} of {lab.pairs}, {column.what}")
                if column.run is not None:
                    taken[column.what].append(await column.run())
    return [_figure(column, taken.get(column.what, [])[1:]) for column in columns]


def _figure(column: _Column, seconds: list[float]) -> Figure:
    return Figure(
        measure="peers",
        what=f"chain of {NODES} nodes, {column.what}: time a node",
        unit="ms",
        samples=tuple(1000 * taken / NODES for taken in seconds),
        note=column.note if seconds else "",
        absent="" if seconds else column.note,
    )


def _ours(lab: Lab, where: str) -> list[_Column]:
    return [
        _Column(f"ours, {tier} nodes, {where}", note, _timed(lab, f"{tier}-{NODES}"))
        for tier, note in (
            ("quick", "worker and server in processes of their own; kept once for each workflow task"),
            ("work", "worker and server in processes of their own; each node is kept when asked for and when done"),
        )
    ]


def _timed(lab: Lab, definition: str) -> _Chain:
    async def run() -> float:
        begun = time.perf_counter()
        await lab.ours(definition)
        return time.perf_counter() - begun

    return run


async def _on_a_file(lab: Lab, parts: AsyncExitStack) -> list[_Column]:
    """Ours once more, on a server that keeps runs in a file, as the others keep theirs in a database."""
    folder = parts.enter_context(tempfile.TemporaryDirectory())
    server = await parts.enter_async_context(DevServer.start(db_file=Path(folder) / "server.db"))
    definitions = {(name := f"{tier}-{NODES}"): build(name, NODES) for tier, build in _OURS.items()}
    own = await parts.enter_async_context(open_lab(definitions, pairs=1, told=lab.told, server=server))
    return _ours(own, "server on a file (SQLite, WAL, synchronous NORMAL)")


async def _others(lab: Lab, parts: AsyncExitStack) -> list[_Column]:
    columns: list[_Column] = []
    for engine in _ENGINES:
        lab.told(f"peers: starting {engine.name}")
        if missing := [module for module in engine.modules if not _is_there(module)]:
            columns.append(_Column(engine.name, f"{missing[0]} is not installed: pip install '.[bench]'"))
            continue
        try:
            url, about = await parts.enter_async_context(
                own_database(os.environ.get(POSTGRES_VARIABLE, DEFAULT_POSTGRES))
            )
        except DatabaseMissingError as error:
            columns.append(_Column(engine.name, str(error)))
            continue
        version, run = await parts.enter_async_context(_peer(engine.program, url))
        columns.append(_Column(engine.name, f"{version}, {engine.note}; {about}", run))
    return columns


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@asynccontextmanager
async def _peer(program: str, url: str) -> AsyncGenerator[tuple[str, _Chain]]:
    """A process that runs chains: its version, and how to have it run one."""
    process = await asyncio.create_subprocess_exec(
        *command_that_ends_with_us(Path(sys.executable), "-m", program, url, str(NODES)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=clean_environment(),
        start_new_session=True,
    )

    async def said() -> str:
        line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE_S) if process.stdout else b""
        if not line:
            raise RuntimeError(f"{program} ended; what it had to say stands above")
        return line.decode().strip()

    async def run() -> float:
        if process.stdin is None:
            raise RuntimeError(f"{program} has no input")
        process.stdin.write(b"run\n")
        return float(await said())

    try:
        word, _, version = (await said()).partition(" ")
        if word != READY:
            raise RuntimeError(f"{program} did not start: {word} {version}")
        yield version, run
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
