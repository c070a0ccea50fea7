"""What happened in a run, from its history: replayed through the very code that ran it, with somebody looking on."""

from collections.abc import AsyncGenerator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.contracts import WORKFLOW_TYPE, RunRequest
from orchestrator.errors import RequestError, RunNotFoundError
from orchestrator.graph.happenings import Happening
from orchestrator.graph.plan import Plan
from orchestrator.replaying import replay
from orchestrator.workflow.observe import observing

__all__ = ["Life", "Trace", "histories", "trace_of"]


@dataclass
class Life:
    """One workflow run of a run: what it began with, and what happened in it.

    Attributes:
        run_id: Temporal's id of it.
        carried: The state that it was handed (``graph.carried``); empty at the start of all.
        resolved: What it is pinned to; empty when that never came to be.
        happenings: What happened, in order.
        started: Seconds since 1970.
    """

    run_id: str
    started: float
    carried: Mapping[str, Any] = field(default_factory=dict[str, Any])
    resolved: Mapping[str, Any] = field(default_factory=dict[str, Any])
    happenings: list[Happening] = field(default_factory=list[Happening])

    @cached_property
    def plan(self) -> Plan:
        """The plan that it is pinned to."""
        return Plan.model_validate(self.resolved["plan"])


@dataclass(frozen=True)
class Trace:
    """What happened in a run. ``lives`` are its workflow runs, oldest first; the oldest may be gone from the server."""

    run: str
    lives: tuple[Life, ...]
    request: RunRequest | None = None
    """What it was started with; none when its first workflow run is gone."""

    @cached_property
    def plan(self) -> Plan:
        """The plan that the run is pinned to now."""
        return self.lives[-1].plan


async def trace_of(client: Client, run_id: str) -> Trace:
    """What happened in a run so far.

    Args:
        client: A connected client.
        run_id: The run's id.

    Raises:
        RunNotFoundError: There is no such run.
        RequestError: It is no run of ours, or its definition was never resolved.
    """
    lives: list[Life] = []
    request: RunRequest | None = None
    async for history in histories(client, run_id):
        lives.insert(0, await _life(client, history))
        request = await _request(client, history) if lives[0].resolved else None
    if not lives or not lives[-1].resolved:
        raise RequestError(f"the run `{run_id}` never began: its definition could not be resolved")
    return Trace(run_id, tuple(life for life in lives if life.resolved), request)


async def _request(client: Client, history: WorkflowHistory) -> RunRequest | None:
    """What a history's workflow run was started with; none where it goes on from another."""
    start = history.events[0].workflow_execution_started_event_attributes
    if start.continued_execution_run_id:
        return None
    payloads = await client.data_converter.decode(start.input.payloads, [RunRequest])
    return payloads[0] if payloads else None


async def histories(client: Client, run_id: str) -> AsyncGenerator[WorkflowHistory]:
    """The histories of a run's workflow runs, newest first, as far back as the server has them.

    Raises:
        RunNotFoundError: There is no such run.
        RequestError: It is no run of ours.
    """
    life: str | None = None
    while True:
        try:
            history = await client.get_workflow_handle(run_id, run_id=life).fetch_history()
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            if life is None:
                raise RunNotFoundError(f"no run has the id `{run_id}`; `orchestrator list` shows the runs") from error
            return
        start = history.events[0].workflow_execution_started_event_attributes
        if start.workflow_type.name != WORKFLOW_TYPE:
            raise RequestError(f"`{run_id}` is of type {start.workflow_type.name}, not a run of this platform")
        yield history
        life = start.continued_execution_run_id
        if not life:
            return


async def _life(client: Client, history: WorkflowHistory) -> Life:
    began = history.events[0].event_time.ToDatetime().timestamp()
    life = Life(history.run_id, began)

    def begun(carried: Mapping[str, Any], resolved: Mapping[str, Any]) -> None:
        # The run goes on to change what it was handed.
        life.carried, life.resolved = deepcopy(carried), resolved

    with observing(history.run_id, begun, life.happenings.append):
        try:
            await replay(history, client.data_converter)
        except (workflow.NondeterminismError, RuntimeError) as error:
            raise RequestError(
                f"what `{history.workflow_id}` did cannot be replayed by this release: {error}"
            ) from error
    return life
