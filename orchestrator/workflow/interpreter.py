"""GraphWorkflow: the one workflow type, which runs any plan and talks to the outside."""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from orchestrator.contracts import (
    MOST_MESSAGE_BYTES,
    WORKFLOW_TYPE,
    Awaiting,
    ChildRun,
    Continuation,
    ErrorInfo,
    Message,
    ProgressPage,
    ProgressRequest,
    Resolved,
    ResolveReply,
    ResolveRequest,
    ResumeRequest,
    RunRequest,
    RunResult,
    RunState,
    RunStatus,
    SubmitReply,
)
from orchestrator.errors import (
    MessageError,
    NothingAwaitedError,
    NotParkedError,
    OrchestratorError,
    RequestError,
    RunTimeoutError,
)
from orchestrator.graph.carried import Carried
from orchestrator.graph.happenings import Answered, Assigned
from orchestrator.workflow import carrying, dispatch, observe
from orchestrator.workflow.decode import NOTHING, decode, decode_start
from orchestrator.workflow.engine import Engine, Rolling
from orchestrator.workflow.handlers import at_rest, refusal, speaks_plainly
from orchestrator.workflow.inbox import Inbox
from orchestrator.workflow.journal import Journal
from orchestrator.workflow.pace import Pace
from orchestrator.workflow.plans import graph_of
from orchestrator.workflow.run import NodeFailure
from orchestrator.workflow.standing import Standing
from orchestrator.workflow.visibility import Visibility

__all__ = ["GraphWorkflow"]


