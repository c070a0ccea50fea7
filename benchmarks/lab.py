"""The laboratory: one tuned development server, one worker process, and timed pieces of work on them."""

import asyncio
import gc
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from temporalio.client import Client, WorkflowHandle

from benchmarks.figures import Pair, Sample
from benchmarks.fleet import ROOT, clean_environment
from benchmarks.graphs import write_definitions
from benchmarks.handwritten import Size
from benchmarks.worker import READY
from orchestrator.child import command_that_ends_with_us
from orchestrator.contracts import WORKFLOW_TYPE, RunRequest
from orchestrator.devserver import DevServer

__all__ = ["BUDGET_S", "Lab", "WorkerProcess", "open_lab"]

BUDGET_S = 60.0
"""Seconds after which a comparison takes no further pairs."""
_FEWEST_PAIRS = 5
_STOP_TIMEOUT_S = 20.0

Work = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A running ``benchmarks.worker``."""

    process: asyncio.subprocess.Process

    async def cpu(self, *, collect: bool = False) -> float:
        """CPU seconds it has used, once it is at rest.

        Args:
            collect: Have it collect garbage first, so that what comes next does not pay for what was before.

        Raises:
            RuntimeError: It is gone.
        """
        if self.process.stdin is None:
            raise RuntimeError("the worker process has no input")
        self.process.stdin.write(b"collect\n" if collect else b"read\n")
        return float(await self.said())

    def used(self) -> float:
        """CPU seconds it has used, whatever it is doing."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def memory(self) -> int:
        """Bytes of memory it holds now."""
        return psutil.Process(self.process.pid).memory_info().rss

    async def said(self) -> str:
        """Its next line.

        Raises:
            RuntimeError: It is gone.
        """
        line = await self.process.stdout.readline() if self.process.stdout else b""
        if not line:
            raise RuntimeError("the worker process ended; what it had to say stands above")
        return line.decode().strip()


@dataclass(frozen=True, slots=True)
class Lab:
    """Where measurements are made.

    A comparison takes ``pairs`` pairs, fewer (but five, if so many were asked for) once it took ``budget`` seconds.
    ``told`` is told how far it is.
    """

    client: Client
    task_queue: str
    worker: WorkerProcess
    pairs: int
    told: Callable[[str], None]
    server: DevServer
    budget: float = BUDGET_S

    async def ours(self, definition: str, inputs: dict[str, Any] | None = None) -> WorkflowHandle[Any, Any]:
        """Run a definition to its end."""
        return await self._run(WORKFLOW_TYPE, RunRequest(definition=definition, inputs=inputs or {}))

    async def start(self, definition: str, inputs: dict[str, Any] | None = None) -> WorkflowHandle[Any, Any]:
        """Start a run of a definition, and do not wait for its end."""
        return await self._start(WORKFLOW_TYPE, RunRequest(definition=definition, inputs=inputs or {}))

    async def by_hand(self, kind: type, nodes: int, number: int = 0) -> WorkflowHandle[Any, Any]:
        """Run a hand-written workflow to its end."""
        return await self._run(kind.__name__, Size(nodes=nodes, number=number))

    async def start_by_hand(self, kind: type, nodes: int) -> WorkflowHandle[Any, Any]:
        """Start a hand-written workflow, and do not wait for its end."""
        return await self._start(kind.__name__, Size(nodes=nodes))

    async def _run(self, kind: str, request: RunRequest | Size) -> WorkflowHandle[Any, Any]:
        handle = await self._start(kind, request)
        await handle.result()
        return handle

    async def _start(self, kind: str, request: RunRequest | Size) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            kind, request, id=f"{kind}-{uuid.uuid4().hex}", task_queue=self.task_queue
        )

    async def sample(self, work: Work) -> Sample:
        """Do a piece of work once, timed."""
        gc.collect()
        cpu = await self.worker.cpu(collect=True)
        start = time.perf_counter()
        await work()
        wall = time.perf_counter() - start
        return Sample(wall=wall, cpu=await self.worker.cpu() - cpu)

    async def compare(self, name: str, ours: Work, by_hand: Work) -> tuple[Pair, ...]:
        """Interleaved pairs of samples: ours, by hand, ours, by hand, after each was done once to warm up."""
        self.told(f"{name}: warming up")
        await ours()
        await by_hand()
        pairs: list[Pair] = []
        begun = time.perf_counter()
        for number in range(self.pairs):
            if number >= _FEWEST_PAIRS and time.perf_counter() - begun > self.budget:
                break
            self.told(f"{name}: pair {number + 1} of {self.pairs}")
            pairs.append(Pair(ours=await self.sample(ours), by_hand=await self.sample(by_hand)))
        return tuple(pairs)


@asynccontextmanager
async def open_lab(
    definitions: Mapping[str, Mapping[str, Any]],
    *,
    pairs: int,
    told: Callable[[str], None],
    server: DevServer | None = None,
    budget: float = BUDGET_S,
) -> AsyncGenerator[Lab]:
    """A laboratory whose worker knows ``definitions``, by name; everything it started is stopped at the end.

    Args:
        definitions: What the worker can be asked to run.
        pairs: How many pairs a measurement takes.
        told: Told how far measurements are.
        server: A server to use; none starts one.
        budget: Seconds after which a comparison takes no further pairs.

    Raises:
        ServerUnavailableError: The server did not start.
        RuntimeError: The worker did not start.
    """
    if server is None:
        async with (
            DevServer.start() as started,
            open_lab(definitions, pairs=pairs, told=told, server=started, budget=budget) as lab,
        ):
            yield lab
        return
    task_queue = f"benchmarks-{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder:
        write_definitions(Path(folder), definitions)
        async with _worker(server.address, task_queue, folder) as worker:
            yield Lab(await server.client(), task_queue, worker, pairs, told, server, budget)


@asynccontextmanager
async def _worker(*arguments: str) -> AsyncGenerator[WorkerProcess]:
    process = await asyncio.create_subprocess_exec(
        *command_that_ends_with_us(Path(sys.executable), "-m", "benchmarks.worker", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        # Settings of the person who measures would measure something else.
        env=clean_environment(),
        start_new_session=True,
    )
    worker = WorkerProcess(process)
    try:
        if await worker.said() != READY:
            raise RuntimeError("the worker process did not start")
        yield worker
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
