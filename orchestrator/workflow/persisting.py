"""Makes what belongs to no node: the inputs and outputs of a scope. What fails parks, and is tried again."""

from collections.abc import Awaitable, Callable
from typing import Any

from orchestrator.contracts import ErrorInfo
from orchestrator.graph.scope import Scope
from orchestrator.workflow import dispatch
from orchestrator.workflow.run import Run
from orchestrator.workflow.tickets import NodeFailure, Ticket

__all__ = ["Skipped", "persist"]


class Skipped(Exception):  # noqa: N818 - somebody's decision, not an error
    """Somebody gave it up."""


async def persist(
    run: Run,
    ticket: Ticket,
    where: str,
    scope: Scope,
    attempt: Callable[[], Awaitable[dict[str, Any]]],
    *,
    parks: bool,
) -> dict[str, Any]:
    """Do ``attempt`` until it succeeds or somebody decides otherwise.

    Args:
        run: The run.
        ticket: Rests while parked.
        where: The path under which it parks: ``outputs``, ``items[3]``.
        scope: The scope whose inputs a ``resolve`` may change.
        attempt: Makes it.
        parks: Whether it parks at all; else it fails at once.

    Raises:
        NodeFailure: It failed for good.
        Skipped: Somebody gave it up.
    """
    kept = scope.kept.setdefault(where, {})
    tries: int = kept.get("tries", 1)
    while True:
        if "parked" in kept:
            info = ErrorInfo.model_validate(kept["parked"]["error"])
        else:
            made = await _attempted(attempt, where)
            if not isinstance(made, ErrorInfo):
                del scope.kept[where]
                return made
            info = made
            run.failed(info, tries)
        if not parks:
            raise NodeFailure(info)
        ticket.rest()
        answer = await run.parking.park(info, tries, kept, scope)
        ticket.wake()
        match answer.action:
            case "retry":
                kept["tries"] = tries = tries + 1
            case "override":
                return answer.output or {}
            case "skip":
                raise Skipped
            case _:
                raise NodeFailure(info)


async def _attempted(attempt: Callable[[], Awaitable[dict[str, Any]]], where: str) -> dict[str, Any] | ErrorInfo:
    try:
        return await attempt()
    except Exception as error:  # noqa: BLE001 - whatever it is, it has one way to go
        return dispatch.error_info(error, where, 1)
