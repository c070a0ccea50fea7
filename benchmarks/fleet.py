"""Real worker processes, ``python worker.py`` each: started, killed, and told to stop."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client

from benchmarks.graphs import write_definitions
from orchestrator.child import command_that_ends_with_us

__all__ = ["ROOT", "Fleet", "Hand", "clean_environment", "open_fleet"]

ROOT = Path(__file__).parents[1]
_OURS = ("ORCHESTRATOR_", "TEMPORAL_", "OPENAI_", "OTEL_")
_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 90.0
_BETWEEN_LOOKS_S = 0.1
_SHOWN_LOG = 1_000


def clean_environment() -> dict[str, str]:
    """This process's environment without settings of ours, which would change the figures."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker process. What it says is in ``log``; at ``health`` it answers probes."""

    process: asyncio.subprocess.Process
    log: Path
    health: str

    async def kill(self) -> None:
        """SIGKILL: no last word. Returns when it is gone."""
        self._tell(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM. Returns its exit code, once it has let the nodes in flight finish.

        Raises:
            TimeoutError: It did not stop.
        """
        self._tell(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), _STOP_TIMEOUT_S)

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-_SHOWN_LOG:].strip() or "nothing"

    def _tell(self, how: signal.Signals) -> None:
        if self.process.returncode is None:
            self.process.send_signal(how)


@dataclass(slots=True)
class Fleet:
    """Workers of one task queue. ``folder`` is where they live, ``settings`` are environment variables of all."""

    client: Client
    task_queue: str
    folder: Path
    settings: Mapping[str, str]
    hands: list[Hand] = field(default_factory=list[Hand])
    _started: int = 0

    async def start(self, **settings: str) -> Hand:
        """Start a worker, and do not wait until it polls."""
        self._started += 1
        log = self.folder / f"worker-{self._started}.log"
        health = f"127.0.0.1:{_free_port()}"
        environment = {
            **clean_environment(),
            "TEMPORAL_ADDRESS": self.client.service_client.config.target_host,
            "ORCHESTRATOR_TASK_QUEUE": self.task_queue,
            "ORCHESTRATOR_LOG_LEVEL": "warning",
            "ORCHESTRATOR_LOG_FORMAT": "json",
            "ORCHESTRATOR_HEALTH_ADDRESS": health,
            # What the graphs here call is on this machine.
            "ORCHESTRATOR_HTTP_ALLOW_PRIVATE": json.dumps(["127.0.0.1"]),
            **self.settings,
            **settings,
        }
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command_that_ends_with_us(Path(sys.executable), str(ROOT / "worker.py")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        hand = Hand(process, log, health)
        self.hands.append(hand)
        return hand

    async def ready(self, hand: Hand) -> Hand:
        """Wait until a worker says that it polls.

        Raises:
            RuntimeError: It has ended, or does not come; with what it said.
        """
        try:
            async with asyncio.timeout(_START_TIMEOUT_S), httpx.AsyncClient(trust_env=False) as http:
                while not await _is_ready(http, hand):
                    if hand.process.returncode is not None:
                        raise RuntimeError(f"a worker ended with {hand.process.returncode}; it said: {hand.said()}")
                    await asyncio.sleep(_BETWEEN_LOOKS_S)
        except TimeoutError as error:
            raise RuntimeError(f"a worker did not begin to poll; it said: {hand.said()}") from error
        return hand

    async def retire(self, hand: Hand) -> int:
        """Stop a worker in an orderly way. Returns its exit code.

        Raises:
            TimeoutError: It did not stop, and was killed.
        """
        self.hands.remove(hand)
        try:
            return await hand.stop()
        finally:
            await hand.kill()

    async def kill(self, hand: Hand) -> None:
        """SIGKILL a worker. Returns when it is gone."""
        self.hands.remove(hand)
        await hand.kill()


@asynccontextmanager
async def open_fleet(
    client: Client,
    task_queue: str,
    folder: Path,
    definitions: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, str],
) -> AsyncGenerator[Fleet]:
    """A fleet without workers yet; those that are left at the end are killed.

    Args:
        client: A client of the server they work for.
        task_queue: What they poll.
        folder: Where their logs, definitions and blobs are.
        definitions: What they can find, by name.
        settings: Environment variables of all of them.
    """
    (folder / "definitions").mkdir(parents=True, exist_ok=True)
    write_definitions(folder / "definitions", definitions)
    fleet = Fleet(client, task_queue, folder, settings)
    try:
        yield fleet
    finally:
        for hand in fleet.hands:
            await hand.kill()


async def _is_ready(http: httpx.AsyncClient, hand: Hand) -> bool:
    try:
        return (await http.get(f"http://{hand.health}/readyz")).is_success
    except httpx.TransportError:  # it does not listen yet
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
