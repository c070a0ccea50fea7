"""What is known of one call of a model while it is made, and what the archive says of it afterwards."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, cast

from activities.archive.naming import Visit
from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, ToolCall, Turn
from activities.spending import Bill
from orchestrator.contracts import Account
from orchestrator.errors import OrchestratorError
from orchestrator.models import SIMULATED, ModelInfo

__all__ = ["FORM", "Entry", "document"]

FORM: Final = 1
"""Of a document; it grows when a field changes its meaning or goes, not when one is added."""
_OF_A_NUMBER: Final = 8
"""Characters that what is no text counts for."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """One call of a model. Whoever makes it says when it is ``asked``, what it ``wrote``, and what was ``answered``."""

    model: ModelInfo
    provider: str
    request: ChatRequest | EmbedRequest
    streamed: bool = False
    kept: bool = True
    """Whether anybody wants to know: else no text is remembered."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    bill: Bill | None = None
    number: int = 0
    written: str = ""
    """What a stream had written that broke."""
    reply: ChatReply | EmbedReply | None = None
    """What came back; of vectors, without their numbers."""
    vectors: tuple[int, int] = (0, 0)
    """How many came back, and how long they are."""
    error: BaseException | None = None
    seconds: float = 0.0
    _began: float = 0.0
    _pieces: list[str] = field(default_factory=list[str])

    def asked(self, bill: Bill, number: int) -> None:
        """The model is asked from now on; ``bill`` will have the cost, ``number`` counts the calls of the attempt."""
        self.at, self._began = datetime.now(UTC), time.monotonic()
        self.bill, self.number = bill, number

    def wrote(self, text: str) -> None:
        """A stream has gone on; what it wrote is remembered until it is known as a whole."""
        if self.kept:
            self._pieces.append(text)

    def answered(self, reply: ChatReply | EmbedReply) -> None:
        """The model has answered."""
        if isinstance(reply, EmbedReply):
            self.vectors = len(reply.vectors), len(reply.vectors[0]) if reply.vectors else 0
            reply = replace(reply, vectors=())
        self.reply = reply
        self.ended()

    def ended(self) -> None:
        """Nothing more comes."""
        if not self.seconds:
            self.seconds = round(time.monotonic() - self._began, 6)
        if self.reply is None:
            self.written += "".join(self._pieces)
        self._pieces.clear()

    @property
    def weight(self) -> int:
        """Characters that it takes, about."""
        return _weight([_request(self.request), _answer(self)])


def _weight(value: Any) -> int:
    """Characters of all texts in it, keys included; of all else, about what it takes."""
    found, left = 0, [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            found += len(item)
        elif isinstance(item, Mapping):
            left += [*cast("Mapping[Any, Any]", item).keys(), *cast("Mapping[Any, Any]", item).values()]
        elif isinstance(item, (list, tuple)):
            left += cast("Sequence[Any]", item)
        else:
            found += _OF_A_NUMBER
    return found


def document(entry: Entry, visit: Visit, account: Account | None, first_run_id: str) -> dict[str, Any]:
    """The call as JSON, with every text as it was: nothing is masked yet."""
    reply, bill = entry.reply, entry.bill
    return {
        "form": FORM,
        "at": entry.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "seconds": entry.seconds,
        "run": {
            "workflow_id": visit.workflow_id,
            "first_run_id": first_run_id,
            "run_id": visit.run_id,
            "definition": None if account is None else account.definition,
            "tenant": visit.tenant,
            "user": None if account is None else account.user,
            "conversation": None if account is None else account.conversation,
        },
        "visit": {
            "node": visit.node,
            "visit": visit.visit,
            "try": visit.try_,
            "attempt": visit.attempt,
            "call": visit.call,
        },
        "kind": "embed" if isinstance(entry.request, EmbedRequest) else "chat",
        "streamed": entry.streamed,
        "model": entry.model.name,
        "provider": entry.provider,
        "answered_by": None if reply is None else reply.model,
        "simulated": entry.provider == SIMULATED if reply is None else reply.simulated,
        "request": _request(entry.request),
        "answer": _answer(entry),
        "error": None if entry.error is None else _error(entry.error),
        "usage": {
            "input_tokens": None if reply is None else reply.input_tokens,
            "output_tokens": reply.output_tokens if isinstance(reply, ChatReply) else None,
        },
        "cost_usd": None if bill is None else bill.cost_usd,
    }


def _request(request: ChatRequest | EmbedRequest) -> dict[str, Any]:
    if isinstance(request, EmbedRequest):
        return {"model": request.model, "texts": list(request.texts), "dimensions": request.dimensions}
    return {
        "model": request.model,
        "turns": [_turn(turn) for turn in request.turns],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "schema": request.schema,
        "tools": [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in request.tools
        ],
    }


def _turn(turn: Turn) -> dict[str, Any]:
    more = {"tool_call_id": turn.tool_call_id} if turn.tool_call_id is not None else {}
    calls = {"tool_calls": [_call(call) for call in turn.tool_calls]} if turn.tool_calls else {}
    return {"role": turn.role, "content": turn.content, **calls, **more}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def _answer(entry: Entry) -> dict[str, Any] | None:
    reply = entry.reply
    if isinstance(reply, EmbedReply):
        count, dimensions = entry.vectors
        return {"vectors": count, "dimensions": dimensions}
    if reply is not None:
        calls = [_call(call) for call in reply.tool_calls]
        return {"text": reply.text, "tool_calls": calls, "finish_reason": reply.finish_reason}
    if entry.written:
        return {"text": entry.written, "tool_calls": [], "finish_reason": None}
    return None


def _error(error: BaseException) -> dict[str, Any]:
    if isinstance(error, OrchestratorError):
        return {"code": error.code, "message": error.message, "retryable": error.retryable}
    if isinstance(error, asyncio.CancelledError):
        return {"code": "CANCELLED", "message": "the node was cancelled, or its worker stopped", "retryable": True}
    # What an unforeseen error says may quote anything, so only its kind is told.
    return {"code": OrchestratorError.code, "message": f"an unexpected {type(error).__name__}", "retryable": True}
