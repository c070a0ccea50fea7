"""A run's own limits: they can only be tighter than the definition's."""

from typing import TypeVar

from orchestrator.contracts import LimitsRequest
from orchestrator.definition.model import LimitsModel
from orchestrator.errors import RequestError
from orchestrator.graph.durations import parse_duration
from orchestrator.graph.plan import Limits

__all__ = ["tighten"]

_Number = TypeVar("_Number", int, float)


def tighten(limits: LimitsModel | Limits, request: LimitsRequest) -> Limits:
    """The smaller of each limit; ``timeout`` in seconds.

    Raises:
        RequestError: The requested timeout is not a duration.
    """
    try:
        timeout = None if request.timeout is None else parse_duration(request.timeout)
    except ValueError as error:
        raise RequestError(f"limits.timeout {error}") from error
    return Limits(
        steps=_smaller(limits.steps, request.steps) or limits.steps,
        timeout=_smaller(limits.timeout, timeout),
        max_parallel=_smaller(limits.max_parallel, request.max_parallel) or limits.max_parallel,
        cost_usd=_smaller(limits.cost_usd, request.cost_usd),
    )


def _smaller(one: _Number | None, other: _Number | None) -> _Number | None:
    known = [value for value in (one, other) if value is not None]
    return min(known) if known else None