@workflow.defn(name=WORKFLOW_TYPE, failure_exception_types=[OrchestratorError])
class GraphWorkflow:
    """Runs a graph. Everything that comes in is taken raw and decoded here: what the SDK cannot decode wedges a run."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._inbox = Inbox()
        self._visibility = Visibility(())
        self._standing = Standing(self._journal, self._inbox)
        self._engine: Engine | None = None
        self._publisher: asyncio.Task[None] | None = None
        self._heard = 0
        """How many messages of any kind have come in."""
        self._pause = False
        """Somebody has asked for a pause, perhaps before there was anything to pause."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> RunResult:
        """Run a ``RunRequest`` to its ``RunResult``, or go on where an earlier workflow run stood."""
        self._publisher = asyncio.create_task(self._publish())
        status, error, outputs = "completed", None, dict[str, Any]()
        try:
            self._engine = engine = await self._begin(decode_start(raw))
            if self._standing.ending is None:
                outputs = await engine.go()
            else:
                status, error, outputs = self._standing.ending
        except Rolling:
            await self._roll_over()
        except asyncio.CancelledError:
            status = "cancelled"
        except NodeFailure as failure:
            status, error = "failed", failure.info
        except RunTimeoutError as failure:
            status, error = "timed_out", ErrorInfo(code=failure.code, message=failure.message)
        except OrchestratorError as failure:
            info = ErrorInfo(code=failure.code, message=failure.message, details=failure.details)
            status, error = "failed", info
        except FailureError as failure:  # of resolving: a local activity's own error, or one around it
            if is_cancelled_exception(failure):
                status = "cancelled"
            else:
                status, error = "failed", dispatch.error_info(failure)
        return await self._end(status, error, outputs)

    async def _begin(self, start: RunRequest | Continuation) -> Engine:
        carried = Carried()
        if isinstance(start, Continuation):
            loader = dispatch.Dispatcher(Pace(lambda: None), 30.0)
            carried = await carrying.load(loader, start.continues)
            start, answer = _handed_on(carried), carried.get("resolved", {})
        else:
            answer = await dispatch.resolve(start)
        graph = graph_of(answer["plan_hash"], answer["plan"])
        resolved = Resolved.model_validate({**answer, "plan": graph.plan})
        if resolved.start is not None:
            loader = dispatch.Dispatcher(Pace(lambda: None), resolved.heartbeat_timeout)
            carried = await carrying.load(loader, resolved.start)
        self._visibility = Visibility(resolved.search_attributes, carried.get("shown"))
        self._visibility.show(
            DefinitionName=graph.plan.name,
            DefinitionVersion=graph.plan.version,
            Tenant=start.context.tenant,
            RunStatus="running",
        )
        self._take_over(carried)
        continued = carried.get("continued", 0)
        if continued:
            self._journal.add("RUN_CONTINUED", number=continued)
        else:
            self._journal.add("RUN_STARTED", definition=graph.plan.name, version=graph.plan.version)
        engine = Engine(
            resolved, graph, start.context, start.parent, self._journal, self._inbox, self._changed, carried
        )
        self._standing.engine = engine
        if self._pause:
            self._hold(engine)
        if observe.observed():
            observe.begun(carried, {**answer, "context": start.context.model_dump(mode="json")})
        return engine

    def _hold(self, engine: Engine) -> None:
        if not engine.run.paused:
            engine.run.paused = True
            self._journal.add("RUN_PAUSED")

    def _take_over(self, carried: Carried) -> None:
        if "journal" in carried:
            self._journal.restore(carried["journal"])
        if "inbox" in carried:
            self._inbox.restore(carried["inbox"])
        if ending := carried.get("ending"):
            error = None if ending["error"] is None else ErrorInfo.model_validate(ending["error"])
            self._standing.ending = ending["status"], error, ending["outputs"]

    async def _roll_over(self) -> None:
        """Go on in a new workflow run. Does not return."""
        engine = self._engine
        assert engine is not None  # noqa: S101 - only an engine rolls over
        plan = engine.graph.plan
        while True:
            engine.continued += 1
            state = engine.dump()
            state["shown"] = self._visibility.shown
            state["ending"] = self._standing.ending_as_json()
            before = self._heard
            told = await carrying.continuation(engine.run.dispatcher, state, f"{plan.name}@{plan.version}")
            await workflow.wait_condition(at_rest)
            # Storing a large state takes a while, in which an answer may have come in.
            if self._heard == before and engine.run.drained:
                workflow.continue_as_new(told)
            await workflow.wait_condition(lambda: engine.run.drained)
            engine.continued -= 1

    async def _end(self, status: RunStatus, error: ErrorInfo | None, outputs: dict[str, Any]) -> RunResult:
        """Undo and clean up, let the world know how the run ended, and let handlers that wait finish."""
        if self._engine is not None:
            if status == "cancelled" and self._standing.ending is None:
                self._journal.add("RUN_CANCELLING")
            self._standing.ending = status, error, outputs
            await self._see_to_the_end(self._engine, status, error)
        if self._publisher is not None:
            self._publisher.cancel()
        for message in self._inbox.clear():
            self._journal.reject(message, NothingAwaitedError("the run has ended"))
        about = {} if error is None else error.model_dump(include={"code", "message", "node"}, exclude_none=True)
        match status:
            case "completed":
                self._journal.add("RUN_COMPLETED")
            case "cancelled":
                self._journal.add("RUN_CANCELLED")
            case "timed_out":
                self._journal.add("RUN_TIMED_OUT")
            case _:
                self._journal.add("RUN_FAILED", **about)
        result = self._standing.end(status, error, outputs)
        self._visibility.show(RunStatus=status, CurrentNode=None)
        self._show_details()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if status == "completed":
            return result
        if status == "cancelled":
            raise asyncio.CancelledError
        message, code = (error.message, error.code) if error else (status, OrchestratorError.code)
        raise ApplicationError(message, result, type=code, non_retryable=True)

    async def _see_to_the_end(self, engine: Engine, status: RunStatus, error: ErrorInfo | None) -> None:
        """Have the engine undo and clean up; whoever cancels meanwhile does not stop that."""
        self._changed()
        work = asyncio.create_task(engine.end(status, error))
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                if work.done():
                    raise
            except Rolling:
                await self._roll_over()
        work.result()

    def _changed(self) -> None:
        if self._engine is not None:
            self._engine.run.look_at_history()
        self._show_details()
        self._standing.note()

    async def _publish(self) -> None:
        """Upsert where the run stands when it comes to rest there: what it only passes through costs no event."""
        standing = self._standing
        while True:
            shown = standing.now
            self._visibility.show(RunStatus=shown.status, CurrentNode=shown.node)
            if self._engine is not None:
                await self._engine.tell_parent(shown.status, shown.parked)
            await workflow.wait_condition(lambda before=shown: standing.now != before)

    def _show_details(self) -> None:
        workflow.set_current_details(self._standing.details())

    @workflow.signal(name="message", description="An answer: {text?, values?, decision?, message_id?, node?, by?}")
    def message(self, raw: RawValue = NOTHING) -> None:
        """Take an answer; kept until something awaits it. What cannot be used shows as REJECTED in ``progress``."""
        self._heard += 1
        message: Message | None = None
        try:
            message = decode(Message, raw, MessageError, most_bytes=MOST_MESSAGE_BYTES)
            self._known(message)
            try:
                self._apply(message)
            except NothingAwaitedError:
                self._inbox.keep(message)
        except OrchestratorError as error:
            self._journal.reject(message, error)
        except Exception:  # noqa: BLE001 - a signal handler that raises fails the run
            workflow.logger.exception("a message was dropped")

    @workflow.signal(name="pause", description="Start nothing new")
    def pause(self, raw: RawValue = NOTHING) -> None:  # noqa: ARG002 - whoever sends something means no harm
        """Start nothing new; what is under way finishes, answers are kept, deadlines go on."""
        self._heard += 1
        self._pause = True
        if self._engine is not None and self._standing.ending is None:
            self._hold(self._engine)
            self._changed()

    @workflow.signal(name="resume", description="Go on after a pause: {variables?}")
    def resume(self, raw: RawValue = NOTHING) -> None:
        """Go on after a pause; ``variables`` replace values of shared state, or the run stays paused."""
        self._heard += 1
        try:
            request = decode(ResumeRequest, raw, RequestError, empty=ResumeRequest(), most_bytes=MOST_MESSAGE_BYTES)
            if self._engine is None or not self._engine.run.paused:
                raise RequestError("the run is not paused")  # noqa: TRY301 - one place tells of refusals
            self._engine.scope.data.channels.assign(request.variables)
            observe.happened(Assigned(request.variables))
            self._engine.run.paused = self._pause = False
            self._journal.add("RUN_RESUMED", variables=sorted(request.variables))
            self._engine.run.kick()
            self._changed()
        except OrchestratorError as error:
            self._journal.reject(None, error)
        except Exception:  # noqa: BLE001 - a signal handler that raises fails the run
            workflow.logger.exception("a resume was dropped")

    @workflow.signal(name="child", description="Sent by a run that this one has started: how it stands")
    def child(self, raw: RawValue = NOTHING) -> None:
        """Take note of how a child run stands."""
        self._heard += 1
        try:
            child = decode(ChildRun, raw, RequestError)
            if self._engine is not None and child.node in self._engine.run.children:
                now = {"status": child.status, "parked": child.parked}
                self._engine.run.children[child.node] = self._engine.run.children[child.node].model_copy(update=now)
                self._changed()
        except OrchestratorError as error:
            workflow.logger.warning("a child's report was dropped: %s", error.message)
        except Exception:  # noqa: BLE001 - a signal handler that raises fails the run
            workflow.logger.exception("a child's report was dropped")

    @workflow.update(name="submit", description="An answer, checked: {text?, values?, decision?, message_id?, node?}")
    @speaks_plainly
    async def submit(self, raw: RawValue = NOTHING) -> SubmitReply:
        """Apply an answer and say what is awaited now. A repeated ``message_id`` gets the first outcome back."""
        self._heard += 1
        message = decode(Message, raw, MessageError, most_bytes=MOST_MESSAGE_BYTES)
        await workflow.wait_condition(lambda: self._engine is not None or self._standing.result is not None)
        if self._standing.result is not None and self._inbox.already(message) is None:
            raise NothingAwaitedError(f"the run has ended ({self._standing.result.status})")
        self._known(message)
        applied = self._apply(message)
        await workflow.wait_condition(at_rest)
        return SubmitReply(node=applied.node, visit=applied.visit, awaiting=self._inbox.awaiting)

    @submit.validator
    def check_submit(self, raw: RawValue = NOTHING) -> None:
        """Refuse what can not be used before it enters history, where the server counts it: 2,000 updates a run."""
        try:
            message = decode(Message, raw, MessageError, most_bytes=MOST_MESSAGE_BYTES)
            if self._engine is not None and self._standing.result is None and self._inbox.already(message) is None:
                self._known(message)
                self._inbox.check(message)
        except OrchestratorError as error:
            raise refusal(error) from None

    @workflow.update(name="resolve", description="What becomes of a parked node: {action, node?, config?, output?}")
    @speaks_plainly
    async def resolve(self, raw: RawValue = NOTHING) -> ResolveReply:
        """Retry, override, skip or fail a parked node; without ``node``, every one."""
        self._heard += 1
        request = decode(ResolveRequest, raw, RequestError, most_bytes=MOST_MESSAGE_BYTES)
        await workflow.wait_condition(lambda: self._engine is not None or self._standing.result is not None)
        if self._engine is None or self._standing.ending is not None:
            raise NotParkedError("the run is over: nothing is parked")
        resolved = self._engine.run.parking.resolve(request)
        await workflow.wait_condition(at_rest)
        return ResolveReply(resolved=tuple(resolved), parked=self._engine.run.parking.parked)

    @resolve.validator
    def check_resolve(self, raw: RawValue = NOTHING) -> None:
        """Refuse what cannot be carried out before it enters history."""
        try:
            request = decode(ResolveRequest, raw, RequestError, most_bytes=MOST_MESSAGE_BYTES)
            if self._engine is not None and self._standing.ending is None:
                self._engine.run.parking.check(request)
        except OrchestratorError as error:
            raise refusal(error) from None

    def _apply(self, message: Message) -> Any:
        again = self._inbox.already(message)
        applied = self._inbox.apply(message)
        if again is None:
            told = message.model_dump(mode="json", exclude_defaults=True)
            observe.happened(Answered(applied.node, applied.visit, told, workflow.time()))
        return applied

    def _known(self, message: Message) -> None:
        if message.node is None or self._engine is None:
            return
        first = message.node.partition(".")[0].partition("[")[0].partition("#")[0]
        if first not in self._engine.graph.numbers:
            raise MessageError(f"the definition has no node `{first}`")

    @workflow.query(name="progress", description="Events after a cursor: {after?, limit?}")
    def progress(self, raw: RawValue = NOTHING) -> ProgressPage:
        """Events with ``seq`` above ``after``, and where the run stands."""
        asked = decode(ProgressRequest, raw, RequestError, empty=ProgressRequest())
        return self._standing.page(asked)

    @workflow.query(name="awaiting", description="The questions that wait for an answer, oldest first")
    def awaiting(self) -> tuple[Awaiting, ...]:
        """The questions that wait, oldest first."""
        return self._inbox.awaiting

    @workflow.query(name="usage", description="Tokens and cost, in total and per node")
    def usage(self) -> dict[str, Any]:
        """``{"total": Usage, "nodes": {id: Usage}}``."""
        return self._standing.usage()

    @workflow.query(name="definition", description="The definition this run is pinned to")
    def definition(self) -> dict[str, Any]:
        """The plan, without the parsed form of its expressions; empty until it is resolved."""
        return self._standing.definition()

    @workflow.query(name="state", description="Where each node stands, shared state, and the result so far")
    def state(self) -> RunState:
        """Everything at once. What would make the answer larger than a reply can be is left out, the largest first."""
        return self._standing.state()


def _handed_on(carried: Carried) -> RunRequest:
    """The request of the run, as far as it still matters."""
    return RunRequest.model_validate(
        {"definition": "", "context": carried.get("context", {}), "parent": carried.get("parent")}
    )
