"""Does a soak: starts runs, kills whom it can, and checks each run when it has ended."""

import asyncio
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import TemporalError

from benchmarks.effects import Effects, open_effects
from benchmarks.fleet import Fleet, open_fleet
from benchmarks.machine import describe_machine
from benchmarks.mortal import MortalServer
from benchmarks.soak_kills import Killer, meanwhile
from benchmarks.soak_load import CHILD, KINDS, Kind, Scene
from benchmarks.soak_report import KindTally, SoakReport
from benchmarks.story import Attempts, attempts, persist, standing
from orchestrator.client import Orchestrator
from orchestrator.contracts import RunRequest, RunResult
from orchestrator.errors import OrchestratorError, RequestError

__all__ = ["SoakPlan", "soak"]

_SETTINGS = {
    "ORCHESTRATOR_HEARTBEAT_TIMEOUT": "5",
    "ORCHESTRATOR_STICKY_TIMEOUT": "3",
    # So low that the longer kinds go on in several workflow runs.
    "ORCHESTRATOR_ROLLOVER_EVENTS": "100",
}
_STEP_S = 1.0


@dataclass(frozen=True, kw_only=True)
class SoakPlan:
    """What to do: see the options of ``python -m benchmarks.soak``."""

    minutes: float
    kill_every: float
    restart_server_every: float
    rate: float
    workers: int
    most_open: int
    settle: float
    seed: int
    in_memory: bool
    command: str


