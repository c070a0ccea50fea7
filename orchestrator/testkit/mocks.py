"""Stands between a worker and its activities: gives what a case mocks, and counts what is performed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from pydantic_core import from_json
from temporalio import activity
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle
from temporalio.workflow import info as workflow_info

from orchestrator import errors
from orchestrator.contracts import NodeCall, NodeOutput, Usage, visit_label
from orchestrator.errors import NodeTimeoutError, OrchestratorError
from orchestrator.graph.plan import Retry
from orchestrator.node_types import NODE_TYPES
from orchestrator.testkit.clock import Clock
from orchestrator.testkit.labels import Label
from orchestrator.testkit.model import Attempt, Case, Failure

__all__ = ["NOT_MOCKED", "ActivityKey", "Mocks", "Performed", "Turn", "turn_of"]

ActivityKey = tuple[str, str]
"""Ids of a workflow and of an activity of it."""
NOT_MOCKED = "NOT_MOCKED"
"""Code of the error of a node that reaches outside and that the case does not mock."""
_ALWAYS_REAL = frozenset({"ModelInvoke"})
"""Types of work nodes that need no mock: here the simulated provider answers, whatever model they name."""
_CODES: Mapping[str, bool] = {
    kind.code: kind.retryable
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, OrchestratorError)
}


@dataclass(slots=True)
class Performed:
    """What became of one visit of a node with an activity."""

    attempts: int = 0
    """How often it was tried."""
    finished: int = 0
    """How often it gave an output: more than once only where the platform lost one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What an attempt, as Temporal counts them, is about: waiting for ``attempt``, or its end."""

    attempt: Attempt
    number: int
    waits: float | None = None


def turn_of(attempts: list[Attempt], number: int, patience: float | None) -> Turn:
    """What Temporal's attempt ``number`` is about: an attempt that takes time is two of Temporal's, one to wait."""
    seen = count = 0
    while True:
        attempt = attempts[min(count, len(attempts) - 1)]
        count += 1
        if attempt.after is not None:
            seen += 1
            if seen == number:
                return Turn(attempt, count, attempt.after if patience is None else min(attempt.after, patience))
        seen += 1
        if seen == number:
            late = attempt.after is not None and patience is not None and attempt.after >= patience
            return Turn(_TOO_LATE if late else attempt, count)


_TOO_LATE = Attempt(
    error=Failure(
        code=NodeTimeoutError.code, message="every attempt took longer than the node's `timeout`", retryable=True
    )
)


class Mocks(ClientInterceptor, Interceptor):
    """Given to the client of a test server, from which its workers take it. Serves one case at a time."""

    def __init__(self) -> None:
        self.case: Case = Case(name="none")
        self.clock: Clock | None = None
        self.performed: dict[str, Performed] = {}
        self.used: set[str] = set()
        self.unmocked: dict[str, str] = {}
        """Visits of nodes that needed a mock, and their types."""
        self.resting: dict[ActivityKey, datetime] = {}
        """Activities that wait for their next attempt, and when that is due."""
        self.workflows: dict[str, str] = {}
        """Ids of the workflows seen, and where in the root's graph each stands: empty for the root."""
        self.between: Callable[[ActivityKey | None], Awaitable[None]] | None = None
        """Awaited when an attempt of a regular activity has ended, before anybody hears of it; none if not the last."""
        self._labels: list[Label] = []

    def begin(self, case: Case, clock: Clock) -> None:
        """Serve ``case`` from now on, and forget the one before."""
        self.case, self.clock = case, clock
        for kept in (self.performed, self.used, self.unmocked, self.resting, self.workflows):
            kept.clear()
        self._labels = sorted((Label.read(text) for text in case.mocks), key=lambda label: label.weight, reverse=True)

    def attempts(self, node: str, visit: int) -> list[Attempt] | None:
        """What is mocked for a visit of the node at ``node`` (seen from the root), by the most exact of the labels."""
        label = self._label(node, visit)
        return None if label is None else self.case.attempts(label.text)

    def path(self, workflow: str, node: str) -> str:
        """The path of a node, seen from the root run."""
        return f"{self.workflows.get(workflow, '')}.{node}".removeprefix(".")

    def _label(self, node: str, visit: int) -> Label | None:
        return next((label for label in self._labels if label.covers(node, visit)), None)

    async def perform(self, call: NodeCall, real: "ActivityInboundInterceptor", given: ExecuteActivityInput) -> Any:
        """Perform a node's visit, or give what is mocked for it."""
        info = activity.info()
        node = self.path(info.workflow_id or "", call.node)
        label = self._label(node, call.visit)
        entry = self.performed.setdefault(visit_label(node, call.visit), Performed())
        if label is None:
            entry.attempts = max(entry.attempts, info.attempt)
            output = await self._really(call, visit_label(node, call.visit), real, given)
        else:
            self.used.add(label.text)
            patience = info.start_to_close_timeout
            turn = turn_of(
                self.case.attempts(label.text), info.attempt, patience.total_seconds() if patience is not None else None
            )
            entry.attempts = max(entry.attempts, turn.number)
            output = _given(turn, call.retry)
        entry.finished += 1
        return output

    async def _really(
        self, call: NodeCall, label: str, real: "ActivityInboundInterceptor", given: ExecuteActivityInput
    ) -> Any:
        kind = NODE_TYPES.get(call.type)
        if kind is not None and kind.tier == "work" and call.type not in _ALWAYS_REAL:
            self.unmocked[label] = call.type
            raise ApplicationError(
                f"`{label}` is a {call.type}, which reaches outside: mock it", type=NOT_MOCKED, non_retryable=True
            )
        return await real.execute_activity(given)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """The part around activities."""
        return _Activities(next, self)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name
    ) -> type[WorkflowInboundInterceptor]:
        """The part inside workflows."""
        mocks = self

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(_Calls(outbound, mocks))

            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - the SDK's name
                mocks.see(workflow_info().workflow_id, input.args)
                return await super().execute_workflow(input)

        return Inbound

    def see(self, workflow: str, args: Any) -> None:
        """Note that a workflow is there, and where its nodes stand in the graph of the root."""
        if workflow in self.workflows:
            return
        raw = args[0] if args else None
        found: Any = from_json(raw.payload.data) if isinstance(raw, RawValue) and raw.payload.data else None
        request = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        parent = request.get("parent")
        self.workflows[workflow] = self.path(parent["run"], parent["node"]) if parent else ""


