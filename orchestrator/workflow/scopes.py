"""Runs one scope: asks the pure core what may start, starts it, and tells the core how it ended.

What fails goes one way (``_failed``): to the node's own ``on_error``, or up to a scope that takes care of it, or it
parks, or it ends the run.
"""

import asyncio
from typing import Any

from temporalio import workflow

from orchestrator.contracts import ErrorInfo, ResolveRequest, visit_label
from orchestrator.errors import LimitError, OrchestratorError
from orchestrator.graph.happenings import VisitCancelled, VisitEnded, VisitFailed, VisitSkipped
from orchestrator.graph.index import Node
from orchestrator.graph.marking import NodeStatus
from orchestrator.graph.plan import EdgeKind
from orchestrator.graph.scheduler import Effects
from orchestrator.graph.scope import Running, Scope
from orchestrator.graph.values import pick
from orchestrator.workflow import children, dispatch, observe, waiting
from orchestrator.workflow.bodies import Bodies
from orchestrator.workflow.run import Run
from orchestrator.workflow.tickets import Aside, NodeFailure, Ticket

__all__ = ["ScopeRunner"]


class ScopeRunner:
    """Runs a scope to its end.

    Args:
        run: The run.
        scope: The scope.
        body: Key of its plan among the bodies; none for the root.
        caught: Somebody around the scope takes care of what fails in it.
    """

    def __init__(self, run: Run, scope: Scope, *, body: str | None = None, caught: bool = False) -> None:
        self.run = run
        self.scope = scope
        self.body = body
        self.caught = caught
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Resolves when nothing runs and nothing can start; raises ``NodeFailure`` when the scope has failed."""
        self._tasks: dict[int, tuple[asyncio.Task[None], Ticket]] = {}

    def begin(self) -> None:
        """Begin, or go on where the scope stood in an earlier workflow run."""
        if self.scope.begun:
            for number, running in list(self.scope.running.items()):
                kept = running.kept.get("parked")
                failed = None if kept is None else ErrorInfo.model_validate(kept["error"])
                self._launch(self.scope.graph.nodes[number], running, failed)
        else:
            self._apply(self.scope.begin())
        self.advance()

    def stop(self) -> None:
        """Cancel what is under way."""
        self.run.want(self, more=False)
        for number in list(self._tasks):
            self._cancel(number)

    def advance(self) -> None:
        """Start everything that may start now."""
        scope, run = self.scope, self.run
        started = True
        while started and not self.over.done():
            started = False
            for number in tuple(scope.marking.ready):
                if run.stands or (run.working >= run.limits.max_parallel and not scope.graph.has_control_nodes):
                    break
                if self._may_start(number):
                    self._start(scope.graph.nodes[number])
                    started = True
        more = bool(scope.marking.ready) and not self.over.done()
        run.want(self, more=more, lacks_slot=more and self._lacks_only_slots())
        if scope.over and not self.over.done():
            self._finish()
        run.changed()

    def fail(self, failure: NodeFailure) -> None:
        """End the scope with a failure."""
        if not self.over.done():
            self.stop()
            self.over.set_exception(failure)

    def _may_start(self, number: int) -> bool:
        if self.over.done() or self.scope.marking.node[number] != NodeStatus.READY:
            return False
        return self.run.admits(works=self.scope.graph.nodes[number].plan.tier != "control")

    def _lacks_only_slots(self) -> bool:
        if self.run.stands or self.run.working < self.run.limits.max_parallel:
            return False
        nodes = self.scope.graph.nodes
        return all(nodes[number].plan.tier != "control" for number in self.scope.marking.ready)

    def _finish(self) -> None:
        if stuck := self.scope.stuck:
            self.run.abort(OrchestratorError(f"the run stands still, and {', '.join(stuck[:5])} never started"))
        else:
            self.over.set_result(None)

    def _start(self, node: Node) -> None:
        try:
            self.run.count()
        except LimitError as error:
            self.run.abort(error)
            return
        running = self.scope.start(node.index)
        self.run.journal.add("STARTED", self._path(node), running.visit)
        if not node.plan.exclusive:
            self._launch(node, running)
            return
        try:
            self._complete(node, running, {}, {}, "normal")
        except OrchestratorError as error:
            self._launch(node, running, self._describe(error, node, running))

    def _launch(self, node: Node, running: Running, failed: ErrorInfo | None = None) -> None:
        at = (self.scope.path, node.plan.id, running.visit)
        ticket = Ticket(self.run, works=node.plan.tier != "control", visit=at)
        self._tasks[node.index] = (self.run.spawn(self._visit(node, running, ticket, failed)), ticket)

    async def _visit(self, node: Node, running: Running, ticket: Ticket, failed: ErrorInfo | None) -> None:
        """Bring a visit to its end, trying again as often as somebody wants it."""
        final = False
        while True:
            if failed is None:
                try:
                    output, kind = await self._do(node, running, ticket)
                    writes = {}
                    if node.plan.write and kind == "normal":
                        writes = await self.run.visits.writes(self.scope, node.plan, running.visit, output)
                    await self.run.pace.refreshed()
                    if self._is_on(node, running):
                        self._complete(node, running, output, writes, kind)
                    break
                except NodeFailure as failure:
                    failed, final = failure.info, True
                except Exception as error:  # noqa: BLE001 - every failure of a node has one way to go
                    failed = self._describe(error, node, running)
            if not self._is_on(node, running) or not await self._failed(node, running, ticket, failed, final=final):
                break
            failed = None
        self._leave(node, running, ticket)
        self.advance()

    async def _do(self, node: Node, running: Running, ticket: Ticket) -> tuple[dict[str, Any], EdgeKind]:
        plan, scope, run = node.plan, self.scope, self.run
        if plan.exclusive or "override" in running.kept:
            return running.kept.get("override", {}), "normal"
        if plan.tier != "control":
            return await run.visits.perform(scope, plan, running), "normal"
        match plan.type:
            case "Wait":
                return await waiting.sleep(run, scope, node, running, ticket), "normal"
            case "UserInput" | "Approval":
                return await waiting.ask(run, scope, node, running, ticket)
            case "Subworkflow" if plan.body is None:
                return await children.run_child(run, scope, node, running, ticket), "normal"
            case _:
                bodies = Bodies(self, node, running, ticket, ScopeRunner)
                return await bodies.run(), "normal"

    async def _failed(self, node: Node, running: Running, ticket: Ticket, info: ErrorInfo, *, final: bool) -> bool:
        """See to a visit that failed. Returns whether to try again."""
        if "parked" not in running.kept:
            self.run.failed(info, running.tries)
            observe.happened(VisitFailed(self.scope.path, node.plan.id, running.visit, info.code, info.message))
        if "error" in node.kinds:
            error = {"code": info.code, "message": info.message, "node": info.node, "details": info.details}
            self._complete(node, running, {"error": error}, {}, "error")
            return False
        if final or self.caught or node.plan.on_failure == "fail":
            self.fail(NodeFailure(info))
            return False
        ticket.rest()
        answer = await self.run.parking.park(info, running.tries, running.kept, self.scope)
        ticket.wake()
        return self._resolved(node, running, info, answer)

    def _resolved(self, node: Node, running: Running, info: ErrorInfo, answer: ResolveRequest) -> bool:
        self.run.moves += 1
        match answer.action:
            case "retry":
                running.tries += 1
                running.kept.clear()
                running.config = {**running.config, **answer.config}
                return True
            case "override":
                running.tries += 1
                running.kept["override"] = answer.output or {}
                return True
            case "skip":
                observe.happened(VisitSkipped(self.scope.path, node.plan.id, running.visit))
                self._apply(self.scope.skip(node.index))
            case _:
                self.fail(NodeFailure(info))
        return False

    def _complete(
        self, node: Node, running: Running, output: dict[str, Any], writes: dict[str, Any], kind: EdgeKind
    ) -> None:
        number, plan, path = node.index, node.plan, self._path(node)
        self.run.moves += 1
        output, effects = self.scope.complete(number, output, writes, kind)
        if plan.compensate is not None and kind == "normal":
            self._remember(node, running, output)
        about = {"to": output["to"]} if plan.exclusive else {} if kind == "normal" else {"way": kind}
        self.run.journal.add("COMPLETED", path, running.visit, **about)
        self.run.journal.finish(visit_label(path, running.visit))
        if observe.observed():
            about_visit = (self.scope.path, plan.id, running.visit, kind, output, writes)
            observe.happened(VisitEnded(*about_visit, at=workflow.time(), took=self.scope.took))
        self._apply(effects)

    def _remember(self, node: Node, running: Running, output: dict[str, Any]) -> None:
        graph = self.scope.graph
        undoing = graph.node(node.plan.compensate or node.plan.id)
        label = visit_label(node.plan.id, running.visit)
        self.run.undo.append(
            Aside(
                path=f"{self.scope.path}{undoing.id}:{label}",
                node=undoing.id,
                body=self.body,
                values=pick(undoing.config.reads, self.scope.data.roots(output)),
                undoes=f"{self.scope.path}{label}",
            )
        )

    def _apply(self, effects: Effects) -> None:
        for number in effects.skipped:
            self.run.journal.add("SKIPPED", self._path(self.scope.graph.nodes[number]))
        for number in effects.cancelled:
            visit = self.scope.marking.visits[number] or None
            self.run.journal.add("CANCELLED", self._path(self.scope.graph.nodes[number]), visit)
            if number in self._tasks:
                node = self.scope.graph.nodes[number].plan.id
                observe.happened(VisitCancelled(self.scope.path, node, self.scope.marking.visits[number]))
                self._cancel(number)

    def _cancel(self, number: int) -> None:
        task, ticket = self._tasks.pop(number)
        task.cancel()
        ticket.give_back()

    def _leave(self, node: Node, running: Running, ticket: Ticket) -> None:
        found = self._tasks.get(node.index)
        if found is not None and found[1] is ticket and not self._is_on(node, running):
            del self._tasks[node.index]
            ticket.give_back()

    def _is_on(self, node: Node, running: Running) -> bool:
        return self.scope.is_on(node.index, running) and not self.over.done() and not self.run.done.done()

    def _describe(self, error: Exception, node: Node, running: Running) -> ErrorInfo:
        return dispatch.error_info(error, self._path(node), running.visit)

    def _path(self, node: Node) -> str:
        return f"{self.scope.path}{node.plan.id}"
