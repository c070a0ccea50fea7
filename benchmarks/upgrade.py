"""The upgrade: a new build of the worker takes over runs that wait for an answer, and loses none.

``python -m benchmarks.upgrade --runs 500``
"""

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError, RPCStatusCode

from benchmarks.effects import Effects, open_effects
from benchmarks.fleet import Fleet, Hand, open_fleet
from benchmarks.machine import describe_machine
from benchmarks.options import JsonFile, check_page
from benchmarks.pages import PAGE, UPGRADE
from benchmarks.progress import progress
from benchmarks.report import write_block
from benchmarks.soak_load import KINDS
from benchmarks.story import persist, shows, story
from benchmarks.upgrade_report import UpgradeReport, upgrade_markdown, upgrade_table
from orchestrator.client import Orchestrator
from orchestrator.contracts import Message, RunRequest
from orchestrator.devserver import DevServer
from orchestrator.errors import OrchestratorError
from orchestrator.leave import leave

__all__ = ["main", "upgrade"]

_DEPLOYMENT, _OLD, _NEW = "orchestrator-upgrade", "build-a", "build-b"
_KIND = KINDS["question"]
_AT_ONCE = 25
_MOST_SHOWN = 50
_PATIENCE_S = 600.0
"""For all runs of a step together."""
_VERSION_TIMEOUT_S = 60.0
_BETWEEN_LOOKS_S = 0.2
_out = Console(width=None if sys.stdout.isatty() else 150)


@dataclass
class _Upgrade:
    """An upgrade under way. ``told`` is told how far it is."""

    client: Client
    fleet: Fleet
    effects: Effects
    told: Callable[[str], None]
    seconds: dict[str, float]
    problems: list[str]

    @property
    def door(self) -> Orchestrator:
        return Orchestrator(self.client, self.fleet.task_queue)

    async def build(self, build_id: str) -> Hand:
        """Start a worker of a build, and have runs go to that build from now on."""
        hand = await self.fleet.start(TEMPORAL_DEPLOYMENT_NAME=_DEPLOYMENT, TEMPORAL_WORKER_BUILD_ID=build_id)
        await self.fleet.ready(hand)
        await _make_current(self.client, build_id)
        return hand

    async def wait_for_answers(self, runs: list[str]) -> int:
        """Start runs. Returns how many of them wait for an answer."""
        start = time.perf_counter()
        waiting = await self._each("waiting", runs, self._begin)
        self.seconds["waiting"] = time.perf_counter() - start
        return waiting

    async def change(self, old: Hand) -> None:
        """Start the new build, make it current, and stop the old one."""
        start = time.perf_counter()
        self.told(f"starting {_NEW}")
        await self.build(_NEW)
        self.told(f"stopping {_OLD}")
        try:
            code = await self.fleet.retire(old)
        except TimeoutError:
            self.problems.append(f"the worker of {_OLD} did not stop, and was killed; it said: {old.said()}")
        else:
            if code:
                self.problems.append(f"the worker of {_OLD} ended with {code}; it said: {old.said()}")
        self.seconds["upgrade"] = time.perf_counter() - start

    async def answer(self, runs: list[str]) -> int:
        """Answer every run. Returns how many of them ended as they should."""
        start = time.perf_counter()
        right = await self._each("ended", runs, self._finish)
        self.seconds["answered"] = time.perf_counter() - start
        return right

    async def moved(self, runs: list[str]) -> int:
        """How many runs had their last step taken by the new build."""
        return await self._each("read", runs, self._was_moved)

    async def _each(self, what: str, runs: list[str], work: Callable[[str], Any]) -> int:
        """Do something for each run, some at a time. Returns for how many it went well; notes the others."""
        slots, done, deadline = asyncio.Semaphore(_AT_ONCE), 0, time.monotonic() + _PATIENCE_S

        async def one(run: str) -> None:
            nonlocal done
            async with slots:
                try:
                    problem = await asyncio.wait_for(work(run), deadline - time.monotonic())
                except TimeoutError:
                    problem = f"not {what} within {_PATIENCE_S:g} s of the step's beginning"
                except (OrchestratorError, TemporalError, RuntimeError) as error:
                    problem = f"{type(error).__name__}: {error}"
            if problem:
                self.problems.append(f"{run}: {problem}")
            else:
                done += 1
                self.told(f"{done} of {len(runs)} runs {what}")

        await asyncio.gather(*(one(run) for run in runs))
        return done

    async def _begin(self, run: str) -> str:
        room = self.effects.open(run)
        inputs = {"far": room.url, "n": int(run.rpartition("-")[2])}
        await self.door.start(RunRequest(definition=_KIND.definition, inputs=inputs), run)
        await shows(self.client, run, RunStatus="awaiting_input")
        return ""

    async def _finish(self, run: str) -> str:
        number = int(run.rpartition("-")[2])
        message = Message(text=f"answer {number}", message_id="m-1")
        await persist(lambda: self.door.answer(run, message))
        result = await persist(lambda: self.door.result(run))
        return _KIND.wrong(result, number)

    async def _was_moved(self, run: str) -> str:
        build = ""
        async with aclosing(story(self.client, run)) as events:
            async for event in events:
                if event.HasField("workflow_task_completed_event_attributes"):
                    build = event.workflow_task_completed_event_attributes.deployment_version.build_id
        return "" if build == _NEW else f"its last step was taken by build {build or 'none'}, not by {_NEW}"


