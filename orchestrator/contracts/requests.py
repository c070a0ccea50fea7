"""What people send. A typo is an error: unknown fields are refused."""

import json
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from orchestrator.contracts.base import Sent

__all__ = [
    "Decision",
    "ForkRequest",
    "LimitsRequest",
    "Message",
    "MigrateRequest",
    "ParentRun",
    "ProgressRequest",
    "ResolveRequest",
    "ResumeRequest",
    "RunContext",
    "RunRequest",
]

Decision = Literal["approve", "reject", "modify", "defer"]


def _checked_label(text: str) -> str:
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise ValueError("must not have control characters or line breaks")
    if len(json.dumps(text)) > _MOST_LABEL_BYTES:
        raise ValueError(f"must take at most {_MOST_LABEL_BYTES:,} bytes as JSON in ASCII")
    return text


# A search attribute has room for 2,048 bytes; a run whose tenant takes more would be terminated.
_MOST_LABEL_BYTES = 1_000
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_Label = Annotated[str, Field(max_length=200), AfterValidator(_checked_label)]


class RunContext(Sent):
    """Who a run is for. None of it changes what the graph does unless the definition refers to it."""

    tenant: _Label | None = None
    user: _Label | None = None
    owners: tuple[_Label, ...] = Field(default=(), max_length=100)
    conversation_id: _Label | None = None
    correlation_id: _Label | None = None
    tags: dict[_Label, _Label] = Field(default={}, max_length=100)


class LimitsRequest(Sent):
    """Limits for this run; each can only be tighter than the definition's.

    ``timeout`` is ``"90s"``, ``"2h"``, ``"7d"``, or a number of seconds.
    """

    steps: int | None = Field(default=None, ge=1)
    timeout: str | float | None = None
    max_parallel: int | None = Field(default=None, ge=1)
    cost_usd: float | None = Field(default=None, ge=0, le=1_000_000_000, allow_inf_nan=False)


class ForkRequest(Sent):
    """Takes over what another run has finished.

    ``run`` is the id of that run, ``at`` the first visit that is not taken over: ``answer``, ``ask#2``,
    ``items[3].answer``. ``set`` changes what is taken over: ``inputs.topic``, ``state.facts``, ``nodes.search.text``.
    """

    run: str = Field(min_length=1, max_length=1_000)
    at: str = Field(min_length=1, max_length=1_000)
    set: dict[str, Any] = Field(default={})
    own_definition: bool = True
    """Goes on with the plan that the other run is pinned to; else with the request's ``definition``."""


class ParentRun(Sent):
    """Written by a Subworkflow of ``mode: child``: whose child the run is."""

    run: str
    node: str
    depth: int = Field(default=1, ge=1)
    purse: str = Field(default="", max_length=100)
    """The first run id of the run that started them all: they spend its money together."""


class RunRequest(Sent):
    """Starts a run: the input of ``GraphWorkflow``.

    ``definition`` is a whole definition, or ``"name"`` or ``"name@version"`` of one the worker can find.
    """

    definition: dict[str, Any] | str
    inputs: dict[str, Any] = Field(default={})
    context: RunContext = RunContext()
    limits: LimitsRequest = LimitsRequest()
    fork: ForkRequest | None = None
    parent: ParentRun | None = None
    moves: bool = False
    """Written by a run that moves to another definition: inputs that this one does not declare are left behind."""


class ProgressRequest(Sent):
    """Asks for events with ``seq`` above ``after``, at most ``limit``."""

    after: int = Field(default=0, ge=0)
    limit: int = Field(default=200, ge=1, le=1000)


class Message(Sent):
    """An answer from a person or a system: ``text``, ``values``, or both; to an approval, a ``decision``.

    ``message_id`` makes it count once; ``node`` says which question it answers (else the oldest waiting one), inside an
    item by its path: ``items[3].ask``. ``by`` is who answers. ``until`` says when a deferred decision is due: a date,
    or a duration such as ``2h``.
    """

    text: str | None = Field(default=None, max_length=100_000)
    values: Any = None
    message_id: str | None = Field(default=None, min_length=1, max_length=200)
    node: str | None = Field(default=None, max_length=1_000)
    decision: Decision | None = None
    comment: str | None = Field(default=None, max_length=10_000)
    by: str | None = Field(default=None, min_length=1, max_length=200)
    until: str | None = Field(default=None, max_length=100)


class ResolveRequest(Sent):
    """Says what becomes of a parked node; without ``node``, of every one.

    ``retry`` tries again, with the top-level fields of ``config`` changed for this visit, ``inputs`` changed for the
    rest of its graph, and ``cost_usd``, in dollars, in place of the run's own cap from now on; ``override`` takes
    ``output`` for its output; ``skip`` goes on as if no way led to it; ``fail`` fails it.
    """

    action: Literal["retry", "override", "skip", "fail"]
    node: str | None = Field(default=None, min_length=1, max_length=1_000)
    config: dict[str, Any] = Field(default={})
    inputs: dict[str, Any] = Field(default={})
    cost_usd: float | None = Field(default=None, ge=0, le=1_000_000_000, allow_inf_nan=False)
    output: dict[str, Any] | None = None
    by: str | None = Field(default=None, min_length=1, max_length=200)
    comment: str | None = Field(default=None, max_length=10_000)


class ResumeRequest(Sent):
    """Ends a pause. ``variables`` replace the values of channels of shared state."""

    variables: dict[str, Any] = Field(default={})


class MigrateRequest(Sent):
    """Moves a run to another definition: ``"name@version"``, or a whole one."""

    definition: dict[str, Any] | str
