"""Runs a plan: asks the pure core what may start, starts it, and tells the core how it ended."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from itertools import islice
from typing import Any

from temporalio import workflow

from orchestrator.contracts import (
    ErrorInfo,
    Resolved,
    RunContext,
    Usage,
    visit_label,
)
from orchestrator.errors import (
    ExpressionError,
    LimitError,
    NodeError,
    OrchestratorError,
    RunTimeoutError,
    TooLargeError,
)
from orchestrator.graph.data import RunData
from orchestrator.graph.expressions import DEFAULT_BUDGET
from orchestrator.graph.index import Edge, Graph, Node
from orchestrator.graph.marking import Marking, NodeStatus
from orchestrator.graph.scheduler import Effects, Scheduler
from orchestrator.workflow import dispatch
from orchestrator.workflow.inbox import Inbox
from orchestrator.workflow.journal import MOST_SHOWN, Journal
from orchestrator.workflow.pace import VISIT_WORK, Pace
from orchestrator.workflow.visits import Visits

__all__ = ["Engine", "NodeFailure"]

_MOST_HISTORY_EVENTS = 45_000  # the server terminates a run at 51,200
_MOST_HISTORY_BYTES = 40_000_000  # the server terminates a run at 50 MB
_MOST_STEPS = 300_000
"""Steps that the conditions of one node's ways out may take together."""