@dataclass
class _Tally:
    """What became of runs so far."""

    accepted: Counter[str] = field(default_factory=Counter[str])
    right: Counter[str] = field(default_factory=Counter[str])
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    effects: int = 0
    repeated: int = 0
    silent: int = 0
    problems: list[str] = field(default_factory=list[str])
    open: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class _Soak:
    plan: SoakPlan
    told: Callable[[str], None]
    client: Client
    fleet: Fleet
    effects: Effects
    killer: Killer
    tally: _Tally = field(default_factory=_Tally)

    async def go(self) -> float:
        """All of it. Returns how long it took, in seconds."""
        start = time.monotonic()
        await asyncio.gather(*[self.fleet.ready(await self.fleet.start()) for _ in range(self.plan.workers)])
        living: set[asyncio.Task[None]] = set()
        async with meanwhile(self._watch()):
            async with self.killer.at_work(self.plan.kill_every, self.plan.restart_server_every):
                await self._load(living)
            await self._settle(living)
        return time.monotonic() - start

    async def _load(self, living: set[asyncio.Task[None]]) -> None:
        """Start runs at the rate that was asked for, as long as few enough are under way."""
        choice = random.Random(self.plan.seed)  # noqa: S311 - which kind comes next is no secret
        names, shares = list(KINDS), [kind.share for kind in KINDS.values()]
        slots = asyncio.Semaphore(self.plan.most_open)
        deadline = time.monotonic() + self.plan.minutes * 60
        number = 0
        while (left := deadline - time.monotonic()) > 0:
            self._tell(f"{left / 60:.1f} minutes left")
            await asyncio.sleep(min(choice.expovariate(self.plan.rate), left))
            try:
                # If all that is under way is stuck, there is room for no more.
                await asyncio.wait_for(slots.acquire(), max(deadline - time.monotonic(), _STEP_S))
            except TimeoutError:
                break
            number += 1
            # Each kind once first, so that a short soak has them all.
            name = names[number - 1] if number <= len(names) else choice.choices(names, shares)[0]
            task = asyncio.create_task(self._live(name, number))
            living.add(task)
            task.add_done_callback(living.discard)
            task.add_done_callback(lambda _: slots.release())

    async def _settle(self, living: set[asyncio.Task[None]]) -> None:
        """Wait for the runs that are still under way; what does not end is stuck."""
        deadline = time.monotonic() + self.plan.settle
        while living and (left := deadline - time.monotonic()) > 0:
            self._tell("no more runs are started")
            await asyncio.wait([*living], timeout=min(left, _STEP_S), return_when=asyncio.ALL_COMPLETED)
        for run, name in [*self.tally.open.items()]:
            where = await persist(lambda run=run: standing(self.client, run))
            self.tally.problems.append(f"{run} ({name}) is stuck: {where}")
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)

    async def _live(self, name: str, number: int) -> None:
        """One run from its start to its end, and what is wrong with it."""
        kind, run = KINDS[name], f"soak-{self.plan.seed}-{number}-{uuid.uuid4().hex[:8]}"
        room = self.effects.open(run, broken=set(kind.broken), held=set(kind.held))
        scene = Scene(self.client, Orchestrator(self.client, self.fleet.task_queue), run, room, number)
        start = time.monotonic()
        try:
            await self._start(scene, kind)
            self.tally.accepted[name] += 1
            self.tally.open[run] = name
            if kind.people is not None:
                await kind.people(scene)
            result = await _result(scene)
            problems = [kind.wrong(result, number), *await self._wrong_effects(scene, kind)]
        except (OrchestratorError, TemporalError, RuntimeError) as error:
            problems = [f"{type(error).__name__}: {error}"]
        self.tally.seconds[name].append(time.monotonic() - start)
        self.tally.open.pop(run, None)
        self.effects.close(run)
        if found := [problem for problem in problems if problem]:
            self.tally.problems += [f"{run} ({name}): {problem}" for problem in found]
        else:
            self.tally.right[name] += 1

    async def _start(self, scene: Scene, kind: Kind) -> None:
        """Start a run until the server has it; only then is it accepted."""
        request = RunRequest(definition=kind.definition, inputs={"far": scene.room.url, "n": scene.number})
        tried = False

        async def start() -> str:
            nonlocal tried
            again, tried = tried, True
            try:
                return await scene.door.start(request, scene.run)
            except RequestError:
                if again:  # the server took it, and was killed before it could say so
                    return scene.run
                raise

        await persist(start)

    async def _wrong_effects(self, scene: Scene, kind: Kind) -> list[str]:
        """What a run has done to the world and should not have, or the other way round."""
        times = scene.room.times()
        self.tally.effects += sum(len(moments) for moments in times.values())
        missing, more = set(kind.effects) - times.keys(), times.keys() - set(kind.effects)
        problems = [f"{visit} had no effect" for visit in sorted(missing)]
        problems += [f"{visit} had an effect that it should not have" for visit in sorted(more)]
        repeated = {visit: moments for visit, moments in times.items() if len(moments) > 1}
        if not repeated:
            return problems
        tried = await persist(lambda: attempts(self.client, scene.run))
        for visit, moments in repeated.items():
            mine = _of(tried, visit)
            if all(self.killer.killed_between(*pair) for pair in pairwise(moments)):
                self.tally.repeated += len(moments) - 1
            elif any(one.silent for one in mine):
                # Temporal has recorded why: on a busy machine a worker may hang for longer than it may be silent.
                self.tally.silent += len(moments) - 1
            else:
                problems.append(f"{visit} was done {len(moments)} times, and nothing was killed in between")
            # What was cancelled between two attempts does not say how many it had.
            if 0 < sum(one.count for one in mine) < len(moments):
                problems.append(f"{visit} was done {len(moments)} times in fewer attempts: {mine}")
        return problems

    async def _watch(self) -> None:
        """Note a worker that ends although nobody killed it, and replace it."""
        while True:
            hands = {asyncio.create_task(hand.process.wait()): hand for hand in self.fleet.hands}
            try:
                await asyncio.wait(hands, timeout=_STEP_S, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in hands:
                    task.cancel()
            for hand in [hand for hand in self.fleet.hands if hand.process.returncode is not None]:
                # One that is being killed is no longer in the fleet.
                self.fleet.hands.remove(hand)
                self.tally.problems.append(
                    f"a worker ended by itself with {hand.process.returncode}; it said: {hand.said()}"
                )
                await self.fleet.start()

    def _tell(self, what: str) -> None:
        tally = self.tally
        ended = tally.accepted.total() - len(tally.open)
        self.told(
            f"{what}: {tally.accepted.total()} runs accepted, {ended} ended, {self.killer.workers} workers and "
            f"{self.killer.servers} servers killed, {len(tally.problems)} problems"
        )


async def soak(plan: SoakPlan, folder: Path, told: Callable[[str], None]) -> SoakReport:
    """Do what ``plan`` says, in ``folder``, and report; ``told`` is told how far it is.

    Raises:
        ServerUnavailableError: The server did not start.
        RuntimeError: A worker did not start.
    """
    task_queue = f"soak-{uuid.uuid4().hex}"
    async with AsyncExitStack() as parts:
        server = await parts.enter_async_context(MortalServer.open(None if plan.in_memory else folder / "server.db"))
        client = await server.start()
        effects = await parts.enter_async_context(open_effects())
        fleet = await parts.enter_async_context(
            open_fleet(client, task_queue, folder / "workers", {"soak-child": CHILD}, _SETTINGS)
        )
        machine = await describe_machine(client, kept="in memory" if plan.in_memory else "in a file")
        doing = _Soak(plan, told, client, fleet, effects, Killer(fleet, server, plan.seed))
        seconds = await doing.go()
        tally = doing.tally
        workflow_runs, unended = await persist(lambda: _at_the_server(client, task_queue))
        tally.problems += [f"{run} is still open at the server" for run in unended if run not in tally.open]
        tally.problems += [f"{key} was asked for after its run had ended" for key in effects.late]
        return SoakReport(
            day=datetime.now(tz=UTC).date(),
            command=plan.command,
            machine=machine,
            seconds=seconds,
            worker_kills=doing.killer.workers,
            server_kills=doing.killer.servers,
            kinds=tuple(_kinds(tally)),
            effects=tally.effects,
            repeated=tally.repeated,
            silent=tally.silent,
            workflow_runs=workflow_runs,
            problems=tuple(tally.problems),
        )


async def _result(scene: Scene) -> RunResult:
    """How a run has ended. A cancelled one is asked itself, since only it knows what it has undone."""
    result = await persist(lambda: scene.door.result(scene.run))
    if result.status == "cancelled":
        return (await persist(lambda: scene.door.state(scene.run))).result
    return result


async def _at_the_server(client: Client, task_queue: str) -> tuple[int, list[str]]:
    """How many workflow runs the server has, and the ids of those that have not ended."""
    count, unended = 0, list[str]()
    async for execution in client.list_workflows(f"TaskQueue = '{task_queue}'"):
        count += 1
        # Its index lags behind: what it says is open is asked for itself.
        if execution.status == WorkflowExecutionStatus.RUNNING:
            handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
            if (await handle.describe()).status == WorkflowExecutionStatus.RUNNING:
                unended.append(execution.id)
    return count, unended


def _of(tried: Mapping[str, Attempts], visit: str) -> list[Attempts]:
    """Attempts of a visit. The first visit of a node has the node's name for an id."""
    return [tried[name] for name in {visit, visit.removesuffix("#1")} if name in tried]


def _kinds(tally: _Tally) -> list[KindTally]:
    return [
        KindTally(
            kind=name,
            accepted=tally.accepted[name],
            right=tally.right[name],
            seconds=(median(seconds), max(seconds)) if (seconds := tally.seconds[name]) else (0.0, 0.0),
        )
        for name in KINDS
        if tally.accepted[name]
    ]
