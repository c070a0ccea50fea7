"""How the workflow calls activities: by name, with one object, under limits that can not wedge a run."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from pydantic_core import from_json, to_json
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeoutError

from orchestrator.contracts import (
    JOIN_PAGES_ACTIVITY,
    LOAD_PAGE_ACTIVITY,
    LOOK_AT_RUN_ACTIVITY,
    MAX_LOCAL_BYTES,
    MAX_PAYLOAD_BYTES,
    RENDER_ACTIVITY,
    RESOLVE_ACTIVITY,
    STORE_PAGE_ACTIVITY,
    TOO_LARGE_FOR_LOCAL,
    USAGE_ACTIVITY,
    ErrorInfo,
    RunRequest,
)
from orchestrator.errors import NodeError, NodeTimeoutError, OrchestratorError, TooLargeError
from orchestrator.graph.carried import pages
from orchestrator.graph.plan import PlanNode, Retry
from orchestrator.workflow.pace import Pace

__all__ = ["Dispatcher", "error_info", "resolve"]

NEVER_RETRIED = ["PayloadsTooLarge"]
"""The SDK's own error for a result above 2 MiB; retrying it pays for the same work again."""
_RENDER_RETRY = RetryPolicy(maximum_attempts=3, non_retryable_error_types=NEVER_RETRIED)
_MOST_LOCAL = 16
"""Local activities at once: all their results may end up in the completion of one workflow task."""
_QUICK = timedelta(seconds=10)
_RESOLVE = timedelta(seconds=60)
_FORK = timedelta(minutes=10)
"""Its source's history is replayed first."""
_WAITS_ON = "waits-on-for-a-child-that-runs"
"""Patch: in 0.1.0 a visit failed where its child, looked at, was still running."""
_PAGE = timedelta(seconds=60)
_PAGE_RETRY = RetryPolicy(non_retryable_error_types=NEVER_RETRIED)
"""For as long as it takes: without its state the run cannot go on."""


async def resolve(request: RunRequest) -> dict[str, Any]:
    """Have the definition found, checked and compiled; the answer, in history, pins the run to it."""
    patience = _RESOLVE if request.fork is None else _FORK
    handle = workflow.start_local_activity(
        RESOLVE_ACTIVITY,
        request,
        result_type=RawValue,
        start_to_close_timeout=patience,
        schedule_to_close_timeout=patience,
        retry_policy=RetryPolicy(maximum_attempts=3, non_retryable_error_types=NEVER_RETRIED),
        activity_id="resolve",
    )
    try:
        raw = await asyncio.shield(handle)
    except asyncio.CancelledError:
        await workflow.wait([handle])  # see ``Dispatcher.idle``
        raise
    return _decoded(raw)


