"""The class that everything outside talks to runs with."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowQueryFailedError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.client.attention import Resolution, Trouble, resolutions, troubles
from orchestrator.client.calls import Calls
from orchestrator.client.explaining import ended, told
from orchestrator.contracts import (
    TASK_QUEUE,
    WORKFLOW_TYPE,
    Awaiting,
    Event,
    Message,
    MigrateReply,
    MigrateRequest,
    Parked,
    ProgressPage,
    ProgressRequest,
    ResolveReply,
    ResolveRequest,
    ResumeRequest,
    RunRequest,
    RunResult,
    RunState,
    SearchAttribute,
    SubmitReply,
)
from orchestrator.errors import MigrationError, NotParkedError, RequestError, SettingsError
from orchestrator.statuses import ENDED
from orchestrator.summaries import RunSummary, list_query, summarize

__all__ = ["Orchestrator"]

_LAST_WORDS_TIMEOUT = timedelta(seconds=5)
_LOOKS_BETWEEN_CHECKS = 20


class Orchestrator:
    """Runs on one Temporal server.

    Args:
        client: A connected client with the pydantic data converter (``orchestrator.connect``).
        task_queue: Where workers listen.
    """

    def __init__(self, client: Client, task_queue: str = TASK_QUEUE) -> None:
        self._calls = Calls(client, task_queue)

    async def start(self, request: RunRequest, run_id: str, *, memo: Mapping[str, Any] | None = None) -> str:
        """Start a run under the id ``run_id``. Returns the id; from then on the run is never lost.

        Args:
            request: What to run.
            run_id: Its id.
            memo: What the server shows of it beside that, without asking it.

        Raises:
            RequestError: A run with this id is under way, or the server refuses the request.
            ServerUnavailableError: The server cannot be reached.
        """
        name = request.definition if isinstance(request.definition, str) else request.definition.get("name")
        try:
            await self._calls.client.start_workflow(
                WORKFLOW_TYPE,
                request,
                id=run_id,
                task_queue=self._calls.task_queue,
                memo=memo,
                static_summary=f"{name}"[:200],
            )
        except WorkflowAlreadyStartedError as error:
            raise RequestError(f"a run with the id `{run_id}` is under way; choose another id") from error
        except RPCError as error:
            self._calls.explain(error, run_id)
        return run_id

    async def fork(self, request: RunRequest, run_id: str) -> str:
        """Start a run that takes over what another has finished. Returns its id.

        Whether there is such a run, and whether it fits, the new run finds out; ``orchestrator.fork`` tells before.

        Raises:
            RequestError: The request says no run to fork; else as ``start``.
            ServerUnavailableError: The server cannot be reached.
        """
        if request.fork is None:
            raise RequestError("`fork` must say which run to take over, and up to where")
        memo = {"forked_from": request.fork.run, "forked_at": request.fork.at}
        return await self.start(request, run_id, memo=memo)

    async def migrate(self, run_id: str, request: MigrateRequest) -> MigrateReply:
        """Move a run to another definition, with its state. Returns once that is decided.

        Raises:
            MigrationError: It does not fit: it goes on as it was. Or it has ended.
            DefinitionNotFoundError: The worker finds no such definition.
            DefinitionError: The definition breaks rules.
            InputError: The run's inputs do not fit it.
            WorkerMissingError: No worker took it.
        """
        reply: MigrateReply = await self._calls.update(run_id, "migrate", request, MigrateReply, over=MigrationError)
        return reply

    async def result(self, run_id: str) -> RunResult:
        """Wait for a run to end and return its result, however it ended.

        What became of a run that was cancelled, or that the server ended, only the run itself knows; where no worker
        answers for it, path and usage are empty.
        """
        try:
            return await self._calls.handle(run_id).result()
        except WorkflowFailureError as error:
            return told(error) or ended(error, await self._last_known(run_id))
        except RPCError as error:
            self._calls.explain(error, run_id)

    async def progress(self, run_id: str, *, after: int = 0, limit: int = 200) -> ProgressPage:
        """Events of a run with ``seq`` above ``after``, at most ``limit`` (1,000 at the most)."""
        asked = ProgressRequest(after=after, limit=limit)
        page: ProgressPage = await self._calls.query(run_id, "progress", ProgressPage, asked)
        return page

    async def follow(self, run_id: str, *, after: int = 0, poll_s: float = 0.25) -> AsyncIterator[Event]:
        """Yield the events of a run, each once, until it has ended. Asks every ``poll_s`` seconds when idle."""
        async for page in self.watch(run_id, after=after, poll_s=poll_s):
            for event in page.events:
                yield event

    async def watch(
        self, run_id: str, *, after: int = 0, poll_s: float = 0.1, limit: int = 200
    ) -> AsyncIterator[ProgressPage]:
        """Yield what is new of a run, each event once, until it has ended.

        A page without events says that nothing has happened since the last one; the next comes ``poll_s`` seconds
        later.
        """
        idle = 0
        while True:
            page = await self.progress(run_id, after=after, limit=limit)
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
        found: RunState = await self._calls.query(run_id, "state", RunState)
        return found

    async def awaiting(self, run_id: str) -> list[Awaiting]:
        """The questions that wait for an answer, oldest first."""
        found: list[Awaiting] = await self._calls.query(run_id, "awaiting", list[Awaiting])
        return found

    async def usage(self, run_id: str) -> dict[str, Any]:
        """Tokens and cost, in total and per node."""
        found: dict[str, Any] = await self._calls.query(run_id, "usage", dict[str, Any])
        return found

    async def definition(self, run_id: str) -> dict[str, Any]:
        """The plan a run is pinned to."""
        found: dict[str, Any] = await self._calls.query(run_id, "definition", dict[str, Any])
        return found

    async def send(self, run_id: str, message: Message) -> None:
        """Signal a message; it is kept until something awaits it."""
        await self._calls.signal(run_id, "message", message)

    async def answer(self, run_id: str, message: Message) -> SubmitReply:
        """Submit an answer, checked. Returns once it is applied.

        Raises:
            AnswerError: It does not fit the question.
            NothingAwaitedError: No question waits for it.
            MessageError: It has the wrong shape.
            WorkerMissingError: No worker took it.
        """
        reply: SubmitReply = await self._calls.update(run_id, "submit", message, SubmitReply)
        return reply

    async def pause(self, run_id: str) -> None:
        """Signal a pause: what is under way finishes, nothing new starts, answers are kept, deadlines go on."""
        await self._calls.signal(run_id, "pause")

    async def resume(self, run_id: str, variables: Mapping[str, Any] | None = None) -> None:
        """Signal the end of a pause; ``variables`` replace values of shared state.

        Where they do not fit it, the run stays paused, and ``progress`` has the reason as REJECTED.
        """
        await self._calls.signal(run_id, "resume", ResumeRequest(variables=dict(variables or {})))

    async def parked(self, run_id: str) -> tuple[Parked, ...]:
        """The nodes that failed for good and wait for ``resolve``; those of child runs are with the child runs."""
        return (await self.progress(run_id, limit=1)).parked

    async def resolve(self, run_id: str, request: ResolveRequest) -> ResolveReply:
        """Say what becomes of a parked node, or of all of them. Returns once that is under way.

        Safe to repeat: a node that is no longer parked is left alone, and ``NotParkedError`` says so.

        Raises:
            NotParkedError: No node is parked, or not that one; or the run has ended.
            MessageError: What is asked for does not fit the node.
            WorkerMissingError: No worker took it.
        """
        reply: ResolveReply = await self._calls.update(run_id, "resolve", request, ResolveReply, over=NotParkedError)
        return reply

    def resolve_each(self, run_ids: Sequence[str], request: ResolveRequest) -> AsyncGenerator[Resolution]:
        """Resolve several runs, some at a time; yields what became of each, in the order given."""
        return resolutions(run_ids, lambda run_id: self.resolve(run_id, request))

    async def resolve_all(
        self, request: ResolveRequest, *, name: str | None = None, limit: int = 100
    ) -> AsyncGenerator[Resolution]:
        """Resolve the newest runs that need attention, of the definition ``name`` or of any; see ``resolve_each``.

        A run whose child run has the parked node is refused with ``NOT_PARKED``: it is resolved there.
        """
        rows = await self.runs(status="needs_attention", name=name, limit=limit)
        async with aclosing(self.resolve_each([row.id for row in rows], request)) as found:
            async for resolution in found:
                yield resolution

    def troubles(self, run_ids: Sequence[str]) -> AsyncGenerator[Trouble]:
        """What is wrong with each of several runs, some asked at a time; in the order given."""
        return troubles(run_ids, lambda run_id: self.progress(run_id, limit=1))

    async def cancel(self, run_id: str) -> None:
        """Ask a run to cancel: it undoes and cleans up what its definition says, and ends."""
        try:
            await self._calls.handle(run_id).cancel()
        except RPCError as error:
            self._calls.explain(error, run_id)

    async def runs(
        self,
        *,
        status: str | None = None,
        name: str | None = None,
        tenant: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        going_on: bool = False,
    ) -> list[RunSummary]:
        """The newest runs, from the server's index, which may lag by a moment.

        Args:
            status: One of ``statuses.ListedStatus``, or none for all.
            name: Name of a definition, or none for all.
            tenant: Who they are for, or none for all.
            since: Only those that started then or later.
            until: Only those that started before.
            limit: The most to return.
            going_on: Only those that have not ended.

        Raises:
            RequestError: The status is none of them, or the name cannot be one.
            SettingsError: The server lacks the search attributes that this needs.
        """
        query = list_query(status, name, tenant=tenant, since=since, until=until)
        query += " AND ExecutionStatus = 'Running'" if going_on else ""
        found: list[RunSummary] = []
        try:
            async for execution in self._calls.client.list_workflows(query, limit=limit if tenant is None else None):
                row = summarize(execution)
                if tenant is None or row.tenant == tenant:
                    found.append(row)
                if len(found) == limit:
                    break
        except RPCError as error:
            if error.status == RPCStatusCode.INVALID_ARGUMENT and any(
                key in error.message for key in SearchAttribute.ALL
            ):
                raise SettingsError(
                    "the Temporal server lacks search attributes that this needs: `orchestrator register` adds them "
                    f"({error.message})"
                ) from error
            self._calls.explain(error, "")
        return found

    async def summary(self, run_id: str) -> RunSummary:
        """What the server's index knows of a run; needs no worker."""
        try:
            return summarize(await self._calls.handle(run_id).describe())
        except RPCError as error:
            self._calls.explain(error, run_id)

    async def _last_known(self, run_id: str) -> RunResult:
        """What a run said last of itself; nothing if no worker answers soon."""
        handle: Any = self._calls.handle(run_id)  # the SDK's overloads are not fully typed
        try:
            state: RunState = await handle.query("state", result_type=RunState, rpc_timeout=_LAST_WORDS_TIMEOUT)
        except (RPCError, WorkflowQueryFailedError):
            return RunResult(status="running")
        return state.result
