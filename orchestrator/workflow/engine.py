"""One run of one plan, from its beginning, or from where it stood in an earlier workflow run, to its end."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from orchestrator.contracts import (
    ChildRun,
    ErrorInfo,
    Parked,
    RunResult,
    RunStatus,
    visit_label,
)
from orchestrator.errors import OrchestratorError, RunTimeoutError
from orchestrator.graph.carried import Carried
from orchestrator.graph.scope import Running, Scope
from orchestrator.workflow import ending
from orchestrator.workflow.handlers import at_rest
from orchestrator.workflow.persisting import Skipped, persist
from orchestrator.workflow.run import Run
from orchestrator.workflow.scopes import ScopeRunner
from orchestrator.workflow.tickets import Aside, NodeFailure, Ticket

__all__ = ["Engine", "Rolling"]


class Rolling(Exception):  # noqa: N818 - a state of the run, not an error
    """Nothing is under way: the run can go on in another workflow run."""


class Engine:
    """One run.

    Args:
        run: What its scopes share.
        carried: Where it stood in an earlier workflow run; empty at the start of all.
        inputs: What it is given at the start of all.
    """

    def __init__(self, run: Run, carried: Carried, inputs: Mapping[str, Any]) -> None:
        self.run = run
        self.graph = graph = run.graph
        dumped = carried.get("root")
        self.scope = Scope(graph, dumped["inputs"] if dumped else inputs, run.about, spent=run.pace.work, dumped=dumped)
        self.continued: int = carried.get("continued", 0)
        self.outputs: dict[str, Any] = {}
        self._told: tuple[Parked, ...] = ()
        """What the parent run knows to be parked."""
        self._root = ScopeRunner(run, self.scope)
        self._take_over(carried)

    def begin(self) -> None:
        """Begin, or go on where the run stood."""
        run = self.run
        if run.deadline is None and run.limits.timeout is not None:
            run.deadline = workflow.time() + run.limits.timeout
        if run.deadline is not None:
            run.spawn(self._expire(run.deadline))
        run.spawn(self._to_the_end())

    async def until_over(self) -> dict[str, Any]:
        """Wait for the end.

        Returns:
            The run's outputs.

        Raises:
            Rolling: It is time to go on in another workflow run; nothing is under way.
            NodeFailure: A node failed for good.
            OrchestratorError: A limit was reached.
        """
        run = self.run
        while True:
            await workflow.wait_condition(lambda: run.done.done() or run.rolling)
            if run.done.done():
                run.done.result()
                return self.outputs
            if await self._drained():
                raise Rolling

    async def _to_the_end(self) -> None:
        ticket = Ticket(self.run, works=False)
        self._root.begin()
        ticket.rest()
        try:
            await self._root.over
            ticket.wake()
            self.outputs = await persist(
                self.run, ticket, "outputs", self.scope, self._made, parks=self.graph.plan.on_failure == "park"
            )
        except Skipped:
            self.outputs = {}
        except (NodeFailure, OrchestratorError) as error:
            self.run.abort(error)
        if not self.run.done.done():
            self.run.done.set_result(None)
        ticket.give_back()

    async def _made(self) -> dict[str, Any]:
        return await self.run.visits.outputs(self.graph.plan, self.scope.data.roots(), "")

    async def _expire(self, deadline: float) -> None:
        left = deadline - workflow.time()
        if left > 0:
            await workflow.sleep(left, summary="the run's timeout")
        limit = timedelta(seconds=self.run.limits.timeout or 0)
        self.run.abort(RunTimeoutError(f"the run took longer than its limit of {limit} (limits.timeout)"))

    async def _drained(self) -> bool:
        """Wait until nothing is under way; go on as before where that takes too long."""
        run = self.run
        await workflow.wait_condition(at_rest)
        if not run.done.done() and not run.drained:
            try:
                patience = run.resolved.rollover.drain_s
                await workflow.wait_condition(lambda: run.done.done() or run.drained, timeout=patience)
            except TimeoutError:
                run.roll_later()
        return run.rolling and run.drained and not run.done.done()

    async def end(self, status: RunStatus, error: ErrorInfo | None) -> None:
        """Stop what is under way, undo what is to be undone, and clean up.

        Raises:
            Rolling: It is time to go on in another workflow run.
        """
        run = self.run
        await run.stop()
        run.rolling = run.moving = False
        self._leave(self.scope)
        if status == "completed":
            run.undo.clear()
        await ending.undo(run)
        await ending.tidy(run)
        if run.rolling:
            raise Rolling
        await ending.close(run, self.scope, status, error)

    def _leave(self, scope: Scope) -> None:
        """Remember what bodies that are still open leave to be done."""
        for number, running in scope.running.items():
            for body in running.bodies:
                self._leave(body)
                ending.leave(self.run, body, scope.graph.nodes[number].plan.body)

    async def tell_parent(self, status: RunStatus, parked: tuple[Parked, ...], result: RunResult | None = None) -> None:
        """Let the run that this one is a child of know what is parked here, or how this one has ended."""
        parent = self.run.parent
        if parent is None or (parked == self._told and result is None):
            return
        self._told = parked
        run_id = workflow.info().workflow_id
        report = ChildRun(node=parent.node, visit=1, run=run_id, status=status, parked=parked, result=result)
        ticket = Ticket(self.run, works=False)
        try:
            await workflow.get_external_workflow_handle(parent.run).signal("child", report)
        except ApplicationError:
            workflow.logger.warning("the parent run %s is gone", parent.run)
        ticket.give_back()

    def answers(self) -> dict[str, dict[str, Any]]:
        """The answers that are held back while the run's state is being stored, by the label of the visit."""
        held = self.run.held or {}
        return {label: running.kept["answer"] for label, running in _visits(self.scope) if label in held}

    def dump(self) -> Carried:
        """Where the run stands."""
        run = self.run
        state = Carried(
            format=1,
            resolved=run.resolved.model_dump(mode="json", exclude={"start", "inputs"}, exclude_defaults=True),
            context=run.context.model_dump(mode="json", exclude_defaults=True),
            parent=None if run.parent is None else run.parent.model_dump(mode="json"),
            root=self.scope.dump(),
            journal=run.journal.dump(),
            inbox=run.inbox.dump(),
            usage=run.visits.dump(),
            steps=run.steps,
            deadline=run.deadline,
            paused=run.paused,
            continued=self.continued,
            undo=[asdict(aside) for aside in run.undo],
            left=[asdict(aside) for aside in run.left],
            undone=list(run.undone),
            ended=run.kin.ended,
            aside=[info.model_dump(mode="json") for info in run.aside],
            children=[child.model_dump(mode="json") for child in run.kin.children.values()],
        )
        allowance = run.allowance
        if allowance.cap_usd is not None and allowance.cap_usd != run.limits.cost_usd:
            state["cap_usd"] = allowance.cap_usd
            state["caps_around"] = allowance.dump()
        return state

    def _take_over(self, kept: Carried) -> None:
        run = self.run
        if "usage" in kept:
            run.visits.restore(kept["usage"])
        run.steps = kept.get("steps", 0)
        run.deadline = kept.get("deadline")
        run.paused = kept.get("paused", False)
        if "cap_usd" in kept:
            run.allowance.cap_usd = kept["cap_usd"]
            run.allowance.restore(kept.get("caps_around", run.allowance.dump()))
        run.undo = [Aside(**aside) for aside in kept.get("undo", ())]
        run.left = [Aside(**aside) for aside in kept.get("left", ())]
        run.undone.extend(kept.get("undone", ()))
        run.aside.extend(ErrorInfo.model_validate(info) for info in kept.get("aside", ()))
        answers = kept.get("answers") or {}
        for label, running in _visits(self.scope) if answers else ():
            if label in answers:
                running.kept["answer"] = answers[label]
        run.kin.restore(kept.get("children", []), kept.get("ended", {}))


def _visits(scope: Scope) -> Iterator[tuple[str, Running]]:
    """The visits under way in a scope and the bodies within, by label."""
    for number, running in scope.running.items():
        yield visit_label(f"{scope.path}{scope.graph.nodes[number].plan.id}", running.visit), running
        for body in running.bodies:
            yield from _visits(body)
