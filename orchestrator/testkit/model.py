"""What a file of cases may hold, as data."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, model_validator

from orchestrator.contracts import Decision, LimitsRequest, Message, ResolveRequest, RunContext, RunStatus
from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions.parser import parse
from orchestrator.graph.plan import Path
from orchestrator.node_types.base import Duration

__all__ = ["ENDED", "Attempt", "Case", "CaseFile", "Expect", "Failure", "FailureOfRun", "Resolution", "Step"]

ENDED: Final = frozenset({"completed", "failed", "cancelled", "timed_out"})
"""The statuses of a run that is over."""
_CODE: Final = r"^[A-Z][A-Z0-9_]{0,99}$"
_Label = Annotated[StrictStr, Field(min_length=1, max_length=1_000)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _readable(text: Any) -> Any:
    if isinstance(text, str):
        try:
            parse(text)
        except ExpressionError as error:
            raise ValueError(f"is not an expression: {error.message}") from error
    return text


Check = Annotated[StrictStr, BeforeValidator(_readable)]
"""A CEL expression over ``status``, ``outputs``, ``state``, ``path``, ``cost_usd`` and ``error``."""


class Failure(_Model):
    """The error that a mock raises, as the real activity would."""

    code: Annotated[StrictStr, Field(pattern=_CODE)]
    message: StrictStr = "a mock said so"
    retryable: bool | None = None
    """Whether it is tried again; left out, as usual for the code."""
    retry_after: Duration | None = None
    """How long the other side asked to wait before the next attempt."""
    details: dict[str, Any] = Field(default={})


class Attempt(_Model):
    """What one attempt of a mocked node gives: ``output`` or ``error``. ``after`` is how long it takes, virtually."""

    output: dict[str, Any] | None = None
    error: Failure | None = None
    after: Duration | None = None
    cost_usd: StrictFloat | StrictInt | None = Field(default=None, ge=0)
    input_tokens: StrictInt = Field(default=0, ge=0)
    output_tokens: StrictInt = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.output is None) == (self.error is None):
            raise ValueError("needs either `output` or `error`")
        return self


class Resolution(_Model):
    """What becomes of a parked node: a ``ResolveRequest`` without its node."""

    action: Literal["retry", "override", "skip", "fail"]
    config: dict[str, Any] = Field(default={})
    inputs: dict[str, Any] = Field(default={})
    cost_usd: float | None = Field(default=None, ge=0)
    output: dict[str, Any] | None = None
    by: StrictStr | None = None
    comment: StrictStr | None = None


class Step(_Model):
    """Something that happens to the run: an answer, a signal, a resolution, or its cancellation.

    ``at`` is virtual time since the start; left out, an answer goes as soon as its question waits, a resolution as soon
    as its node is parked, and anything else right after the step before it.
    """

    at: Duration | None = None
    node: _Label | None = None
    text: StrictStr | None = None
    values: Any = None
    decision: Decision | None = None
    comment: StrictStr | None = None
    by: StrictStr | None = None
    until: StrictStr | None = None
    message_id: StrictStr | None = None
    signal: Literal["pause", "resume"] | None = None
    variables: dict[str, Any] = Field(default={})
    resolve: Resolution | None = None
    cancel: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        answer = self.text is not None or self.values is not None or self.decision is not None
        kinds = answer + (self.signal is not None) + (self.resolve is not None) + (self.cancel is not None)
        if kinds != 1:
            raise ValueError(
                "must be one thing: an answer (`text`, `values` or `decision`), a `signal`, a `resolve`, or `cancel`"
            )
        if self.variables and self.signal != "resume":
            raise ValueError("has `variables`, which belong to `signal: resume`")
        return self

    @property
    def is_answer(self) -> bool:
        """Whether it answers a question."""
        return self.signal is None and self.resolve is None and self.cancel is None

    def message(self, node: str | None) -> Message:
        """The answer, to the question that ``node`` asks."""
        return Message(
            text=self.text,
            values=self.values,
            decision=self.decision,
            comment=self.comment,
            by=self.by,
            until=self.until,
            message_id=self.message_id,
            node=node,
        )

    def resolution(self, node: str | None) -> ResolveRequest:
        """The request about the parked ``node``; only of a step that has one."""
        assert self.resolve is not None  # noqa: S101 - the caller looked
        return ResolveRequest(node=node, **self.resolve.model_dump())


class FailureOfRun(_Model):
    """What is expected of the run's error; what is left out may be anything."""

    code: StrictStr | None = None
    node: StrictStr | None = None
    message: StrictStr | None = None
    """Text that the message has in it."""


class Expect(_Model):
    """What must be true of the run in the end; what is left out may be anything, ``status`` excepted."""

    status: RunStatus = "completed"
    path: list[_Label] | None = None
    """The visits that finished well, in any order."""
    path_in_order: list[_Label] | None = None
    """The same, in this order."""
    skipped: list[_Label] | None = None
    outputs: dict[str, Any] = Field(default={})
    state: dict[str, Any] = Field(default={})
    cost_usd: StrictFloat | StrictInt | None = None
    error: FailureOfRun | None = None
    awaiting: list[_Label] | None = None
    """The visits whose questions wait."""
    parked: list[_Label] | None = None
    undone: list[_Label] | None = None
    """The visits that were compensated, in this order."""
    rejected: StrictInt | None = Field(default=None, ge=0)
    """How many messages could not be used."""
    attempts: dict[_Label, StrictInt] = Field(default={})
    """Visit to how often it was tried."""
    check: list[Check] = Field(default=[])


class Case(_Model):
    """One run: what it is given, what happens to it, and what must come of it."""

    name: Annotated[StrictStr, Field(min_length=1, max_length=200)]
    inputs: dict[str, Any] = Field(default={})
    context: RunContext = RunContext()
    limits: LimitsRequest = LimitsRequest()
    mocks: dict[_Label, Attempt | Annotated[list[Attempt], Field(min_length=1)]] = Field(default={})
    """Visit, or node, to what it gives instead of being performed; a list has one entry for each attempt."""
    messages: list[Step] = Field(default=[])
    until: Duration | None = None
    """Virtual time at which the case ends, where the run has not ended before."""
    expect: Expect = Expect()

    def attempts(self, label: str) -> list[Attempt]:
        """The attempts of a mock."""
        found = self.mocks[label]
        return found if isinstance(found, list) else [found]


class CaseFile(_Model):
    """A file of cases for one definition."""

    definition: StrictStr | None = None
    """Name, ``name@version``, or a path from this file; left out, NAME.cases.yaml is about NAME.yaml beside it."""
    cases: Annotated[list[Case], Field(min_length=1)]


AT: Final[dict[Path, type[BaseModel]]] = {
    (): CaseFile,
    ("cases", 0): Case,
    ("cases", 0, "context"): RunContext,
    ("cases", 0, "limits"): LimitsRequest,
    ("cases", 0, "mocks", ""): Attempt,
    ("cases", 0, "mocks", "", 0): Attempt,
    ("cases", 0, "mocks", "", "error"): Failure,
    ("cases", 0, "mocks", "", 0, "error"): Failure,
    ("cases", 0, "messages", 0): Step,
    ("cases", 0, "messages", 0, "resolve"): Resolution,
    ("cases", 0, "expect"): Expect,
    ("cases", 0, "expect", "error"): FailureOfRun,
}
"""Which model describes which place; a number stands for any number, an empty text for any text."""
