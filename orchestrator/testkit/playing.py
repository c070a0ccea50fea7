"""Plays one case: starts its run, lets virtual time pass from one thing due to the next, and sends its messages."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from orchestrator.contracts import (
    Awaiting,
    ChildRun,
    Event,
    Message,
    ResolveReply,
    ResumeRequest,
    RunRequest,
    RunState,
    visit_label,
)
from orchestrator.errors import ServerUnavailableError, WorkerMissingError
from orchestrator.graph.happenings import VisitEnded
from orchestrator.testkit.bench import Bench
from orchestrator.testkit.labels import without_indexes
from orchestrator.testkit.model import ENDED, Case, Step
from orchestrator.testkit.outcome import Difference, Outcome
from orchestrator.testkit.standstill import Standstill, StuckError, look, stand_still
from orchestrator.trace import trace_of

__all__ = ["Played", "play"]

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Played:
    """A case that was played: what came of its run, and what of the case itself went wrong."""

    outcome: Outcome | None
    troubles: tuple[Difference, ...] = ()
    restarts: int = 0
    """How many workers were ended on the way."""


async def play(on: Bench, definition: dict[str, Any] | str, case: Case, *, sweeping: bool = False) -> Played:
    """Play ``case``; with ``sweeping`` the worker is ended after every step."""
    return await _Play(on, case, sweeping=sweeping).run(definition)


class _Play:
    def __init__(self, on: Bench, case: Case, *, sweeping: bool) -> None:
        self._bench = on
        self._case = case
        self._sweeping = sweeping
        self._id = f"case-{uuid4().hex}"
        self._events: list[Event] = []
        self._left = list(enumerate(case.messages))
        self._troubles: list[Difference] = []

    async def run(self, definition: dict[str, Any] | str) -> Played:
        case, on = self._case, self._bench
        on.mocks.begin(case, on.clock)
        outcome: Outcome | None = None
        try:
            async with on.working(sweeping=self._sweeping):
                outcome = await self._play(definition)
        except (StuckError, WorkerMissingError, ServerUnavailableError, RPCError) as error:
            self._troubles.append(Difference(f"the run is stuck: {error.message}"))
        else:
            self._look_for_leftovers()
        return Played(outcome, tuple(self._troubles), on.restarts)

    async def _play(self, definition: dict[str, Any] | str) -> Outcome:
        case, on = self._case, self._bench
        request = RunRequest(definition=definition, inputs=case.inputs, context=case.context, limits=case.limits)
        started = await on.clock.now()
        await on.door.start(request, self._id)
        try:
            await self._go_on(started)
            return await self._outcome()
        finally:
            await self._clear_away()

    async def _go_on(self, started: datetime) -> None:
        """Until the run is over, or nothing more happens to it."""
        end = None if self._case.until is None else started + timedelta(seconds=self._case.until)
        goes_on = True
        while goes_on:
            async with self._at_rest() as still:
                goes_on, until = await self._one_step(still, started, end)
            if until is not None:
                await self._bench.clock.move_to(until)

    @asynccontextmanager
    async def _at_rest(self) -> AsyncGenerator[Standstill]:
        """As soon as everything stands still; no worker is ended meanwhile by an activity that goes on after all."""
        on = self._bench
        while True:
            await stand_still(on.clock, on.mocks, self._id)
            async with on.changing:
                still = await look(on.clock, on.mocks, self._id)
                if still is not None:
                    yield still
                    return

    async def _one_step(
        self, still: Standstill, started: datetime, end: datetime | None
    ) -> tuple[bool, datetime | None]:
        """Do what is due now. Says whether the case goes on, and up to when nothing happens."""
        await self._read_events()
        if still.over:
            return False, None
        if self._sweeping:
            await self._bench.replace()
        if await self._send_what_is_due(started):
            return True, None
        # Where an end is not expected, the case is over as soon as the run stands as it should.
        if not self._left and self._case.expect.status not in ENDED and end is None and await self._as_expected():
            return False, None
        times = [time for time in (still.next, self._next_step(started), end) if time is not None]
        if not times or (end is not None and await self._bench.clock.now() >= end):
            return False, None
        return True, min(times)

    async def _as_expected(self) -> bool:
        return (await self._bench.door.state(self._id)).status == self._case.expect.status

    def _next_step(self, started: datetime) -> datetime | None:
        if not self._left or self._left[0][1].at is None:
            return None
        return started + timedelta(seconds=self._left[0][1].at)

    async def _send_what_is_due(self, started: datetime) -> bool:
        """Do the next step, if its time has come. Says whether anything was done."""
        if not self._left:
            return False
        number, step = self._left[0]
        time = self._next_step(started)
        if time is not None:
            if await self._bench.clock.now() < time:
                return False
        elif not await self._is_wanted(step):
            return False
        del self._left[0]
        await self._do(number, step)
        return True

    async def _is_wanted(self, step: Step) -> bool:
        """Whether a step without a time has something to be for."""
        if step.is_answer:
            return any(step.node in (None, name) for name, _ in await self._waiting())
        if step.resolve is not None:
            return any(step.node in (None, name) for name in await self._parked())
        return True

    async def _do(self, number: int, step: Step) -> None:
        run, node = await self._addressed(step.node)
        handle: WorkflowHandle[Any, Any] = self._bench.clock.client.get_workflow_handle(run)
        if step.cancel:
            await handle.cancel()
        elif step.signal == "pause":
            await handle.signal("pause")
        elif step.signal == "resume":
            await handle.signal("resume", ResumeRequest(variables=step.variables))
        elif step.resolve is not None:
            await self._resolve(number, step, handle, node)
        else:
            message: Message = step.message(node)
            await handle.signal("message", message)

    async def _resolve(self, number: int, step: Step, handle: Any, node: str | None) -> None:
        try:
            await handle.execute_update("resolve", step.resolution(node), result_type=ResolveReply)
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            said = f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else str(cause)
            self._troubles.append(Difference(f"messages[{number}] was refused: {said}"))

    async def _addressed(self, node: str | None) -> tuple[str, str | None]:
        """The run that a path leads to, and the path in it: a child has its own."""
        if node is None:
            return self._id, None
        for name, run in await self._family():
            if name and node.startswith(f"{name}."):
                return run, node.removeprefix(f"{name}.")
        return self._id, node

    async def _family(self) -> list[tuple[str, str]]:
        """Every run of the case: where it stands in the root's graph, and its id; the innermost first."""
        found = [("", self._id)]
        for name, run in found:
            state = await self._bench.door.state(run)
            found.extend((f"{name}.{_label(child)}".removeprefix("."), child.run) for child in state.children)
        return found[::-1]

    async def _waiting(self) -> list[tuple[str, int]]:
        """The questions that wait, anywhere: path and visit."""
        found: list[tuple[str, int]] = []
        for name, run in await self._family():
            questions: list[Awaiting] = await self._bench.door.awaiting(run)
            found.extend((f"{name}.{question.node}".removeprefix("."), question.visit) for question in questions)
        return found

    async def _parked(self) -> list[str]:
        return [
            f"{name}.{parked.node}".removeprefix(".")
            for name, run in await self._family()
            for parked in (await self._bench.door.state(run)).parked
        ]

    async def _read_events(self) -> None:
        while True:
            after = self._events[-1].seq if self._events else 0
            page = await self._bench.door.progress(self._id, after=after, limit=_PAGE)
            self._events.extend(page.events)
            if len(page.events) < _PAGE:
                return

    async def _outcome(self) -> Outcome:
        state: RunState = await self._bench.door.state(self._id)
        times = [datetime.fromisoformat(event.at) for event in self._events]
        return Outcome(
            state=state,
            events=tuple(self._events),
            awaiting=tuple(visit_label(node, visit) for node, visit in await self._waiting()),
            performed=dict(self._bench.mocks.performed),
            virtual_s=(times[-1] - times[0]).total_seconds() if times else 0.0,
            took=await self._took(),
        )

    async def _took(self) -> frozenset[tuple[str, int]]:
        """The ways that the run has taken, from its history."""
        if not (await self._bench.door.definition(self._id)):
            return frozenset()
        trace = await trace_of(self._bench.clock.client, self._id)
        return frozenset(
            (without_indexes(happening.scope.removesuffix(".")), way)
            for life in trace.lives
            for happening in life.happenings
            if isinstance(happening, VisitEnded)
            for way in happening.took
        )

    async def _clear_away(self) -> None:
        """End what a case leaves behind, so that nothing of it is due while another is played."""
        for workflow in {self._id, *self._bench.mocks.workflows}:
            handle = self._bench.clock.client.get_workflow_handle(workflow)
            description = await handle.describe()
            if description.close_time is None:
                await handle.terminate("the case is over")

    def _look_for_leftovers(self) -> None:
        mocks = self._bench.mocks
        for label, kind in mocks.unmocked.items():
            advice = f'mock it: `mocks: {{"{label}": {{output: {{…}}}}}}`'
            self._troubles.append(Difference(f"`{label}` is a {kind}, which reaches outside; {advice}"))
        for label in self._case.mocks:
            if label not in mocks.used:
                self._troubles.append(Difference(f"the mock of `{label}` was never used"))
        for number, step in self._left:
            about = f" for `{step.node}`" if step.node else ""
            self._troubles.append(Difference(f"messages[{number}]{about} was never sent: nothing waited for it"))


def _label(child: ChildRun) -> str:
    return visit_label(child.node, child.visit)
