"""One workflow run of a run: from what it is started with to its end, or to the workflow run that comes after it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar, cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from orchestrator.contracts import (
    Carry,
    Continuation,
    ErrorInfo,
    MigrateReply,
    MigrateRequest,
    RunContext,
    RunRequest,
    RunResult,
    RunStatus,
)
from orchestrator.errors import MigrationError, NothingAwaitedError, OrchestratorError, RunTimeoutError, TooLargeError
from orchestrator.graph.carried import Carried, fits, pack
from orchestrator.graph.index import Graph
from orchestrator.workflow import dispatch, observe
from orchestrator.workflow.carrying import LIGHT, load, store
from orchestrator.workflow.counting import run_ended, run_started
from orchestrator.workflow.engine import Engine, Rolling
from orchestrator.workflow.handlers import at_rest
from orchestrator.workflow.inbox import Inbox
from orchestrator.workflow.journal import Journal
from orchestrator.workflow.moving import Moving
from orchestrator.workflow.pace import Pace
from orchestrator.workflow.plans import graph_of, resolved_of
from orchestrator.workflow.run import Run
from orchestrator.workflow.standing import Standing
from orchestrator.workflow.tickets import NodeFailure
from orchestrator.workflow.visibility import Visibility

__all__ = ["Life"]

T = TypeVar("T")

_NOBODY = RunContext()
"""Shared by all runs that are for nobody in particular."""
_HEARTBEAT_S = 30.0
"""Of the activities that load a run's state, which says itself what it is otherwise."""


