"""Performs a ForEach, or an inline Subworkflow: opens its bodies, a few at a time, and gathers what they give."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from orchestrator.contracts import MAX_PAYLOAD_BYTES, visit_label
from orchestrator.graph.carried import packed
from orchestrator.graph.fan import Fan
from orchestrator.graph.happenings import BodyClosed, BodyEntered, BodyFailed, ItemsKnown
from orchestrator.graph.index import Node
from orchestrator.graph.inputs import filled_inputs
from orchestrator.graph.scope import Running, Scope
from orchestrator.workflow import ending, observe
from orchestrator.workflow.persisting import Skipped, persist
from orchestrator.workflow.run import Run
from orchestrator.workflow.tickets import NodeFailure, Ticket

if TYPE_CHECKING:
    from orchestrator.workflow.scopes import ScopeRunner

__all__ = ["Bodies"]

_MOST_RESULTS = MAX_PAYLOAD_BYTES // 2
"""Beyond these bytes they go to blob storage; so a call that reads them has room for something else."""


class Bodies:
    """The bodies of one visit.

    Args:
        outer: Runs the scope that the node stands in.
        node: The ForEach, or the Subworkflow.
        running: The visit.
        ticket: What the visit takes up.
        runner: Makes the runner of a body's scope.
    """

    def __init__(
        self, outer: "ScopeRunner", node: Node, running: Running, ticket: Ticket, runner: "type[ScopeRunner]"
    ) -> None:
        self._outer = outer
        self._run: Run = outer.run
        self._node = node
        self._running = running
        self._ticket = ticket
        self._runner = runner
        self._graph = outer.scope.graph.bodies[node.plan.body or ""]
        self._label = visit_label(node.plan.id, running.visit)
        collects = node.plan.config.value.get("on_item_error") == "collect"
        self._caught = outer.caught or collects or "error" in node.kinds
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: dict[int, tuple[asyncio.Task[None], Ticket]] = {}
        self._runners: dict[int, ScopeRunner] = {}

    @property
    def _fan(self) -> Fan:
        fan = self._running.fan
        assert fan is not None  # noqa: S101 - ``run`` makes one before anything asks
        return fan

    async def run(self) -> dict[str, Any]:
        """Run them all. Returns the node's output.

        Raises:
            NodeFailure: A body failed, and its error is not collected.
            OrchestratorError: The items could not be made.
        """
        if self._running.fan is None:
            self._running.fan = await self._begin()
        for index in (*self._fan.open, *self._fan.opening):
            self._launch(index)
        self.advance()
        self._ticket.rest()
        try:
            await self._over
        except (Exception, asyncio.CancelledError):
            self._stop()
            raise
        self._ticket.wake()
        return await self._kept_small(self._fan.output())

    def advance(self) -> None:
        """Open the bodies that may be opened now."""
        while not self._over.done() and self._run.admits(works=False):
            index = next(self._fan.due(), None)
            if index is None:
                break
            self._launch(index)
        waiting = self._fan.next < self._fan.count and len(self._tasks) < self._fan.concurrency
        self._run.want(self, more=waiting and not self._over.done())
        if self._fan.over and not self._over.done():
            self._over.set_result(None)

    async def _kept_small(self, output: dict[str, Any]) -> dict[str, Any]:
        """``output``, its results in blob storage where a call that reads them could not carry them."""
        if self._fan.items is None:
            return output  # each output of a body is small by itself
        data = to_json(output["results"])
        if len(data) <= _MOST_RESULTS:
            return output
        where = f"{self._outer.scope.path}{self._label}.results"
        return {**output, "results": await self._run.dispatcher.keep(packed(data), where)}

    async def _begin(self) -> Fan:
        scope, plan = self._outer.scope, self._node.plan
        if plan.type != "ForEach":
            return Fan.begin(plan, self._label, None)
        items = await self._run.visits.items(scope, plan, self._running)
        observe.happened(ItemsKnown(scope.path, plan.id, self._running.visit, items))
        return Fan.begin(plan, self._label, items)

    def _launch(self, index: int) -> None:
        ticket = Ticket(self._run, works=False)
        self._tasks[index] = (self._run.spawn(self._body(index, ticket)), ticket)

    def _stop(self) -> None:
        self._run.want(self, more=False)
        for runner in self._runners.values():
            runner.stop()
        for task, ticket in self._tasks.values():
            task.cancel()
            ticket.give_back()
        self._tasks.clear()
        for scope in self._fan.open.values():
            ending.leave(self._run, scope, self._node.plan.body)

    async def _body(self, index: int, ticket: Ticket) -> None:
        """One body, from its inputs to its outputs."""
        fan = self._fan
        try:
            outputs = await self._outputs(index, ticket)
            fan.close(index, outputs)
            observe.happened(BodyClosed(self._path(index), outputs))
        except Skipped:
            fan.close(index, None)
            observe.happened(BodyClosed(self._path(index), None))
        except NodeFailure as failure:
            if not fan.collects:
                if not self._over.done():
                    self._over.set_exception(failure)  # ``run`` stops the others
                return
            fan.give_up(index, failure.info.code, failure.info.message)
            observe.happened(BodyFailed(self._path(index), failure.info.code, failure.info.message))
        self._tasks.pop(index)[1].give_back()
        self._runners.pop(index, None)
        self.advance()

    async def _outputs(self, index: int, ticket: Ticket) -> dict[str, Any]:
        where = self._path(index).removesuffix(".")
        run, parks = self._run, not self._caught and self._node.plan.on_failure == "park"
        scope = self._fan.open.get(index)
        if scope is None:
            inputs = await persist(
                run, ticket, where, self._outer.scope, lambda: self._inputs(index, where), parks=parks
            )
            scope = self._outer.scope.open(self._fan, index, self._graph, inputs)
            observe.happened(BodyEntered(scope.path, inputs))
        runner = self._runner(run, scope, body=self._node.plan.body, caught=self._caught)
        self._runners[index] = runner
        runner.begin()
        ticket.rest()
        try:
            await runner.over
        except NodeFailure as failure:
            ticket.wake()
            await ending.close(run, scope, "failed", failure.info)
            raise
        ticket.wake()
        await ending.close(run, scope, "completed", None)
        return await persist(run, ticket, where, scope, lambda: self._made(scope), parks=parks)

    def _path(self, index: int) -> str:
        return self._fan.path(self._outer.scope.path, index)

    async def _made(self, scope: Scope) -> dict[str, Any]:
        return await self._run.visits.outputs(self._graph.plan, scope.data.roots(), scope.path)

    async def _inputs(self, index: int, where: str) -> dict[str, Any]:
        roots: Mapping[str, Any] = {**self._outer.scope.data.roots(), **self._fan.about(index)}
        given: dict[str, Any] = await self._run.visits.value(roots, self._node.plan.inputs, f"{where}.inputs")
        return filled_inputs(self._graph.plan.inputs, given, self._graph.plan.name)