class NodeFailure(Exception):  # noqa: N818 - it carries the outcome of a node, it is not the error itself
    """A visit failed for good, and with it the run."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class Engine:
    """One run of one plan.

    Args:
        resolved: What the run is pinned to.
        graph: Its plan, indexed.
        context: Who it is for.
        journal: Where events go.
        inbox: Where questions wait.
        changed: Called whenever the run comes to rest.
    """

    def __init__(
        self,
        resolved: Resolved,
        graph: Graph,
        context: RunContext,
        journal: Journal,
        inbox: Inbox,
        changed: Callable[[], None],
    ) -> None:
        info = workflow.info()
        plan = graph.plan
        about = {
            "context": context.model_dump(mode="json"),
            "run": {"id": info.workflow_id, "definition": plan.name, "version": plan.version},
        }
        self.graph = graph
        self.data = RunData(plan, resolved.inputs, about)
        self.marking = Marking.initial(graph)
        self._pace = Pace(self._go_on)
        dispatcher = dispatch.Dispatcher(self._pace, resolved.heartbeat_timeout)
        self._visits = Visits(self.data, dispatcher, journal, inbox, changed)
        self._limits = resolved.limits
        self._scheduler = Scheduler(graph, self.marking, self._holds)
        self._journal = journal
        self._changed = changed
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._working = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._output: dict[str, Any] | None = None
        """Output of the node whose ways out are being decided: the root ``output`` of their conditions."""
        self._steps_left = _MOST_STEPS

    @property
    def usage(self) -> dict[str, Usage]:
        """What each node's model calls took so far."""
        return self._visits.usage

    @property
    def total_usage(self) -> Usage:
        """What all model calls took so far."""
        return self._visits.total_usage

    @property
    def working(self) -> bool:
        """Whether an activity of this run is under way, or about to be."""
        return self._working > 0

    @property
    def under_way(self) -> int:
        """How many visits are under way, waiting ones among them."""
        return len(self._tasks)

    def some_under_way(self, most: int) -> list[str]:
        """The oldest visits under way, at most ``most``."""
        return [self._label(number) for number in islice(self._tasks, most)]

    async def run(self) -> dict[str, Any]:
        """Run to the end.

        Returns:
            The run's outputs.

        Raises:
            NodeFailure: A node failed for good.
            OrchestratorError: A limit was reached, or the outputs cannot be made.
            asyncio.CancelledError: The run was cancelled; nothing is under way any more.
        """
        expiry = self._arm_timeout()
        try:
            self._apply(self._scheduler.begin())
            self._advance()
            await self._done
            outputs = await self._visits.outputs(self.graph.plan)
        except (Exception, asyncio.CancelledError):
            # Not `finally`: when a worker stops, waiting runs are dropped with a GeneratorExit, and must await nothing.
            await self._stop(expiry)
            raise
        await self._stop(expiry)
        return outputs

    def _arm_timeout(self) -> asyncio.Task[None] | None:
        timeout = self._limits.timeout
        if timeout is None:
            return None

        async def expire() -> None:
            await workflow.sleep(timeout, summary="the run's timeout")
            limit = timedelta(seconds=timeout)
            self._fail(RunTimeoutError(f"the run took longer than its limit of {limit} (limits.timeout)"))

        return asyncio.create_task(expire())

    async def _stop(self, expiry: asyncio.Task[None] | None) -> None:
        tasks = list(self._tasks.values()) if expiry is None else [expiry, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        self._pace.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    def _fail_node(self, info: ErrorInfo) -> None:
        self._journal.add("ERROR", info.node, info.visit, code=info.code, message=info.message[:MOST_SHOWN])
        self._fail(NodeFailure(info))

    def _advance(self) -> None:
        """Start everything that may start now."""
        started = True
        while started and not self._done.done():
            started = False
            for number in tuple(self.marking.ready):
                if self._working >= self._limits.max_parallel and not self.graph.has_control_nodes:
                    break
                if self._may_start(number):
                    self._start(number)
                    started = True
        if self._scheduler.over and not self._done.done():
            self._finish()
        self._changed()

    def _go_on(self) -> None:
        try:
            self._advance()
        except Exception as error:  # noqa: BLE001 - a fault of ours must fail the workflow task, where people see it
            self._fail(error)

    def _may_start(self, number: int) -> bool:
        if self._done.done() or self.marking.node[number] != NodeStatus.READY:
            return False
        control = self.graph.nodes[number].plan.tier == "control"
        return (control or self._working < self._limits.max_parallel) and not self._pace.tired()

    def _finish(self) -> None:
        pending = [node.plan.id for node in self.graph.nodes if self.marking.node[node.index] == NodeStatus.PENDING]
        if pending:
            self._fail(OrchestratorError(f"the run stands still, and {', '.join(pending[:5])} never started"))
        else:
            self._done.set_result(None)

    def _start(self, number: int) -> None:
        if self.marking.steps >= self._limits.steps:
            self._fail(LimitError(f"the run has started {self._limits.steps} visits, its limit (limits.steps)"))
            return
        info = workflow.info()
        if info.get_current_history_length() > _MOST_HISTORY_EVENTS:
            self._fail(LimitError(f"the run's history has reached {_MOST_HISTORY_EVENTS:,} events"))
            return
        if info.get_current_history_size() > _MOST_HISTORY_BYTES:
            self._fail(LimitError(f"the run's history has reached {_MOST_HISTORY_BYTES:,} bytes"))
            return
        self._pace.work(VISIT_WORK)
        self._scheduler.start(number)
        node = self.graph.nodes[number]
        visit = self.marking.visits[number]
        self._journal.add("STARTED", node.plan.id, visit)
        if node.plan.exclusive:
            self._complete(node, {}, {})
            return
        control = node.plan.tier == "control"
        self._working += not control
        do = self._visits.ask if control else self._visits.perform
        self._tasks[number] = asyncio.create_task(self._visit(node, visit, do(node.plan, visit)))

    async def _visit(self, node: Node, visit: int, work: Coroutine[Any, Any, dict[str, Any]]) -> None:
        """Turn whatever a visit ends with into a completion or a failure."""
        plan = node.plan
        try:
            output = await work
            writes = await self._visits.writes(plan, visit, output)
            await self._pace.refreshed()
        except Exception as error:  # noqa: BLE001 - every failure of a node has one way to go
            if self._left(node, visit):
                self._fail_node(self._describe(error, plan.id, visit))
            return
        try:
            if self._left(node, visit):
                self._complete(node, output, writes)
                self._advance()
        except Exception as error:  # noqa: BLE001 - a fault of ours must fail the workflow task, where people see it
            self._fail(error)

    def _left(self, node: Node, visit: int) -> bool:
        """Forget a visit that ended. Says whether its end still matters: nothing cancelled it and the run goes on."""
        number = node.index
        if self.marking.node[number] != NodeStatus.RUNNING or self.marking.visits[number] != visit:
            return False
        del self._tasks[number]
        self._working -= node.plan.tier != "control"
        return not self._done.done()

    def _describe(self, error: Exception, node: str, visit: int) -> ErrorInfo:
        if isinstance(error, OrchestratorError):
            return ErrorInfo(code=error.code, message=error.message, node=node, visit=visit, details=error.details)
        return dispatch.error_info(error, node, visit)

    def _complete(self, node: Node, output: dict[str, Any], writes: dict[str, Any]) -> None:
        number, plan = node.index, node.plan
        visit = self.marking.visits[number]
        try:
            self._write(node, visit, writes)
            if not plan.exclusive:
                self.data.record(plan, output)
            self._output = None if plan.exclusive else output
            self._steps_left = _MOST_STEPS
            chosen, effects = self._scheduler.complete(number)
            if plan.exclusive and chosen is not None:
                output = {"to": self.graph.plan.edges[chosen].target}
                self.data.record(plan, output)
        except OrchestratorError as error:
            self._fail_node(self._describe(error, plan.id, visit))
            return
        self._journal.add("COMPLETED", plan.id, visit, **(output if plan.exclusive else {}))
        self._journal.finish(visit_label(plan.id, visit))
        self._apply(effects)

    def _write(self, node: Node, visit: int, writes: dict[str, Any]) -> None:
        if not writes:
            return
        marking = self.marking
        for name, value in writes.items():
            try:
                self.data.channels.write(name, value, (marking.level[node.index], node.index, visit))
            except (NodeError, TooLargeError) as error:
                raise type(error)(f"node `{node.plan.id}`: {error.message}", details=error.details) from error
        others = [marking.level[number] for number in (*self._tasks, *marking.ready) if number != node.index]
        self.data.channels.settle(min(others, default=None))

    def _holds(self, edge: Edge) -> bool:
        program = self.graph.programs[edge.index]
        if program is None:
            return True
        allowed = min(DEFAULT_BUDGET, self._steps_left)
        plan = self.graph.plan.edges[edge.index]
        try:
            answer, taken = program.measure(self.data.roots(self._output), allowed)
        except ExpressionError as error:
            message = f"the condition of the way to `{plan.target}` failed: {error.message}"
            raise type(error)(message, details=error.details) from error
        self._steps_left -= taken
        self._pace.work(taken)
        if not isinstance(answer, bool):
            raise ExpressionError(f"the condition of the way to `{plan.target}` gave {answer!r}, not true or false")
        return answer

    def _apply(self, effects: Effects) -> None:
        for number in effects.skipped:
            self._journal.add("SKIPPED", self.graph.nodes[number].plan.id)
        for number in effects.cancelled:
            self._journal.add("CANCELLED", self.graph.nodes[number].plan.id, self.marking.visits[number] or None)
            if task := self._tasks.pop(number, None):
                self._working -= self.graph.nodes[number].plan.tier != "control"
                task.cancel()

    def _label(self, number: int) -> str:
        return visit_label(self.graph.nodes[number].plan.id, self.marking.visits[number])