class Life:
    """One workflow run.

    Attributes:
        heard: How many messages of any kind have come in; whoever takes one raises it.
        early: What came in before there was anything to do it to, in order.
    """

    def __init__(self) -> None:
        self.journal = Journal()
        self.inbox = Inbox()
        self.standing = Standing(self.journal, self.inbox)
        self.engine: Engine | None = None
        self.heard = 0
        self.early: list[Callable[[], None]] = []
        self._cancelled = False
        self._visibility = Visibility(())
        self._began = workflow.info().workflow_start_time.timestamp()
        self._publisher: asyncio.Task[None] | None = None
        self._moving = Moving()

    @property
    def known(self) -> bool:
        """Whether it is known what there is to run, or that there is nothing."""
        return self.engine is not None or self.standing.result is not None

    async def live(self, start: RunRequest | Continuation) -> RunResult:
        """Run a request to its result, or go on where an earlier workflow run stood."""
        self._publisher = asyncio.create_task(self._publish())
        status, error, outputs = "completed", None, dict[str, Any]()
        try:
            engine = await self._begin(start)
            del start
            if self._cancelled and self.standing.ending is None:
                raise asyncio.CancelledError  # noqa: TRY301 - as if it came now
            if self.standing.ending is None:
                outputs = await self._go(engine)
            else:
                status, error, outputs = self.standing.ending
        except asyncio.CancelledError:
            status = "cancelled"
        except NodeFailure as failure:
            status, error = "failed", failure.info
        except OrchestratorError as failure:
            status = "timed_out" if isinstance(failure, RunTimeoutError) else "failed"
            error = ErrorInfo.of(failure)
        except FailureError as failure:  # of resolving: a local activity's own error, or one around it
            if is_cancelled_exception(failure):
                status = "cancelled"
            else:
                status, error = "failed", dispatch.error_info(failure)
        return await self._end(status, error, outputs)

    async def refuse(self, error: OrchestratorError) -> RunResult:
        """End a run that was started with nonsense."""
        return await self._end("failed", ErrorInfo.of(error), {})

    def changed(self) -> None:
        """Note that something has changed."""
        if self.engine is not None:
            self.engine.run.look_at_history()
        workflow.set_current_details(self.standing.details())
        self.standing.note()

    def hold(self) -> None:
        """Start nothing new."""
        if self.engine is not None and self.standing.ending is None and not self.engine.run.paused:
            self.engine.run.paused = True
            self.journal.add("RUN_PAUSED")
            self.changed()

    async def migrate(self, request: MigrateRequest) -> MigrateReply:
        """Have the run go on with another definition, from the next safe point on.

        Raises:
            MigrationError: What has happened has no place in it.
            ApplicationError: It cannot be found, or breaks rules, or the run's inputs do not fit it.
        """
        engine = self.engine
        if engine is None or self.standing.ending is not None:
            raise MigrationError("the run is over")
        return await self._moving.ask(engine, request, lambda: self.standing.ending is not None)

    async def _begin(self, start: RunRequest | Continuation) -> Engine:
        carried = Carried()
        if isinstance(start, Continuation):
            loader = dispatch.Dispatcher(Pace(lambda: None), _HEARTBEAT_S)
            carried = await self._to_the_end(load(loader, start.continues))
            start, answer = _handed_on(carried), carried.get("resolved", {})
        else:
            answer = await dispatch.resolve(start)
        graph = graph_of(answer["plan_hash"], answer["plan"])
        resolved = resolved_of(answer, graph)
        if resolved.start is not None:
            loader = dispatch.Dispatcher(Pace(lambda: None), resolved.heartbeat_timeout)
            carried = await self._to_the_end(load(loader, resolved.start))
        self._visibility = Visibility(resolved.search_attributes, carried.get("shown"))
        self._visibility.hold(
            DefinitionName=graph.plan.name,
            DefinitionVersion=graph.plan.version,
            Tenant=start.context.tenant,
            RunStatus="running",
        )
        self._take_over(carried, graph)
        context = _NOBODY if start.context == _NOBODY else start.context
        run = Run(resolved, graph, context, start.parent, self.journal, self.inbox, self.changed)
        engine = Engine(run, carried, answer.get("inputs", {}))
        self.engine = self.standing.engine = engine
        for act in self.early:
            act()
        self.early.clear()
        if observe.observed():
            observe.begun(carried, {**answer, "context": start.context.model_dump(mode="json")})
        return engine

    def _take_over(self, carried: Carried, graph: Graph) -> None:
        self._began = carried.get("began", self._began)
        if "journal" in carried:
            self.journal.restore(carried["journal"])
        if "inbox" in carried:
            self.inbox.restore(carried["inbox"])
        if ending := carried.get("ending"):
            error = None if ending["error"] is None else ErrorInfo.model_validate(ending["error"])
            self.standing.ending = ending["status"], error, ending["outputs"]
        if continued := carried.get("continued", 0):
            self.journal.add("RUN_CONTINUED", number=continued)
        else:
            self.journal.add("RUN_STARTED", definition=graph.plan.name, version=graph.plan.version)
            run_started(graph.plan.name)
        if migrated := carried.get("migrated"):
            self.journal.add("RUN_MIGRATED", old=migrated, new=f"{graph.plan.name}@{graph.plan.version}")

    async def _go(self, engine: Engine) -> dict[str, Any]:
        engine.begin()
        while True:
            try:
                return await engine.until_over()
            except Rolling:
                await self._roll_over(engine)

    async def _roll_over(self, engine: Engine) -> None:
        """Go on in a new workflow run. Returns where that cannot be just now."""
        state = self._state(engine)
        if state is None:
            return
        try:
            text = pack(state)
        except TooLargeError:
            if not engine.run.may_stay(ending=self.standing.ending is not None):
                raise
            return
        if fits(text):
            heard = self.heard
            await workflow.wait_condition(at_rest)
            if self.heard == heard and engine.run.drained:
                self._leave(engine, Carry(text=text))
            return
        run = engine.run
        run.held = {}
        moves = run.moves
        pages = await store(run.dispatcher, state)
        await workflow.wait_condition(at_rest)
        if run.moves == moves and run.drained:
            now = self._state(engine) or state
            light = {name: value for name, value in now.items() if name in LIGHT} | {"answers": engine.answers()}
            self._leave(engine, Carry(pages=pages, text=pack(cast("Carried", light))))
        run.stay()

    def _leave(self, engine: Engine, carry: Carry) -> NoReturn:
        plan = self._moving.graph(engine).plan
        definition = f"{plan.name}@{plan.version}"
        workflow.continue_as_new(Continuation(continues=carry, definition=definition, continued=engine.continued + 1))

    def _state(self, engine: Engine) -> Carried | None:
        state = engine.dump()
        state["shown"] = self._visibility.shown
        state["ending"] = self.standing.ending_as_json()
        state["continued"] = engine.continued + 1
        state["began"] = self._began
        try:
            self._moving.translate(engine, state)
        except MigrationError as error:
            self._moving.stay()
            self.journal.reject(None, error)
            engine.run.moving = engine.run.rolling = False
            engine.run.kick()
            return None
        return state

    async def _end(self, status: RunStatus, error: ErrorInfo | None, outputs: dict[str, Any]) -> RunResult:
        """Undo and clean up, let the world know how the run ended, and let handlers that wait finish."""
        if self.engine is not None:
            if status == "cancelled" and self.standing.ending is None:
                self.journal.add("RUN_CANCELLING")
            self.standing.ending = status, error, outputs
            self._moving.stay()
            await self._see_to_the_end(self.engine, status, error)
        if self._publisher is not None:
            self._publisher.cancel()
        for message in self.inbox.clear():
            self.journal.reject(message, NothingAwaitedError("the run has ended"))
        self._note_end(status, error)
        result = self.standing.end(status, error, outputs)
        self._visibility.show(RunStatus=status, CurrentNode=None)
        workflow.set_current_details(self.standing.details())
        if self.engine is not None:
            await self.engine.tell_parent(status, (), result)
        await workflow.wait_condition(workflow.all_handlers_finished)
        definition = None if self.engine is None else self.engine.graph.plan.name
        run_ended(definition, status, workflow.time() - self._began)
        if status == "completed":
            return result
        if status == "cancelled":
            raise asyncio.CancelledError
        message, code = (error.message, error.code) if error else (status, OrchestratorError.code)
        raise ApplicationError(message, result, type=code, non_retryable=True)

    def _note_end(self, status: RunStatus, error: ErrorInfo | None) -> None:
        match status:
            case "completed":
                self.journal.add("RUN_COMPLETED")
            case "cancelled":
                self.journal.add("RUN_CANCELLED")
            case "timed_out":
                self.journal.add("RUN_TIMED_OUT")
            case _:
                about = {"code", "message", "node"}
                self.journal.add("RUN_FAILED", **(error.model_dump(include=about, exclude_none=True) if error else {}))

    async def _see_to_the_end(self, engine: Engine, status: RunStatus, error: ErrorInfo | None) -> None:
        """Have the engine undo and clean up; whoever cancels meanwhile does not stop that."""
        self.changed()
        while True:
            try:
                await self._to_the_end(engine.end(status, error))
            except Rolling:
                await self._to_the_end(self._roll_over(engine))
                engine.run.defer_rolling()
            else:
                return

    async def _to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something to its end. Whoever cancels the run meanwhile has it cancelled afterwards."""
        task = asyncio.create_task(work)
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.done():
                    raise
                self._cancelled = True
        return task.result()

    async def _publish(self) -> None:
        """Upsert where the run stands when it comes to rest there: what it only passes through costs no event."""
        standing = self.standing
        while True:
            shown = standing.now
            self._visibility.show(RunStatus=shown.status, CurrentNode=shown.node)
            if self.engine is not None:
                await self.engine.tell_parent(shown.status, shown.parked)
            await workflow.wait_condition(lambda before=shown: standing.now != before or self._held_back)

    @property
    def _held_back(self) -> bool:
        """Something is still to be shown, and no quick node is about to bring the run further in this workflow task."""
        return self._visibility.held is not None and self.engine is not None and self.engine.run.dispatcher.idle


def _handed_on(carried: Carried) -> RunRequest:
    """The request of the run, as far as it still matters."""
    return RunRequest.model_validate(
        {"definition": "", "context": carried.get("context", {}), "parent": carried.get("parent")}
    )
