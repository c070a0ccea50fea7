"""The one door to runs, for command line, gateway and scripts: start, watch, answer, cancel."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NoReturn, cast

from pydantic import BaseModel, ValidationError
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    TerminatedError,
    WorkflowAlreadyStartedError,
)
from temporalio.exceptions import (
    TimeoutError as TemporalTimeoutError,
)
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.contracts import (
    TASK_QUEUE,
    WORKFLOW_TYPE,
    Awaiting,
    ErrorInfo,
    Event,
    Message,
    ProgressPage,
    ProgressRequest,
    RunRequest,
    RunResult,
    RunState,
    SearchAttribute,
    SubmitReply,
)
from orchestrator.errors import (
    AnswerError,
    MessageError,
    NothingAwaitedError,
    RequestError,
    RunNotFoundError,
    RunTimeoutError,
    ServerUnavailableError,
    SettingsError,
    WorkerMissingError,
)
from orchestrator.statuses import ENDED
from orchestrator.summaries import RunSummary, list_query, summarize

__all__ = ["Orchestrator"]

_QUERY_TIMEOUT = timedelta(seconds=10)
_LAST_WORDS_TIMEOUT = timedelta(seconds=5)
_ANSWER_TIMEOUT_S = 30.0
_LOOKS_BETWEEN_CHECKS = 20
_REFUSALS = {error.code: error for error in (MessageError, AnswerError, NothingAwaitedError)}


class Orchestrator:
    """Runs on one Temporal server.

    Args:
        client: A connected client with the pydantic data converter (``orchestrator.connect``).
        task_queue: Where workers listen.
    """

    def __init__(self, client: Client, task_queue: str = TASK_QUEUE) -> None:
        self._client = client
        self._task_queue = task_queue

    async def start(self, request: RunRequest, run_id: str) -> str:
        """Start a run under the id ``run_id``. Returns the id; from then on the run is never lost.

        Raises:
            RequestError: A run with this id is under way, or the server refuses the request.
            ServerUnavailableError: The server cannot be reached.
        """
        name = request.definition if isinstance(request.definition, str) else request.definition.get("name")
        try:
            await self._client.start_workflow(
                WORKFLOW_TYPE,
                request,
                id=run_id,
                task_queue=self._task_queue,
                static_summary=f"{name}"[:200],
            )
        except WorkflowAlreadyStartedError as error:
            raise RequestError(f"a run with the id `{run_id}` is under way; choose another id") from error
        except RPCError as error:
            self._explain(error, run_id)
        return run_id

    async def result(self, run_id: str) -> RunResult:
        """Wait for a run to end and return its result, however it ended.

        What became of a run that was cancelled, or that the server ended, only the run itself knows; where no worker
        answers for it, path and usage are empty.
        """
        try:
            return await self._handle(run_id).result()
        except WorkflowFailureError as error:
            return _told(error) or _ended(error, await self._last_known(run_id))
        except RPCError as error:
            self._explain(error, run_id)

    async def progress(self, run_id: str, *, after: int = 0, limit: int = 200) -> ProgressPage:
        """Events of a run with ``seq`` above ``after``, at most ``limit`` (1,000 at the most)."""
        return await self._query(run_id, "progress", ProgressPage, ProgressRequest(after=after, limit=limit))

    async def follow(self, run_id: str, *, after: int = 0, poll_s: float = 0.25) -> AsyncIterator[Event]:
        """Yield the events of a run, each once, until it has ended. Asks every ``poll_s`` seconds when idle."""
        async for page in self.watch(run_id, after=after, poll_s=poll_s):
            for event in page.events:
                yield event

    async def watch(self, run_id: str, *, after: int = 0, poll_s: float = 0.1) -> AsyncIterator[ProgressPage]:
        """Yield what is new of a run, each event once, until it has ended.

        A page without events says that nothing has happened since the last one; the next comes ``poll_s`` seconds
        later.
        """
        idle = 0
        while True:
            page = await self.progress(run_id, after=after)
            after = page.cursor
            if page.events:
                idle = 0
                yield page
                continue
            # A run that the server itself has ended could not note that.
            if page.status in ENDED or (idle % _LOOKS_BETWEEN_CHECKS == 0 and (await self.summary(run_id)).closed):
                return
            idle += 1
            yield page
            await asyncio.sleep(poll_s)

    async def state(self, run_id: str) -> RunState:
        """Where each node stands, shared state, and the result so far."""
        return await self._query(run_id, "state", RunState)

    async def awaiting(self, run_id: str) -> list[Awaiting]:
        """The questions that wait for an answer, oldest first."""
        found: list[Awaiting] = await self._query(run_id, "awaiting", list[Awaiting])
        return found

    async def usage(self, run_id: str) -> dict[str, Any]:
        """Tokens and cost, in total and per node."""
        found: dict[str, Any] = await self._query(run_id, "usage", dict[str, Any])
        return found

    async def definition(self, run_id: str) -> dict[str, Any]:
        """The plan a run is pinned to."""
        found: dict[str, Any] = await self._query(run_id, "definition", dict[str, Any])
        return found

    async def send(self, run_id: str, message: Message) -> None:
        """Signal a message; it is kept until something awaits it."""
        try:
            await self._handle(run_id).signal("message", message)
        except RPCError as error:
            self._explain(error, run_id)

    async def answer(self, run_id: str, message: Message) -> SubmitReply:
        """Submit an answer, checked. Returns once it is applied.

        Raises:
            AnswerError: It does not fit the question.
            NothingAwaitedError: No question waits for it.
            MessageError: It has the wrong shape.
            WorkerMissingError: No worker took it.
        """
        handle: Any = self._handle(run_id)  # the SDK's overloads are not fully typed
        update = handle.execute_update("submit", message, result_type=SubmitReply)
        try:
            reply: SubmitReply = await asyncio.wait_for(update, _ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise self._nobody_answers() from error
        except WorkflowUpdateFailedError as error:
            _refused(error)
        except RPCError as error:
            self._explain(error, run_id)
        return reply

    async def cancel(self, run_id: str) -> None:
        """Ask a run to cancel."""
        try:
            await self._handle(run_id).cancel()
        except RPCError as error:
            self._explain(error, run_id)

    async def runs(self, *, status: str | None = None, name: str | None = None, limit: int = 50) -> list[RunSummary]:
        """The newest runs, from the server's index, which may lag by a moment.

        Args:
            status: One of ``statuses.ListedStatus``, or none for all.
            name: Name of a definition, or none for all.
            limit: The most to return.

        Raises:
            RequestError: The status is none of them, or the name cannot be one.
            SettingsError: The server lacks the search attributes that this needs.
        """
        query = list_query(status, name)
        try:
            return [summarize(execution) async for execution in self._client.list_workflows(query, limit=limit)]
        except RPCError as error:
            if error.status == RPCStatusCode.INVALID_ARGUMENT and any(
                key in error.message for key in SearchAttribute.ALL
            ):
                raise SettingsError(
                    "the Temporal server lacks search attributes that this needs: `orchestrator register` adds them "
                    f"({error.message})"
                ) from error
            self._explain(error, "")

    async def summary(self, run_id: str) -> RunSummary:
        """What the server's index knows of a run; needs no worker."""
        try:
            return summarize(await self._handle(run_id).describe())
        except RPCError as error:
            self._explain(error, run_id)

    def _handle(self, run_id: str) -> WorkflowHandle[Any, RunResult]:
        return self._client.get_workflow_handle(run_id, result_type=RunResult)

    async def _last_known(self, run_id: str) -> RunResult:
        """What a run said last of itself; nothing if no worker answers soon."""
        handle: Any = self._handle(run_id)  # the SDK's overloads are not fully typed
        try:
            state: RunState = await handle.query("state", result_type=RunState, rpc_timeout=_LAST_WORDS_TIMEOUT)
        except (RPCError, WorkflowQueryFailedError):
            return RunResult(status="running")
        return state.result

    async def _query(self, run_id: str, name: str, answer: Any, *args: BaseModel) -> Any:
        try:
            return await self._handle(run_id).query(name, args=args, result_type=answer, rpc_timeout=_QUERY_TIMEOUT)
        except WorkflowQueryFailedError as error:
            raise RequestError(f"the run refused the query `{name}`: {error}") from error
        except RPCError as error:
            self._explain(error, run_id)

    def _nobody_answers(self) -> WorkerMissingError:
        return WorkerMissingError(
            f"no worker answers on the task queue `{self._task_queue}`; start one (`orchestrator dev`, or "
            "`python worker.py`). Nothing is lost: runs go on when one is there"
        )

    def _explain(self, error: RPCError, run_id: str) -> NoReturn:
        """Raise what an error of the server means."""
        match error.status:
            case RPCStatusCode.NOT_FOUND if _is_of_namespace(error):
                raise SettingsError(
                    f"the Temporal server has no namespace `{self._client.namespace}`; set TEMPORAL_NAMESPACE to one "
                    "that it has, or have it made"
                ) from error
            case RPCStatusCode.NOT_FOUND if "completed" in error.message:
                raise NothingAwaitedError(f"the run `{run_id}` has ended") from error
            case RPCStatusCode.NOT_FOUND:
                raise RunNotFoundError(f"no run has the id `{run_id}`; `orchestrator list` shows the runs") from error
            case RPCStatusCode.FAILED_PRECONDITION | RPCStatusCode.DEADLINE_EXCEEDED | RPCStatusCode.CANCELLED:
                raise self._nobody_answers() from error
            case RPCStatusCode.UNAVAILABLE:
                raise ServerUnavailableError(f"the Temporal server cannot be reached: {error.message}") from error
            case _:
                raise RequestError(f"the Temporal server refused the request: {error.message}") from error