async def upgrade(runs: int, command: str, folder: Path, told: Callable[[str], None]) -> UpgradeReport:
    """Upgrade a worker under ``runs`` waiting runs, in ``folder``; ``told`` is told how far it is.

    Raises:
        ServerUnavailableError: The server did not start.
        RuntimeError: A worker did not start, or does not say of which build it is.
    """
    task_queue = f"upgrade-{uuid.uuid4().hex}"
    async with DevServer.start() as server, open_effects() as effects:
        client = await server.client()
        machine = await describe_machine(client)
        async with open_fleet(client, task_queue, folder, {}, {}) as fleet:
            doing = _Upgrade(client, fleet, effects, told, {}, [])
            told(f"starting {_OLD}")
            old = await doing.build(_OLD)
            names = [f"upgrade-{number}" for number in range(runs)]
            waiting = await doing.wait_for_answers(names)
            await doing.change(old)
            right = await doing.answer(names)
            moved = await doing.moved(names)
    return UpgradeReport(
        day=datetime.now(tz=UTC).date(),
        command=command,
        machine=machine,
        runs=runs,
        waiting=waiting,
        right=right,
        moved=moved,
        seconds=doing.seconds,
        problems=tuple(doing.problems),
    )


async def _make_current(client: Client, build_id: str) -> None:
    """Have runs go to a build. The server learns of builds from their workers, a moment after they begin to poll.

    Raises:
        RuntimeError: No worker says that it is of this build.
    """
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=_DEPLOYMENT, build_id=build_id, identity="benchmarks.upgrade"
    )
    reason = "the server did not answer"
    try:
        async with asyncio.timeout(_VERSION_TIMEOUT_S):
            while True:
                try:
                    await client.workflow_service.set_worker_deployment_current_version(request)
                except RPCError as error:
                    if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION}:
                        raise
                    reason = error.message
                else:
                    return
                await asyncio.sleep(_BETWEEN_LOOKS_S)
    except TimeoutError as error:
        raise RuntimeError(f"no worker says that it is of {build_id}: {reason}") from error


def main(
    *,
    runs: Annotated[int, typer.Option(min=1, help="How many runs wait for an answer.")] = 500,
    json: JsonFile = None,
    write_docs: Annotated[bool, typer.Option("--write-docs", help="Put the report into docs/performance.md.")] = False,
) -> None:
    """Start runs on build A, replace it by build B while all of them wait for an answer, and answer them.

    Ends with 1, and a list, if one of them did not end right on build B.
    """
    if write_docs:
        check_page(UPGRADE)
    command = f"python -m benchmarks.upgrade --runs {runs}"
    report = asyncio.run(_upgrade(runs, command))
    _out.print(f"On {report.machine.sentence()}.")
    _out.print(upgrade_table(report))
    for problem in report.problems[:_MOST_SHOWN]:
        _out.print(f"unaccounted: {problem}", markup=False, soft_wrap=True)
    if json is not None:
        json.write_text(report.model_dump_json(indent=2), encoding="utf-8")
    if write_docs:
        write_block(PAGE, upgrade_markdown(report), UPGRADE)
    raise typer.Exit(0 if report.accounted else 1)


async def _upgrade(runs: int, command: str) -> UpgradeReport:
    with progress() as told, tempfile.TemporaryDirectory() as folder:
        return await upgrade(runs, command, Path(folder), told)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else 1)