class Dispatcher:
    """Calls the activities of one run.

    Args:
        pace: What its workflow tasks may carry.
        heartbeat_timeout: Seconds without a heartbeat after which a work node's worker counts as dead.
    """

    def __init__(self, pace: Pace, heartbeat_timeout: float) -> None:
        self._pace = pace
        self._heartbeat_timeout = timedelta(seconds=heartbeat_timeout)
        self._local = 0

    @property
    def idle(self) -> bool:
        """No local activity is under way.

        They are never cancelled, being short, and a workflow run must not end before they have: the SDK's core (1.35)
        panics when one comes back to a run that is gone, and takes the worker with it.
        """
        return self._local == 0

    async def render(self, value: Any, values: Mapping[str, Any], *, where: str) -> Any:
        """Have templates filled in.

        Args:
            value: A JSON value with templates in it.
            values: What they refer to.
            where: What it is for; the activity's id.
        """
        call = {"value": value, "values": values}
        options = _Options(RENDER_ACTIVITY, where, where, _QUICK, None, _RENDER_RETRY)
        return await self._quick(options, _payload(call, where))

    async def perform(self, node: PlanNode, name: str, call: dict[str, Any]) -> dict[str, Any]:
        """Run a visit of a quick or work node.

        Args:
            node: The node.
            name: The visit: the activity's id.
            call: What its activity is told: a ``NodeCall``, as JSON.

        Returns:
            ``NodeOutput`` as JSON.

        Raises:
            ActivityError: It failed for good.
            TooLargeError: What it reads is larger than a run may carry.
        """
        assert node.activity is not None  # noqa: S101 - quick and work nodes have one, by the compiler
        total = None if node.total_timeout is None else timedelta(seconds=node.total_timeout)
        each = timedelta(seconds=node.timeout)
        options = _Options(node.activity, name, f"{name} · {node.type}", each, total, _policy(node.retry))
        payload = _payload(call, f"node `{name}`")
        return await (self._quick(options, payload) if node.tier == "quick" else self._remote(options, payload))

    async def evaluate(self, ast: Any, values: Mapping[str, Any], *, where: str) -> Any:
        """Have an expression evaluated over values in blob storage.

        Args:
            ast: Its tree.
            values: What it refers to.
            where: What it is for; the activity's id.
        """
        options = _Options(RENDER_ACTIVITY, where, where, _PAGE, None, _RENDER_RETRY)
        return await self._remote(options, _payload({"expression": ast, "values": values}, where))

    async def store_page(self, text: str, number: int) -> str:
        """Have a part of the run's state kept in blob storage. Returns its key."""
        options = _Options(
            STORE_PAGE_ACTIVITY, f"carry:{number}", "a part of the run's state", _PAGE, None, _PAGE_RETRY
        )
        answer = await self._remote(options, _payload({"text": text}, "the run's state"))
        return answer["key"]

    async def keep(self, text: str, where: str) -> dict[str, Any]:
        """Have a value kept in blob storage.

        Args:
            text: Its JSON, packed.
            where: What it is; the beginning of the activities' ids.

        Returns:
            The reference to it.

        Raises:
            ActivityError: It is larger than a visit may give.
        """
        about = f"{where}, in blob storage"
        keys: list[str] = []
        for number, page in enumerate(pages(text)):
            options = _Options(STORE_PAGE_ACTIVITY, f"{where}:{number}", about, _PAGE, None, _PAGE_RETRY)
            keys.append((await self._remote(options, _payload({"text": page}, where)))["key"])
        options = _Options(JOIN_PAGES_ACTIVITY, f"{where}:join", about, _PAGE, None, _PAGE_RETRY)
        answer = await self._remote(options, _payload({"keys": keys, "what": where}, where))
        return answer["reference"]

    async def load_page(self, key: str, number: int) -> str:
        """A part of the run's state that ``store_page`` kept."""
        options = _Options(
            LOAD_PAGE_ACTIVITY, f"carried:{number}", "a part of the run's state", _PAGE, None, _PAGE_RETRY
        )
        answer = await self._remote(options, _payload({"key": key}, "the run's state"))
        return answer["text"]

    async def look_at_run(self, run_id: str, label: str) -> Any:
        """The ``RunResult`` of another run, as JSON; none while it goes on.

        Raises:
            ActivityError: It ended otherwise than well.
        """
        options = _Options(LOOK_AT_RUN_ACTIVITY, f"{label}:look", f"looks at {run_id}", _PAGE, None, _PAGE_RETRY)
        raw = await self._sent(options, _payload({"run": run_id}, label))
        if not raw.payload.data and workflow.patched(_WAITS_ON):
            return None
        return _decoded(raw)

    async def usage(self, call: Mapping[str, Any], label: str) -> dict[str, Any]:
        """What a visit has taken whose activity could not tell: a ``Taken``, as JSON.

        Args:
            call: What its activity was told.
            label: The visit.

        Raises:
            ActivityError: It cannot be looked up.
        """
        asked = {name: value for name, value in call.items() if name not in ("config", "values")} | {"config": None}
        options = _Options(USAGE_ACTIVITY, f"{label}:usage", f"what {label} took", _PAGE, None, _RENDER_RETRY)
        return await self._remote(options, _payload(asked, label))

    async def _quick(self, options: "_Options", payload: RawValue) -> Any:
        if len(payload.payload.data) <= MAX_LOCAL_BYTES:
            try:
                return await self._locally(options, payload)
            except ApplicationError as error:
                if error.type != TOO_LARGE_FOR_LOCAL:
                    raise
        return await self._remote(options, payload)

    async def _locally(self, options: "_Options", payload: RawValue) -> Any:
        while self._local >= _MOST_LOCAL:
            await workflow.wait_condition(lambda: self._local < _MOST_LOCAL)
        self._local += 1
        try:
            await self._pace.refreshed()
        except (Exception, asyncio.CancelledError):
            self._local -= 1
            raise
        handle = workflow.start_local_activity(
            options.activity,
            payload,
            result_type=RawValue,
            start_to_close_timeout=options.timeout,
            schedule_to_close_timeout=options.total_timeout,
            retry_policy=options.retry,
            activity_id=options.id,
            summary=options.summary,
        )
        handle.add_done_callback(self._came_back)
        raw = await asyncio.shield(handle)
        self._pace.carried(len(raw.payload.data))
        return _decoded(raw)

    def _came_back(self, handle: "asyncio.Future[Any]") -> None:
        self._local -= 1
        if not handle.cancelled():
            handle.exception()  # looked at: nobody may be waiting for it any more

    async def _remote(self, options: "_Options", payload: RawValue) -> Any:
        return _decoded(await self._sent(options, payload))

    async def _sent(self, options: "_Options", payload: RawValue) -> RawValue:
        await self._pace.admit(len(payload.payload.data))
        return await workflow.execute_activity(
            options.activity,
            payload,
            result_type=RawValue,
            start_to_close_timeout=options.timeout,
            schedule_to_close_timeout=options.total_timeout,
            heartbeat_timeout=self._heartbeat_timeout,
            retry_policy=options.retry,
            activity_id=options.id,
            summary=options.summary,
        )