def _is_of_namespace(error: RPCError) -> bool:
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


def _told(failure: WorkflowFailureError) -> RunResult | None:
    """The result that a failed run gave; none if it gave none."""
    cause = failure.cause
    if isinstance(cause, ApplicationError) and cause.details:
        with contextlib.suppress(ValidationError):
            return RunResult.model_validate(cause.details[0])
    return None


def _ended(failure: WorkflowFailureError, last: RunResult) -> RunResult:
    """What a run that gave no result ended with, ``last`` being what it said before."""
    cause = failure.cause
    if isinstance(cause, CancelledError):
        return last.model_copy(update={"status": "cancelled"})
    status, info = "failed", ErrorInfo(code="INTERNAL", message=str(cause))
    if isinstance(cause, TerminatedError):
        info = ErrorInfo(code="TERMINATED", message="somebody terminated the run")
    elif isinstance(cause, TemporalTimeoutError):
        status = "timed_out"
        info = ErrorInfo(
            code=RunTimeoutError.code, message="the run took longer than whoever started it let Temporal wait"
        )
    return last.model_copy(update={"status": status, "error": info})


def _refused(failure: WorkflowUpdateFailedError) -> NoReturn:
    cause = failure.cause
    if isinstance(cause, ApplicationError):
        found = cause.details[0] if cause.details else None
        details = cast("dict[str, object]", found) if isinstance(found, dict) else {}
        raise _REFUSALS.get(cause.type or "", MessageError)(cause.message, details=details) from failure
    raise MessageError(f"the answer was refused: {cause}") from failure
