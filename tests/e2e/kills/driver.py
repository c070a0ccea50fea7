"""Kills the worker of a run at each of its steps, one run for each step, and compares how they end."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from orchestrator.client import Orchestrator
from orchestrator.contracts import WORKFLOW_TYPE, RunRequest, RunResult
from orchestrator.errors import WorkerMissingError
from tests.e2e.kills.far_side import Answer, FarSide, Room
from tests.e2e.kills.people import Act, Scene
from tests.e2e.kills.story import Tried, cuts, events_so_far, name_of, story, tries, until
from tests.e2e.kills.workers import Nursery, WorkerProcess

__all__ = ["Case", "Death", "End", "Stage", "killed_at_every_step"]

Found = TypeVar("Found")
PATIENCE_S = 60.0
"""A run in which nothing happens for so long is stuck. How long it takes as a whole is up to the machine."""
_AT_ONCE = 24
_TASK_TIMEOUT = timedelta(seconds=2)
"""Temporal waits so long, 10 s unless told otherwise, for a worker that died within a workflow task."""
_IMPATIENT = {
    "ORCHESTRATOR_HEARTBEAT_TIMEOUT": "2",
    "ORCHESTRATOR_STICKY_TIMEOUT": "1",
    "ORCHESTRATOR_GRACEFUL_SHUTDOWN_TIMEOUT": "10",
    "ORCHESTRATOR_LOG_FORMAT": "json",
    "ORCHESTRATOR_HTTP_ALLOW_PRIVATE": "127.0.0.1",
}


@dataclass(frozen=True)
class Case:
    """A graph, the world around it, and how it must end. ``{{ inputs.far }}`` is the address of the world."""

    definition: dict[str, Any] | str
    done: Mapping[str, int]
    """Visits that did something outside, and how often."""
    status: str = "completed"
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    people: tuple[Act, ...] = ()
    answers: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict[str, tuple[Answer, ...]])
    broken: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    held: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Death:
    """When to kill: at this length of the history, or while this request waits for its answer."""

    at_event: int = 0
    at_request: int = 0


@dataclass(frozen=True)
class End:
    """How a run ended. ``path`` is sorted: branches end in any order."""

    status: str
    outputs: dict[str, Any]
    error: tuple[str, str | None] | None
    path: tuple[str, ...]
    undone: tuple[str, ...]
    aside: tuple[str, ...]
    why: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Trial:
    """A run and what became of it.

    ``died_behind`` is the event that was last when its worker died, ``in_flight`` are the activities under way then.
    """

    end: End
    room: Room
    history: list[HistoryEvent]
    tries: list[Tried]
    died_behind: str | None
    in_flight: frozenset[str]


@dataclass(frozen=True)
class Stage:
    """Where runs run."""

    client: Client
    nursery: Nursery
    world: FarSide

    async def worker(self, queue: str, settings: Mapping[str, str]) -> WorkerProcess:
        """A worker on a task queue of its own."""
        address = self.client.service_client.config.target_host
        return await self.nursery.start(
            **_IMPATIENT, **settings, TEMPORAL_ADDRESS=address, ORCHESTRATOR_TASK_QUEUE=queue
        )

    async def open(self, case: Case, *, stop_at: int = 0) -> Scene:
        """A run of ``case``, started, on a task queue named like it."""
        run = f"kill-{uuid.uuid4()}"
        room = self.world.room(
            run, answers=case.answers, broken=dict(case.broken), held=set(case.held), stop_at=stop_at
        )
        request = RunRequest(definition=case.definition, inputs={**case.inputs, "far": room.url})
        await self.client.start_workflow(WORKFLOW_TYPE, request, id=run, task_queue=run, task_timeout=_TASK_TIMEOUT)
        return Scene(self.client, Orchestrator(self.client, run), run, room)


async def killed_at_every_step(stage: Stage, case: Case) -> list[str]:
    """Run ``case`` undisturbed, then once for each of its steps with a death there; check every end and every effect.

    Returns:
        For each death the event that was last in its run's history.
    """
    undisturbed = await _tried(stage, case, None)
    end = undisturbed.end
    assert (end.status, end.outputs) == (case.status, case.outputs), end
    assert undisturbed.room.done == Counter(case.done)
    deaths = [Death(at_event=number) for number in cuts(undisturbed.history)]
    deaths += [Death(at_request=number + 1) for number in range(len(undisturbed.room.deeds))]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(death: Death) -> str | None:
        async with slots:
            trial = await _tried(stage, case, death)
            _check(case, undisturbed.end, trial, death)
            return trial.died_behind

    behind = await _all(one(death) for death in deaths)
    return [event for event in behind if event is not None]


def _check(case: Case, expected: End, trial: Trial, death: Death) -> None:
    where = f"{trial.end}, {death}, died behind {trial.died_behind}, in flight {sorted(trial.in_flight)}, {trial.tries}"
    assert trial.end == expected, where
    done, asked = trial.room.done, trial.room.asked
    assert set(done) == set(case.done), where
    for visit in asked:
        names = visit, visit.removesuffix("#1")
        mine = [tried for tried in trial.tries if tried.name in names]
        # A repeated request is a further attempt, and one that Temporal had reason to make. So whatever has finished
        # was not done again, since an activity that has finished has no further attempt.
        # One that was cancelled between two attempts, or never ended, does not say how many it had.
        assert asked[visit] <= sum(tried.attempts or 2 for tried in mine), f"{visit}: {where}"
        excused = any(tried.silent or tried.name in trial.in_flight for tried in mine)
        expected_times = case.done.get(visit, 0)
        assert done[visit] == expected_times or (excused and done[visit] > expected_times), f"{visit}: {where}"


async def _tried(stage: Stage, case: Case, death: Death | None) -> Trial:
    scene = await stage.open(case, stop_at=death.at_request if death else 0)
    worker = await stage.worker(scene.run, case.settings)
    murder = asyncio.create_task(_murder(stage, case, scene, worker, death)) if death else None
    people = asyncio.create_task(_live(case, scene))
    ending = asyncio.create_task(_ended(scene))
    try:
        async with _moving(stage, scene, f"{death}, {worker.log}"):
            tasks = {task for task in (people, ending, murder) if task is not None}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            await people
            result = await ending
            survivor, behind, in_flight = (await murder) if murder else (worker, None, frozenset[str]())
            await _check_events(scene)
    finally:
        for task in (people, ending, murder):
            if task is not None:
                task.cancel()
    end = End(
        status=result.status,
        outputs=result.outputs,
        error=(result.error.code, result.error.node) if result.error else None,
        path=tuple(sorted(result.path)),
        undone=result.undone,
        aside=tuple(error.code for error in result.aside),
        why=result.error.message if result.error else None,
    )
    history = await events_so_far(stage.client, scene.run)
    await survivor.kill()
    return Trial(end, scene.room, history, await tries(stage.client, scene.run), behind, in_flight)


@asynccontextmanager
async def _moving(stage: Stage, scene: Scene, about: str) -> AsyncGenerator[None]:
    """Ends the block with an error once nothing has happened in the run for a long time."""
    try:
        async with asyncio.timeout(PATIENCE_S) as patience:
            watch = asyncio.create_task(_watch(stage, scene, patience))
            try:
                yield
            finally:
                watch.cancel()
    except TimeoutError as error:
        told = [name_of(event) for event in (await events_so_far(stage.client, scene.run))[-8:]]
        message = f"nothing happens any more in {scene.run}, {about}, last {told}, deeds {scene.room.done}"
        raise AssertionError(message) from error


async def _watch(stage: Stage, scene: Scene, patience: asyncio.Timeout) -> None:
    async for _ in story(stage.client, scene.run, live=True):
        patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_S)


async def _ended(scene: Scene) -> RunResult:
    """Wait for the end of a run. What it tells of itself is the same for every way to end."""
    await scene.door.result(scene.run)
    return (await _answered(lambda: scene.door.state(scene.run))).result


async def _answered(ask: Callable[[], Awaitable[Found]]) -> Found:
    """Ask until a worker answers: the last one was killed, and the next one is on its way."""
    while True:
        try:
            return await ask()
        except WorkerMissingError:
            continue


async def _live(case: Case, scene: Scene) -> None:
    for act in case.people:
        await act(scene)


async def _murder(
    stage: Stage, case: Case, scene: Scene, worker: WorkerProcess, death: Death
) -> tuple[WorkerProcess, str, frozenset[str]]:
    """Kill the worker when ``death`` is due, and start another. Returns what was the case at that moment."""
    if death.at_request:
        await scene.room.stopped()
    else:
        seen = 0

        def due(_: HistoryEvent) -> bool:
            nonlocal seen
            seen += 1
            return seen >= death.at_event

        await until(stage.client, scene.run, due)
    await worker.kill()
    in_flight = frozenset(tried.name for tried in await tries(stage.client, scene.run) if not tried.ended)
    behind = name_of((await events_so_far(stage.client, scene.run))[-1])
    if death.at_request:
        await scene.room.resume()
    return await stage.worker(scene.run, case.settings), behind, in_flight


async def _check_events(scene: Scene) -> None:
    """Events are numbered without gaps, and no visit has completed twice."""
    page = await _answered(lambda: scene.door.progress(scene.run, limit=1000))
    assert [event.seq for event in page.events] == list(range(1, len(page.events) + 1))
    completed = Counter((event.node, event.visit) for event in page.events if event.type == "COMPLETED")
    assert set(completed.values()) <= {1}, completed


async def _all(trials: Any) -> list[Any]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(trial) for trial in trials]
    return [task.result() for task in tasks]