@dataclass(frozen=True, slots=True)
class _Options:
    activity: str
    id: str
    summary: str
    timeout: timedelta
    total_timeout: timedelta | None
    retry: RetryPolicy


def error_info(error: BaseException, node: str | None = None, visit: int | None = None) -> ErrorInfo:
    """Why a visit, or the run itself, failed, in our words."""
    cause = error.cause if isinstance(error, ActivityError) and error.cause is not None else error
    if isinstance(cause, OrchestratorError):
        return ErrorInfo.of(cause, node, visit)
    if isinstance(cause, ApplicationError):
        found = cause.details[0] if cause.details else None
        details = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        return ErrorInfo(code=cause.type or "INTERNAL", message=cause.message, node=node, visit=visit, details=details)
    if isinstance(cause, ActivityTimeoutError):
        kind = cause.type or TimeoutType.START_TO_CLOSE
        message = _TIMEOUTS[kind] if node else "the definition, or a template of the run, took too long to prepare"
        return ErrorInfo(code=NodeTimeoutError.code, message=message, node=node, visit=visit)
    return ErrorInfo(code="INTERNAL", message=f"{type(cause).__name__}: {cause}", node=node, visit=visit)


_TIMEOUTS = {
    TimeoutType.START_TO_CLOSE: "every attempt took longer than the node's `timeout`",
    TimeoutType.SCHEDULE_TO_CLOSE: "all attempts together took longer than the node's `total_timeout`",
    TimeoutType.SCHEDULE_TO_START: "no worker took it",
    TimeoutType.HEARTBEAT: "its worker died or hung, and so did every other that tried",
}


def _decoded(raw: RawValue) -> Any:
    try:
        return from_json(raw.payload.data)
    except ValueError as error:  # the parser goes some 200 levels deep; what the activity writes has no such bound
        raise NodeError("what came back is nested too deep to be carried") from error


def _payload(call: dict[str, Any], where: str) -> RawValue:
    # Encoded once, here, so that its size is known before the command is issued: a command that is too large can not
    # be taken back, and its workflow task is retried for ever.
    data = to_json(call)
    if len(data) > MAX_PAYLOAD_BYTES:
        raise TooLargeError(
            f"{where} reads {len(data):,} bytes, more than the {MAX_PAYLOAD_BYTES:,} that one call may carry; "
            "refer to the parts it needs"
        )
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=data))


def _policy(retry: Retry) -> RetryPolicy:
    # What the server uses when the activity could not say its own delay (it timed out, or its worker died).
    return RetryPolicy(
        initial_interval=timedelta(seconds=retry.initial_delay),
        backoff_coefficient=retry.multiplier if retry.strategy == "exponential" else 1.0,
        maximum_interval=timedelta(seconds=max(retry.max_delay, retry.initial_delay)),
        maximum_attempts=retry.max_attempts,
        non_retryable_error_types=NEVER_RETRIED,
    )