class _Activities(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, mocks: Mocks) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self._mocks = mocks

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        mocks, info = self._mocks, activity.info()
        key = (info.workflow_id or "", info.activity_id)
        mocks.resting.pop(key, None)
        call = input.args[0] if input.args else None
        failure: ApplicationError | None = None
        output: Any = None
        try:
            output = await (
                mocks.perform(call, self.next, input) if isinstance(call, NodeCall) else self._pass_on(input)
            )
        except ApplicationError as error:
            failure = self._delayed(error, call.retry) if isinstance(call, NodeCall) else error
        again = failure is not None and not failure.non_retryable and not _is_last(info)
        if mocks.between is not None and not info.is_local:
            await mocks.between(None if again else key)
        if failure is None:
            return output
        if again and not info.is_local and mocks.clock is not None:
            mocks.resting[key] = await mocks.clock.now() + (failure.next_retry_delay or timedelta())
        raise failure

    async def _pass_on(self, given: ExecuteActivityInput) -> Any:
        return await super().execute_activity(given)

    def _delayed(self, error: ApplicationError, retry: Retry) -> ApplicationError:
        """The error with the very delay that the next attempt has, so that the clock can be moved there."""
        if error.non_retryable:
            return error
        delay = error.next_retry_delay if isinstance(error, _ExactError) else None
        return ApplicationError(
            error.message,
            *error.details,
            type=error.type,
            next_retry_delay=delay or timedelta(seconds=delay_of(retry, activity.info().attempt)),
            category=error.category,
        )


def _is_last(info: activity.Info) -> bool:
    policy = info.retry_policy
    return policy is not None and 0 < policy.maximum_attempts <= info.attempt


class _ExactError(ApplicationError):
    """An error whose delay is the one to wait, whatever the retry policy says."""


class _Calls(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, mocks: Mocks) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self._mocks = mocks

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002 - the SDK's name
        input.retry_policy = self._policy(input.retry_policy, input.args)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:  # noqa: A002 - the SDK's name
        input.retry_policy = self._policy(input.retry_policy, input.args)
        # A longer wait is a timer of the server's, which it can skip; a shorter one would be slept for real.
        input.local_retry_threshold = timedelta(milliseconds=1)
        return super().start_local_activity(input)

    def _policy(self, policy: RetryPolicy | None, args: Any) -> RetryPolicy | None:
        """The policy with an attempt more for each that waits first."""
        raw = args[0] if args else None
        if policy is None or not policy.maximum_attempts or not isinstance(raw, RawValue):
            return policy
        call: dict[str, Any] = from_json(raw.payload.data)
        if "node" not in call:
            return policy
        found = self._mocks.attempts(self._mocks.path(workflow_info().workflow_id, call["node"]), call.get("visit", 1))
        if found is None:
            return policy
        waiting = sum(found[min(number, len(found) - 1)].after is not None for number in range(policy.maximum_attempts))
        return replace(policy, maximum_attempts=policy.maximum_attempts + waiting)


def _given(turn: Turn, retry: Retry) -> NodeOutput:
    """The output of a mock, or the error that the real activity would leave with."""
    attempt = turn.attempt
    if turn.waits is not None:
        raise _ExactError(
            "all attempts together took longer than the node's `total_timeout`",
            type=NodeTimeoutError.code,
            next_retry_delay=timedelta(seconds=turn.waits),
        )
    if (failure := attempt.error) is None:
        spent = attempt.cost_usd is not None or attempt.input_tokens or attempt.output_tokens
        usage = Usage(
            calls=1,
            input_tokens=attempt.input_tokens,
            output_tokens=attempt.output_tokens,
            cost_usd=None if attempt.cost_usd is None else float(attempt.cost_usd),
        )
        return NodeOutput(output=attempt.output or {}, usage=usage if spent else None)
    retryable = _CODES.get(failure.code, False) if failure.retryable is None else failure.retryable
    delay = failure.retry_after or delay_of(retry, turn.number)
    raise _ExactError(
        failure.message,
        failure.details,
        type=failure.code,
        non_retryable=not retryable,
        next_retry_delay=timedelta(seconds=delay) if retryable else None,
    )


def delay_of(retry: Retry, attempt: int) -> float:
    """Seconds between attempt number ``attempt`` and the next, without the jitter that spreads real load."""
    if retry.strategy == "fixed":
        delay = retry.initial_delay
    elif retry.strategy == "linear":
        delay = retry.initial_delay * attempt
    else:
        delay = retry.initial_delay * retry.multiplier ** min(attempt - 1, 64)
    return min(delay, retry.max_delay)
