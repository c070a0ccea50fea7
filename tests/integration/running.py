"""Starts runs and drives them, for the tests of this folder."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

from temporalio.client import Client, WorkflowHandle

from orchestrator.client import Orchestrator
from orchestrator.contracts import Awaiting, Event, LimitsRequest, Message, Parked, RunRequest, RunResult
from tests.scenarios import Scenario

__all__ = ["Runs"]

PATIENCE_S = 20.0
POLL_S = 0.01


class Runs:
    """Runs on one task queue. ``door`` is the client that people use."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self.client = client
        self.task_queue = task_queue
        self.door = Orchestrator(client, task_queue)

    async def start(self, definition: dict[str, Any] | str, inputs: dict[str, Any] | None = None, **limits: Any) -> str:
        """Start a run; returns its id."""
        request = RunRequest(definition=definition, inputs=inputs or {}, limits=LimitsRequest(**limits))
        return await self.door.start(request, f"run-{uuid.uuid4()}")

    async def run(
        self, definition: dict[str, Any] | str, inputs: dict[str, Any] | None = None, **limits: Any
    ) -> RunResult:
        """Start a run and wait for its end."""
        return await self.result(await self.start(definition, inputs, **limits))

    async def result(self, run_id: str) -> RunResult:
        """Wait for the end of a run."""
        return await asyncio.wait_for(self.door.result(run_id), PATIENCE_S)

    async def play(self, scenario: Scenario) -> str:
        """Run a scenario, each message once its question waits; returns the run's id when it has ended."""
        run_id = await self.start(scenario.definition, scenario.inputs)
        for number, _ in enumerate(scenario.answers):
            await self.reply(run_id, scenario, number)
        await self.result(run_id)
        return run_id

    async def reply(self, run_id: str, scenario: Scenario, number: int) -> None:
        """Send a message of a scenario once its question waits; every other one as a signal."""
        message = Message.model_validate(scenario.answers[number])
        await self.waits(run_id, message.node)
        if number % 2:
            await self.door.send(run_id, message)
        else:
            await self.door.answer(run_id, message)

    async def rests(self, run_id: str) -> None:
        """Wait until no task of a run is open at the server."""

        async def at_rest() -> bool:
            seen = (await self.handle(run_id).describe()).raw_description
            return not seen.pending_activities and not seen.HasField("pending_workflow_task")

        await self.until(at_rest)

    async def waits(self, run_id: str, node: str | None = None) -> Awaiting:
        """Wait until a question waits (at ``node``, or anywhere)."""
        found: list[Awaiting] = []

        async def asked() -> bool:
            found[:] = [item for item in await self.door.awaiting(run_id) if node in (None, item.node)]
            return bool(found)

        await self.until(asked)
        return found[0]

    async def parks(self, run_id: str, count: int = 1) -> tuple[Parked, ...]:
        """Wait until this many nodes are parked."""
        found: list[tuple[Parked, ...]] = []

        async def parked() -> bool:
            found[:] = [(await self.door.progress(run_id)).parked]
            return len(found[0]) >= count

        await self.until(parked)
        return found[0]

    async def until(self, holds: Callable[[], Any]) -> None:
        """Ask again until ``holds`` says yes."""
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():  # noqa: ASYNC110 - the far side is a server: it can only be asked
                await asyncio.sleep(POLL_S)

    async def events(self, run_id: str) -> list[Event]:
        """Every event of a run so far."""
        return list((await self.door.progress(run_id, limit=1000)).events)

    def handle(self, run_id: str) -> WorkflowHandle[Any, Any]:
        """Temporal's own handle."""
        return self.client.get_workflow_handle(run_id)

    async def update(self, run_id: str, arguments: list[Any]) -> Any:
        """Send a ``submit`` update as a bare client would."""
        handle: Any = self.handle(run_id)  # the SDK's overloads are not fully typed
        return await handle.execute_update("submit", args=arguments)
