"""What a real run has from outside, read from its history: what its activities gave, what people said, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.converter import DataConverter

from orchestrator.contracts import (
    ErrorInfo,
    Message,
    NodeCall,
    NodeOutput,
    ResolveReply,
    ResolveRequest,
    ResumeRequest,
    SubmitReply,
    visit_label,
)
from orchestrator.testkit.writing import Happened, Pause, RecordedVisit, Stop
from orchestrator.trace import histories
from orchestrator.workflow.dispatch import error_info

__all__ = ["Tale", "tale_of"]

_T = EventType
_ENDS: Mapping[int, str] = {
    _T.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    _T.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    _T.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    _T.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}


@dataclass(slots=True)
class Tale:
    """What came to one run, in order; times are seconds since 1970.

    Attributes:
        began: When its first workflow run began.
        results: By the label of a visit, what each of its tries ended with: more than one only after a ``resolve``.
        said: What people sent, and when; of ``resolve`` also the visits that it was for.
        children: Ids of the runs that it started, and the visits that did.
    """

    began: float = 0.0
    results: dict[str, list[RecordedVisit]] = field(default_factory=dict[str, list[RecordedVisit]])
    said: list[tuple[float, Happened, tuple[str, ...]]] = field(
        default_factory=list[tuple[float, Happened, tuple[str, ...]]]
    )
    children: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


async def tale_of(client: Client, run_id: str) -> Tale:
    """What came to a run so far.

    Raises:
        RunNotFoundError: There is no such run.
        RequestError: It is no run of ours.
    """
    found = [history async for history in histories(client, run_id)]
    reader = _Reader(client.data_converter)
    for history in reversed(found):
        for event in history.events:
            await reader.take(event)
    reader.leave_open()
    reader.tale.began = _seconds(found[-1].events[0].event_time)
    return reader.tale


class _Reader:
    def __init__(self, converter: DataConverter) -> None:
        self.tale = Tale()
        self._converter = converter
        self._calls: dict[int, tuple[str, float]] = {}
        """Label and beginning of the activities under way, by the number of the event that scheduled them."""
        self._updates: dict[int, tuple[float, str, Any]] = {}
        self._now = 0.0

    async def take(self, event: HistoryEvent) -> None:
        """Take one event."""
        self._now = _seconds(event.event_time)
        match event.event_type:
            case _T.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                await self._begin(event)
            case kind if kind in _ENDS:
                await self._end(event, getattr(event, _ENDS[kind]))
            case _T.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signal = event.workflow_execution_signaled_event_attributes
                self._signalled(signal.signal_name, await self._first(signal.input))
            case _T.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
                self.tale.said.append((self._now, Stop(), ()))
            case _T.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                asked = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
                self._updates[event.event_id] = (self._now, asked.name, await self._first(asked.args))
            case _T.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
                await self._updated(event)
            case _T.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                child = event.start_child_workflow_execution_initiated_event_attributes
                request: Any = await self._first(child.input)
                self.tale.children.append((child.workflow_id, request["parent"]["node"]))
            case _:
                pass

    def leave_open(self) -> None:
        """The activities that never ended: they take longer than anybody waited."""
        for label, began in self._calls.values():
            self._keep(label, RecordedVisit(label, output={}, after=self._now - began, cut=True))

    async def _begin(self, event: HistoryEvent) -> None:
        call = _read(NodeCall, await self._first(event.activity_task_scheduled_event_attributes.input))
        if call is not None:
            self._calls[event.event_id] = (visit_label(call.node, call.visit), self._now)

    async def _end(self, event: HistoryEvent, about: Any) -> None:
        label, began = self._calls.pop(about.scheduled_event_id, ("", 0.0))
        if not label:
            return
        after = self._now - began
        if event.event_type == _T.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
            self._keep(label, RecordedVisit(label, output={}, after=after, cut=True))
        elif event.event_type == _T.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            given = NodeOutput.model_validate(await self._first(about.result))
            self._keep(label, RecordedVisit(label, output=given.output, usage=given.usage, after=after))
        else:
            self._keep(label, RecordedVisit(label, error=await self._failure(about.failure), after=after))

    def _keep(self, label: str, visit: RecordedVisit) -> None:
        self.tale.results.setdefault(label, []).append(visit)

    async def _failure(self, failure: Failure) -> ErrorInfo:
        return error_info(await self._converter.decode_failure(failure), "")

    def _signalled(self, name: str, body: Any) -> None:
        happened: Happened | None = None
        match name:
            case "message":
                happened = _read(Message, body)
            case "pause":
                happened = Pause()
            case "resume":
                happened = ResumeRequest() if body is None else _read(ResumeRequest, body)
            case _:
                pass
        if happened is not None:  # what had the wrong shape changed nothing
            self.tale.said.append((self._now, happened, ()))

    async def _updated(self, event: HistoryEvent) -> None:
        about = event.workflow_execution_update_completed_event_attributes
        at, name, body = self._updates.pop(about.accepted_event_id, (0.0, "", None))
        if not about.outcome.HasField("success"):
            return  # what was refused changed nothing
        answer = await self._first(about.outcome.success)
        if name == "submit" and (message := _read(Message, body)) is not None:
            reply = SubmitReply.model_validate(answer)
            self.tale.said.append((at, message.model_copy(update={"node": message.node or reply.node}), ()))
        elif name == "resolve" and (request := _read(ResolveRequest, body)) is not None:
            resolved = ResolveReply.model_validate(answer).resolved
            self.tale.said.append((at, request, resolved))

    async def _first(self, payloads: Payloads) -> Any:
        found: Sequence[Any] = await self._converter.decode(payloads.payloads) if payloads.payloads else [None]
        return found[0]


def _read(model: type[BaseModel], body: Any) -> Any:
    """``body`` as a ``model``; none where it is none."""
    if not isinstance(body, dict) or (model is NodeCall and "config" not in cast("dict[str, Any]", body)):
        return None
    try:
        return model.model_validate(body)
    except ValidationError:
        return None


def _seconds(stamp: Timestamp) -> float:
    return stamp.seconds + stamp.nanos / 1e9
