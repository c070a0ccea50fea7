"""Replays the runs that go on with the code of this image; fails when one of them could not go on with it."""  # noqa: INP001 - a program, no package

import argparse
import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Iterable

from temporalio.client import Client, WorkflowExecution, WorkflowHistory
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.workflow import NondeterminismError

from orchestrator.connect import connect
from orchestrator.contracts import WORKFLOW_TYPE
from orchestrator.errors import OrchestratorError
from orchestrator.leave import leave
from orchestrator.logs import without_temporal
from orchestrator.operating.telemetry import native_logs
from orchestrator.replaying import replay
from orchestrator.settings import load_settings

EXIT_DIFFERENT = 1
EXIT_AWAY = 3
_MOST_NAMED = 20


async def _chosen(client: Client, task_queue: str, most: int) -> tuple[list[WorkflowExecution], int]:
    """The newest and the oldest runs that go on, so many of both together, and how many there are in all."""
    query = f'WorkflowType = "{WORKFLOW_TYPE}" AND TaskQueue = "{task_queue}" AND ExecutionStatus = "Running"'
    newest, oldest, there = list[WorkflowExecution](), deque[WorkflowExecution](maxlen=most // 2), 0
    async for run in client.list_workflows(query):
        there += 1
        # The server lists them from the newest on.
        (newest if len(newest) < most - most // 2 else oldest).append(run)
    return [*newest, *oldest], there


async def _histories(client: Client, runs: Iterable[WorkflowExecution]) -> AsyncGenerator[WorkflowHistory]:
    for run in runs:
        try:
            yield await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        except RPCError as error:
            # It ended and was deleted after it was listed.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


async def check(client: Client, runs: Iterable[WorkflowExecution]) -> tuple[int, list[str]]:
    """Replays ``runs``.

    Returns:
        How many were replayed, and for each that cannot be, its id and the reason.
    """
    looked_at, different = 0, list[str]()
    async for history in _histories(client, runs):
        looked_at += 1
        try:
            await replay(history, client.data_converter)
        except (NondeterminismError, RuntimeError, OrchestratorError) as error:
            different.append(f"{history.workflow_id}: {error}")
    return looked_at, different


async def _main(most: int) -> int:
    settings = load_settings()
    client = await connect(settings=settings)
    runs, there = await _chosen(client, settings.task_queue, most)
    looked_at, different = await check(client, runs)
    for line in different[:_MOST_NAMED]:
        sys.stderr.write(f"{line}\n")
    sys.stdout.write(f"{looked_at} of {there} runs replayed, {len(different)} of them cannot go on with this release\n")
    return EXIT_DIFFERENT if different else 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def main() -> int:
    """Returns the exit code: 0 all replay, 1 some do not, 3 the server is away or refuses us."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=_count, default=500, help="how many, half of them the newest (default: 500)")
    most = parser.parse_args().runs
    # What the SDK says of each step that fails is said by us in one line for each run.
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=native_logs())))
    try:
        with without_temporal():
            return asyncio.run(_main(most))
    except (OrchestratorError, RPCError) as error:
        sys.stderr.write(f"replay gate: {error}\n")
        return EXIT_AWAY


if __name__ == "__main__":
    leave(main())
