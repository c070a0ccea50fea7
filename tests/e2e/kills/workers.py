"""Worker processes to kill."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Nursery", "WorkerProcess", "nursery"]

ROOT = Path(__file__).parents[3]
_PATIENCE_S = 60.0
_BETWEEN_LOOKS_S = 0.01


@dataclass(frozen=True)
class WorkerProcess:
    """A worker that runs. ``ended`` is its exit code, below zero the signal that killed it."""

    pid: int
    log: Path
    ended: asyncio.Future[int]

    async def kill(self) -> None:
        """SIGKILL: no last word, no farewell to the server. Returns when it is gone."""
        await self.tell(signal.SIGKILL)

    def tell(self, how: signal.Signals) -> Awaitable[int]:
        """Send a signal. What it returns gives the exit code, once the worker has ended."""
        if not self.ended.done():
            os.kill(self.pid, how)
        return asyncio.wait_for(asyncio.shield(self.ended), _PATIENCE_S)

    async def says(self, words: str) -> None:
        """Wait until the worker's log has these words."""
        async with asyncio.timeout(_PATIENCE_S):
            while words not in self.log.read_text(encoding="utf-8"):  # noqa: ASYNC110 - a file: it can only be read
                await asyncio.sleep(_BETWEEN_LOOKS_S)


@dataclass
class Nursery:
    """Starts workers in no time: each is forked from a process that has loaded everything."""

    folder: Path
    process: asyncio.subprocess.Process
    _ordered: list[tuple[Path, asyncio.Future[WorkerProcess]]] = field(
        default_factory=list[tuple[Path, asyncio.Future[WorkerProcess]]]
    )
    _alive: dict[int, WorkerProcess] = field(default_factory=dict[int, WorkerProcess])
    _count: int = 0

    async def start(self, **environment: str) -> WorkerProcess:
        """A worker, forked: it connects and polls by itself."""
        self._count += 1
        log = self.folder / f"worker-{self._count}.log"
        promised: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
        self._ordered.append((log, promised))
        order = {"folder": str(self.folder), "environment": environment, "log": str(log)}
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(order)}\n".encode())
        async with asyncio.timeout(_PATIENCE_S):
            return await promised

    async def listen(self) -> None:
        """Take note of who was started and who has ended."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode().split():
            if line[0] == "started":
                log, promised = self._ordered.pop(0)
                worker = WorkerProcess(int(line[1]), log, asyncio.get_running_loop().create_future())
                self._alive[worker.pid] = worker
                if not promised.cancelled():
                    promised.set_result(worker)
            else:
                self._alive.pop(int(line[1])).ended.set_result(int(line[2]))


@asynccontextmanager
async def nursery(folder: Path) -> AsyncGenerator[Nursery]:
    """A nursery whose workers live in ``folder``, none longer than the context."""
    (folder / "definitions").mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.e2e.kills.nursery",
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    found = Nursery(folder, process)
    listening = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening
