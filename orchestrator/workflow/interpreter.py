"""GraphWorkflow: the one workflow type, which runs any plan and talks to the outside."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from orchestrator.contracts import (
    MOST_MESSAGE_BYTES,
    WORKFLOW_TYPE,
    Awaiting,
    ErrorInfo,
    Message,
    ProgressPage,
    ProgressRequest,
    Resolved,
    RunRequest,
    RunResult,
    RunState,
    RunStatus,
    SubmitReply,
    Usage,
)
from orchestrator.errors import MessageError, NothingAwaitedError, OrchestratorError, RequestError, RunTimeoutError
from orchestrator.graph.index import Graph
from orchestrator.workflow import dispatch
from orchestrator.workflow.decode import NOTHING, decode
from orchestrator.workflow.engine import Engine, NodeFailure
from orchestrator.workflow.inbox import Inbox
from orchestrator.workflow.journal import Journal
from orchestrator.workflow.plans import graph_of
from orchestrator.workflow.standing import state_of
from orchestrator.workflow.visibility import Visibility, details

__all__ = ["GraphWorkflow"]

Params = ParamSpec("Params")
Reply = TypeVar("Reply")


def _told(error: OrchestratorError) -> ApplicationError:
    return ApplicationError(error.message, error.details, type=error.code, non_retryable=True)


def _speaks_plainly(
    handler: Callable[Concatenate["GraphWorkflow", Params], Awaitable[Reply]],
) -> Callable[Concatenate["GraphWorkflow", Params], Coroutine[Any, Any, Reply]]:
    """An update handler that raises anything but an ApplicationError wedges the run."""

    @wraps(handler)
    async def wrapper(self: "GraphWorkflow", *args: Params.args, **kwargs: Params.kwargs) -> Reply:
        try:
            return await handler(self, *args, **kwargs)
        except OrchestratorError as error:
            raise _told(error) from None
        except ApplicationError:
            raise
        except Exception as error:
            workflow.logger.exception("an update handler failed")
            raise ApplicationError(f"{type(error).__name__}: {error}", type="INTERNAL", non_retryable=True) from error

    return wrapper


def _at_rest() -> bool:
    """True: conditions are looked at when nothing is left to do in this task, so what follows at once has been done."""
    return True


@workflow.defn(name=WORKFLOW_TYPE, failure_exception_types=[OrchestratorError])
class GraphWorkflow:
    """Runs a graph. Everything that comes in is taken raw and decoded here: what the SDK cannot decode wedges a run."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._inbox = Inbox()
        self._visibility = Visibility(())
        self._engine: Engine | None = None
        self._result: RunResult | None = None
        self._standing_now: tuple[RunStatus, str | None] = ("running", None)
        self._standing_shown = self._standing_now
        self._publisher: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> RunResult:
        """Run a ``RunRequest`` to its ``RunResult``."""
        self._publisher = asyncio.create_task(self._publish())
        try:
            engine = await self._begin(decode(RunRequest, raw, RequestError))
            outputs = await engine.run()
        except asyncio.CancelledError:
            await self._end(self._standing("cancelled"))
            raise
        except NodeFailure as failure:
            await self._fail("failed", failure.info)
        except RunTimeoutError as error:
            await self._fail("timed_out", ErrorInfo(code=error.code, message=error.message))
        except OrchestratorError as error:
            await self._fail("failed", ErrorInfo(code=error.code, message=error.message, details=error.details))
        except FailureError as error:  # of resolving or rendering: a local activity's own error, or one around it
            if is_cancelled_exception(error):
                await self._end(self._standing("cancelled"))
                raise
            await self._fail("failed", dispatch.error_info(error))
        result = self._standing("completed", outputs=outputs)
        await self._end(result)
        return result

    async def _begin(self, request: RunRequest) -> Engine:
        answer = await dispatch.resolve(request)
        graph: Graph = graph_of(answer["plan_hash"], answer["plan"])
        resolved = Resolved.model_validate({**answer, "plan": graph.plan})
        self._visibility = Visibility(resolved.search_attributes)
        self._visibility.show(
            DefinitionName=graph.plan.name,
            DefinitionVersion=graph.plan.version,
            Tenant=request.context.tenant,
            RunStatus="running",
        )
        self._journal.add("RUN_STARTED", definition=graph.plan.name, version=graph.plan.version)
        engine = Engine(resolved, graph, request.context, self._journal, self._inbox, self._note_change)
        self._engine = engine
        return engine

    async def _fail(self, status: RunStatus, info: ErrorInfo) -> NoReturn:
        result = self._standing(status, error=info)
        await self._end(result)
        raise ApplicationError(info.message, result, type=info.code, non_retryable=True)

    async def _end(self, result: RunResult) -> None:
        """Let the world know how the run ended, and handlers that wait finish."""
        self._result = result
        if self._publisher is not None:
            self._publisher.cancel()
        for message in self._inbox.clear():
            self._journal.reject(message, NothingAwaitedError("the run has ended"))
        match result.status:
            case "completed":
                self._journal.add("RUN_COMPLETED")
            case "cancelled":
                self._journal.add("RUN_CANCELLED")
            case "timed_out":
                self._journal.add("RUN_TIMED_OUT")
            case _:
                error = result.error
                self._journal.add("RUN_FAILED", **(error.model_dump(include={"code", "message"}) if error else {}))
        self._visibility.show(RunStatus=result.status, CurrentNode=None)
        self._show_details()
        await workflow.wait_condition(workflow.all_handlers_finished)

    def _standing(
        self, status: RunStatus, *, outputs: dict[str, Any] | None = None, error: ErrorInfo | None = None
    ) -> RunResult:
        usage = self._total_usage()
        return RunResult(
            status=status,
            outputs=outputs or {},
            path=self._journal.path,
            path_omitted=self._journal.path_omitted,
            usage=usage,
            cost_usd=usage.cost_usd,
            error=error,
        )

    @property
    def _status(self) -> RunStatus:
        if self._result is not None:
            return self._result.status
        if self._inbox.awaiting and self._engine is not None and not self._engine.working:
            return "awaiting_input"
        return "running"

    def _total_usage(self) -> Usage:
        return self._engine.total_usage if self._engine else Usage()

    def _note_change(self) -> None:
        self._show_details()
        status = self._status
        self._standing_now = (status, self._inbox.awaiting[0].node if status == "awaiting_input" else None)

    async def _publish(self) -> None:
        """Upsert where the run stands when it comes to rest there: what it only passes through costs no event."""
        while True:
            self._standing_shown = self._standing_now
            self._visibility.show(RunStatus=self._standing_now[0], CurrentNode=self._standing_now[1])
            await workflow.wait_condition(lambda: self._standing_now != self._standing_shown)

    def _show_details(self) -> None:
        done, usage = self._journal.finished, self._total_usage()
        workflow.set_current_details(details(self._status, self._engine, self._inbox.awaiting, done, usage))

    @workflow.signal(name="message", description="An answer: {text?, values?, message_id?, node?}")
    def message(self, raw: RawValue = NOTHING) -> None:
        """Take an answer; kept until something awaits it. What cannot be used shows as REJECTED in ``progress``."""
        message: Message | None = None
        try:
            message = decode(Message, raw, MessageError, most_bytes=MOST_MESSAGE_BYTES)
            self._known(message)
            try:
                self._inbox.apply(message)
            except NothingAwaitedError:
                self._inbox.keep(message)
        except OrchestratorError as error:
            self._journal.reject(message, error)
        except Exception:  # noqa: BLE001 - a signal handler that raises fails the run
            workflow.logger.exception("a message was dropped")

    @workflow.update(name="submit", description="An answer, checked: {text?, values?, message_id?, node?}")
    @_speaks_plainly
    async def submit(self, raw: RawValue = NOTHING) -> SubmitReply:
        """Apply an answer and say what is awaited now. A repeated ``message_id`` gets the first outcome back."""
        message = decode(Message, raw, MessageError, most_bytes=MOST_MESSAGE_BYTES)
        await workflow.wait_condition(lambda: self._engine is not None or self._result is not None)
        if self._result is not None and self._inbox.already(message) is None:
            raise NothingAwaitedError(f"the run has ended ({self._result.status})")
        self._known(message)
        applied = self._inbox.apply(message)
        await workflow.wait_condition(_at_rest)
        return SubmitReply(node=applied.node, visit=applied.visit, awaiting=self._inbox.awaiting)

    @submit.validator
    def check_submit(self, raw: RawValue = NOTHING) -> None:
        """Refuse what can not be used before it enters history, where the server counts it: 2,000 updates a run."""
        try:
            message = decode(Message, raw, MessageError, most_bytes=MOST_MESSAGE_BYTES)
            if self._engine is not None and self._result is None and self._inbox.already(message) is None:
                self._known(message)
                self._inbox.check(message)
        except OrchestratorError as error:
            raise _told(error) from None

    def _known(self, message: Message) -> None:
        if message.node is not None and self._engine is not None and message.node not in self._engine.graph.numbers:
            raise MessageError(f"the definition has no node `{message.node}`")

    @workflow.query(name="progress", description="Events after a cursor: {after?, limit?}")
    def progress(self, raw: RawValue = NOTHING) -> ProgressPage:
        """Events with ``seq`` above ``after``, and where the run stands."""
        asked = decode(ProgressRequest, raw, RequestError, empty=ProgressRequest())
        return self._journal.page(asked, self._status, self._inbox.awaiting)

    @workflow.query(name="awaiting", description="The questions that wait for an answer, oldest first")
    def awaiting(self) -> tuple[Awaiting, ...]:
        """The questions that wait, oldest first."""
        return self._inbox.awaiting

    @workflow.query(name="usage", description="Tokens and cost, in total and per node")
    def usage(self) -> dict[str, Any]:
        """``{"total": Usage, "nodes": {id: Usage}}``."""
        nodes = self._engine.usage if self._engine else {}
        return {"total": self._total_usage(), "nodes": nodes}

    @workflow.query(name="definition", description="The definition this run is pinned to")
    def definition(self) -> dict[str, Any]:
        """The plan, without the parsed form of its expressions; empty until it is resolved."""
        if self._engine is None:
            return {}
        plan = self._engine.graph.plan.model_dump(mode="json", exclude_defaults=True)
        for edge in plan.get("edges", []):
            if "when" in edge:
                edge["when"] = edge["when"]["text"]
        return plan

    @workflow.query(name="state", description="Where each node stands, shared state, and the result so far")
    def state(self) -> RunState:
        """Everything at once. What would make the answer larger than a reply can be is left out, the largest first."""
        result = self._result or self._standing(self._status)
        if self._engine is None:
            return RunState(status=result.status, definition="", result=result)
        return state_of(self._engine, result)
