"""GraphWorkflow: the one workflow type, which runs any plan and talks to the outside."""

from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from orchestrator.contracts import (
    MOST_MESSAGE_BYTES,
    WORKFLOW_TYPE,
    Awaiting,
    ChildRun,
    Message,
    MigrateReply,
    MigrateRequest,
    ProgressPage,
    ProgressRequest,
    ResolveReply,
    ResolveRequest,
    ResumeRequest,
    RunResult,
    RunState,
    SubmitReply,
)
from orchestrator.errors import (
    MessageError,
    NothingAwaitedError,
    NotParkedError,
    OrchestratorError,
    RequestError,
)
from orchestrator.graph.happenings import Answered, Assigned
from orchestrator.workflow import observe
from orchestrator.workflow.decode import NOTHING, decode, decode_start
from orchestrator.workflow.handlers import at_rest, refusal, speaks_plainly
from orchestrator.workflow.inbox import Applied
from orchestrator.workflow.life import Life

__all__ = ["GraphWorkflow"]


@workflow.defn(name=WORKFLOW_TYPE, failure_exception_types=[OrchestratorError])
class GraphWorkflow:
    """Runs a graph. Everything that comes in is taken raw and decoded here: what the SDK cannot decode wedges a run."""

    def __init__(self) -> None:
        self._life = Life()

    @property
    def traced(self) -> tuple[str | None, str | None]:
        """The definition it runs and how it has ended, as far as known: what a trace says of it."""
        engine, result = self._life.engine, self._life.standing.result
        definition = None if engine is None else f"{engine.graph.plan.name}@{engine.graph.plan.version}"
        return definition, None if result is None else result.status

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> RunResult:
        """Run a ``RunRequest`` to its ``RunResult``, or go on where an earlier workflow run stood."""
        try:
            start = decode_start(raw)
        except OrchestratorError as error:
            return await self._life.refuse(error)
        living = self._life.live(start)
        del start  # it may hold a whole definition, or the state of a run; who has begun needs it no more
        return await living

    @workflow.signal(name="message", description="An answer: {text?, values?, decision?, message_id?, node?, by?}")
    def message(self, raw: RawValue = NOTHING) -> None:
        """Take an answer; kept until something awaits it. What cannot be used shows as REJECTED in ``progress``."""
        self._life.heard += 1
        message: Message | None = None
        try:
            message = decode(Message, raw, MessageError, most_bytes=MOST_MESSAGE_BYTES)
            self._known(message)
            try:
                self._apply(message)
            except NothingAwaitedError:
                self._life.inbox.keep(message)
        except OrchestratorError as error:
            self._life.journal.reject(message, error)
        except Exception:  # noqa: BLE001 - a signal handler that raises fails the run
            workflow.logger.exception("a message was dropped")

    @workflow.signal(name="pause", description="Start nothing new")
    def pause(self, raw: RawValue = NOTHING) -> None:  # noqa: ARG002 - whoever sends something means no harm
        """Start nothing new; what is under way finishes, answers are kept, deadlines go on."""
        self._life.heard += 1
        self._when_known(self._life.hold)

    @workflow.signal(name="resume", description="Go on after a pause: {variables?}")
    def resume(self, raw: RawValue = NOTHING) -> None:
        """Go on after a pause; ``variables`` replace values of shared state, or the run stays paused."""
        self._life.heard += 1
        self._when_known(lambda: self._resume(raw))

    def _resume(self, raw: RawValue) -> None:
        try:
            request = decode(ResumeRequest, raw, RequestError, empty=ResumeRequest(), most_bytes=MOST_MESSAGE_BYTES)
            engine = self._life.engine
            if engine is None or not engine.run.paused:
                raise RequestError("the run is not paused")  # noqa: TRY301 - one place tells of refusals
            engine.scope.data.channels.assign(request.variables)
            observe.happened(Assigned(request.variables))
            engine.run.paused = False
            self._life.journal.add("RUN_RESUMED", variables=sorted(request.variables))
            engine.run.kick()
            self._life.changed()
        except OrchestratorError as error:
            self._life.journal.reject(None, error)
        except Exception:  # noqa: BLE001 - a signal handler that raises fails the run
            workflow.logger.exception("a resume was dropped")

    @workflow.signal(name="child", description="Sent by a run that this one has started: how it stands")
    def child(self, raw: RawValue = NOTHING) -> None:
        """Take note of how a child run stands."""
        self._life.heard += 1
        self._when_known(lambda: self._hear_child(raw))

    def _hear_child(self, raw: RawValue) -> None:
        try:
            child = decode(ChildRun, raw, RequestError)
            engine = self._life.engine
            if engine is not None:
                engine.run.kin.hear(child)
                self._life.changed()
        except OrchestratorError as error:
            workflow.logger.warning("a child's report was dropped: %s", error.message)
        except Exception:  # noqa: BLE001 - a signal handler that raises fails the run
            workflow.logger.exception("a child's report was dropped")

    @workflow.update(name="submit", description="An answer, checked: {text?, values?, decision?, message_id?, node?}")
    @speaks_plainly
    async def submit(self, raw: RawValue = NOTHING) -> SubmitReply:
        """Apply an answer and say what is awaited now. A repeated ``message_id`` gets the first outcome back."""
        self._life.heard += 1
        message = decode(Message, raw, MessageError, most_bytes=MOST_MESSAGE_BYTES)
        await workflow.wait_condition(lambda: self._life.known)
        inbox, result = self._life.inbox, self._life.standing.result
        if result is not None and inbox.already(message) is None:
            raise NothingAwaitedError(f"the run has ended ({result.status})")
        self._known(message)
        applied = self._apply(message)
        await workflow.wait_condition(at_rest)
        return SubmitReply(node=applied.node, visit=applied.visit, awaiting=inbox.awaiting)

    @submit.validator
    def check_submit(self, raw: RawValue = NOTHING) -> None:
        """Refuse what can not be used before it enters history, where the server counts it: 2,000 updates a run."""
        try:
            message = decode(Message, raw, MessageError, most_bytes=MOST_MESSAGE_BYTES)
            life = self._life
            if life.engine is not None and life.standing.result is None and life.inbox.already(message) is None:
                self._known(message)
                life.inbox.check(message)
        except OrchestratorError as error:
            raise refusal(error) from None

    @workflow.update(name="resolve", description="What becomes of a parked node: {action, node?, config?, output?}")
    @speaks_plainly
    async def resolve(self, raw: RawValue = NOTHING) -> ResolveReply:
        """Retry, override, skip or fail a parked node; without ``node``, every one."""
        self._life.heard += 1
        request = decode(ResolveRequest, raw, RequestError, most_bytes=MOST_MESSAGE_BYTES)
        await workflow.wait_condition(lambda: self._life.known)
        engine = self._life.engine
        if engine is None or self._life.standing.ending is not None:
            raise NotParkedError("the run is over: nothing is parked")
        resolved = engine.run.parking.resolve(request)
        if request.cost_usd is not None:
            engine.run.allowance.raise_to(request.cost_usd)
        await workflow.wait_condition(at_rest)
        return ResolveReply(resolved=tuple(resolved), parked=engine.run.parking.parked)

    @resolve.validator
    def check_resolve(self, raw: RawValue = NOTHING) -> None:
        """Refuse what cannot be carried out before it enters history."""
        try:
            request = decode(ResolveRequest, raw, RequestError, most_bytes=MOST_MESSAGE_BYTES)
            if self._life.engine is not None and self._life.standing.ending is None:
                self._life.engine.run.parking.check(request)
        except OrchestratorError as error:
            raise refusal(error) from None

    @workflow.update(name="migrate", description="Go on with another definition: {definition}")
    @speaks_plainly
    async def migrate(self, raw: RawValue = NOTHING) -> MigrateReply:
        """Go on with another definition, from the next safe point on; refused where the run does not fit it."""
        self._life.heard += 1
        request = decode(MigrateRequest, raw, RequestError)
        await workflow.wait_condition(lambda: self._life.known)
        return await self._life.migrate(request)

    @migrate.validator
    def check_migrate(self, raw: RawValue = NOTHING) -> None:
        """Refuse what has the wrong shape before it enters history."""
        try:
            decode(MigrateRequest, raw, RequestError)
        except OrchestratorError as error:
            raise refusal(error) from None

    def _when_known(self, act: Callable[[], None]) -> None:
        """Do something now, or as soon as there is something to do it to."""
        if self._life.known:
            act()
        else:
            self._life.early.append(act)

    def _apply(self, message: Message) -> Applied:
        inbox = self._life.inbox
        again = inbox.already(message)
        applied = inbox.apply(message)
        if again is None and observe.observed():
            told = message.model_dump(mode="json", exclude_defaults=True)
            observe.happened(Answered(applied.node, applied.visit, told, workflow.time()))
        return applied

    def _known(self, message: Message) -> None:
        engine = self._life.engine
        if message.node is None or engine is None:
            return
        first = message.node.partition(".")[0].partition("[")[0].partition("#")[0]
        if first not in engine.graph.numbers:
            raise MessageError(f"the definition has no node `{first}`")

    @workflow.query(name="progress", description="Events after a cursor: {after?, limit?}")
    def progress(self, raw: RawValue = NOTHING) -> ProgressPage:
        """Events with ``seq`` above ``after``, and where the run stands."""
        asked = decode(ProgressRequest, raw, RequestError, empty=ProgressRequest())
        return self._life.standing.page(asked)

    @workflow.query(name="awaiting", description="The questions that wait for an answer, oldest first")
    def awaiting(self) -> tuple[Awaiting, ...]:
        """The questions that wait, oldest first."""
        return self._life.inbox.awaiting

    @workflow.query(name="usage", description="Tokens and cost, in total and per node")
    def usage(self) -> dict[str, Any]:
        """``{"total": Usage, "nodes": {id: Usage}}``."""
        return self._life.standing.usage()

    @workflow.query(name="definition", description="The definition this run is pinned to")
    def definition(self) -> dict[str, Any]:
        """The plan, without the parsed form of its expressions; empty until it is resolved."""
        return self._life.standing.definition()

    @workflow.query(name="state", description="Where each node stands, shared state, and the result so far")
    def state(self) -> RunState:
        """Everything at once. What would make the answer larger than a reply can be is left out, the largest first."""
        return self._life.standing.state()
