"""Nodes that failed for good and wait for somebody to say what becomes of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temporalio import workflow

from orchestrator.contracts import ErrorInfo, Parked, ResolveRequest, visit_label
from orchestrator.errors import NotParkedError, RequestError
from orchestrator.graph.durations import iso
from orchestrator.graph.happenings import InputsChanged
from orchestrator.graph.scope import Scope
from orchestrator.workflow import observe
from orchestrator.workflow.journal import MOST_SHOWN, Journal

__all__ = ["Parking"]


@dataclass(frozen=True, slots=True)
class _Waiting:
    parked: Parked
    scope: Scope
    answer: asyncio.Future[ResolveRequest]


class Parking:
    """The parked nodes of one run, oldest first.

    Args:
        journal: Where events go.
        changed: Called when one has parked or left.
    """

    def __init__(self, journal: Journal, changed: Callable[[], None]) -> None:
        self._journal = journal
        self._changed = changed
        self._waiting: dict[str, _Waiting] = {}

    @property
    def parked(self) -> tuple[Parked, ...]:
        """What is parked, oldest first."""
        return tuple(waiting.parked for waiting in self._waiting.values())

    async def park(self, info: ErrorInfo, tries: int, kept: dict[str, Any], scope: Scope) -> ResolveRequest:
        """Wait until somebody resolves a node that failed.

        Args:
            info: Why it failed; names its path and visit.
            tries: How often it was tried.
            kept: What the visit remembers; holds that it is parked for as long as it is.
            scope: The scope whose inputs the answer may change.

        Returns:
            What somebody decided; the inputs are changed already.
        """
        again = kept.get("parked")
        parked = Parked(
            node=info.node or "",
            visit=info.visit or 1,
            tries=tries,
            error=info,
            since=again["since"] if again else iso(workflow.time()),
        )
        kept["parked"] = parked.model_dump(mode="json")
        if not again:
            about = {"code": info.code, "message": info.message[:MOST_SHOWN]}
            self._journal.add("PARKED", info.node, info.visit, **about)
        future: asyncio.Future[ResolveRequest] = asyncio.get_running_loop().create_future()
        key = visit_label(info.node, info.visit)
        self._waiting[key] = _Waiting(parked, scope, future)
        self._changed()
        try:
            answer = await future
        except (Exception, asyncio.CancelledError):
            self._waiting.pop(key, None)
            raise
        del kept["parked"]
        if answer.inputs:
            scope.change_inputs(answer.inputs)
            observe.happened(InputsChanged(scope.path, scope.data.inputs))
        self._changed()
        return answer

    def check(self, request: ResolveRequest) -> list[str]:
        """The visits that a request is for; changes nothing.

        Raises:
            NotParkedError: None is parked, or not the one it names.
            OrchestratorError: It cannot be carried out.
        """
        if request.action == "override" and request.output is None:
            raise RequestError("`override` needs an `output`: the object that is to be the node's output")
        if request.action != "retry" and (request.config or request.inputs or request.cost_usd is not None):
            raise RequestError(
                f"`config`, `inputs` and `cost_usd` belong to the action `retry`, not to `{request.action}`"
            )
        names = (request.node, (request.node or "").removesuffix("#1"))
        found = [
            key
            for key, waiting in self._waiting.items()
            if request.node is None or key in names or waiting.parked.node in names
        ]
        for key in found:
            self._waiting[key].scope.changed_inputs(request.inputs)
        if found:
            return found
        parked = ", ".join(f"`{key}`" for key in self._waiting)
        if request.node is None:
            raise NotParkedError("nothing is parked")
        raise NotParkedError(f"`{request.node}` is not parked" + (f"; these are: {parked}" if parked else ""))

    def resolve(self, request: ResolveRequest) -> list[str]:
        """Say what becomes of parked visits. Returns them.

        Raises:
            OrchestratorError: As ``check``.
        """
        found = self.check(request)
        for key in found:
            waiting = self._waiting.pop(key)
            parked = waiting.parked
            about: dict[str, Any] = {"action": request.action, "by": request.by, "comment": request.comment}
            if request.cost_usd is not None:
                about["cost_usd"] = request.cost_usd
            self._journal.add("RESOLVED", parked.node, parked.visit, **about)
            waiting.answer.set_result(request)
        return found
