"""Does one visit of one node: calls its activity, renders what it needs, adds up what it used."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import to_json
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from orchestrator.contracts import MAX_PAYLOAD_BYTES, AttemptUsage, Usage, visit_label
from orchestrator.errors import NodeError, TooLargeError
from orchestrator.graph.blobs import blob_of, blobs_in, describe
from orchestrator.graph.expressions import Program
from orchestrator.graph.expressions.references import references
from orchestrator.graph.fan import items_of
from orchestrator.graph.plan import Plan, PlanNode, Retry, Template
from orchestrator.graph.schema import problems
from orchestrator.graph.scope import Running, Scope
from orchestrator.graph.values import BlobReachedError, fill_exact, pick, prune
from orchestrator.workflow.dispatch import Dispatcher
from orchestrator.workflow.journal import Journal

__all__ = ["Visits"]

_USUAL_RETRY = Retry()
_NOTHING_USED = Usage()
"""Shared by all runs, which wait by the thousand."""
_MOST_ATTEMPTS = 100
_COUNTS_ALL = "count-what-timed-out"
"""Patch: since 0.2.0 a run asks what a visit has taken whose activity could not tell."""


class Visits:
    """Performs the visits of one run.

    Args:
        dispatcher: Calls activities.
        account: Says whose money they spend: an ``Account`` as JSON, without what differs by visit.
        journal: Where it says that a budget is over its soft limit.
    """

    def __init__(self, dispatcher: Dispatcher, account: Callable[[], Mapping[str, Any]], journal: Journal) -> None:
        self.usage: dict[str, Usage] = {}
        """By the id of the node, all visits and items together."""
        self.total_usage = _NOTHING_USED
        self._attempts: deque[AttemptUsage] | None = None
        self._attempts_omitted = 0
        self._dispatcher = dispatcher
        self._account = account
        self._journal = journal
        self._first_run_id = workflow.info().first_execution_run_id

    async def perform(self, scope: Scope, plan: PlanNode, running: Running) -> dict[str, Any]:
        """Have an activity do it. Returns the node's output."""
        values = scope.data.values_for(plan.config)
        return await self.call(plan, f"{scope.path}{plan.id}", running, values)

    async def call(self, plan: PlanNode, path: str, running: Running, values: Mapping[str, Any]) -> dict[str, Any]:
        """Have the activity of a node do it, given what its config reads. Returns its output."""
        # A NodeCall as JSON, without what is as usual: building the model would cost more than encoding it.
        call: dict[str, Any] = {
            "node": path,
            "visit": running.visit,
            "type": plan.type,
            "config": {**plan.config.value, **running.config} if running.config else plan.config.value,
            "values": values,
            "first_run_id": self._first_run_id,
        }
        if plan.retry != _USUAL_RETRY:
            call["retry"] = plan.retry.model_dump(exclude_defaults=True)
        if plan.cache is not None:
            call["cache"] = plan.cache
        if plan.pays:
            call["account"] = {**self._account(), "run_id": workflow.info().run_id, "try": running.tries}
        label = visit_label(path, running.visit)
        name = label if running.tries == 1 else f"{label}~{running.tries}"
        try:
            result = await self._dispatcher.perform(plan, name, call)
        except ActivityError as error:
            if plan.pays and not is_cancelled_exception(error):
                self._count(plan, path, running, await self._taken(error, call, name))
            raise
        self._count(plan, path, running, result)
        return result["output"]

    @property
    def attempts(self) -> tuple[AttemptUsage, ...]:
        """The last attempts that could cost something."""
        return tuple(self._attempts or ())

    @property
    def attempts_omitted(self) -> int:
        """How many there were before them."""
        return self._attempts_omitted

    def report(self) -> dict[str, Any]:
        """What was used, as a ``RunResult`` has it."""
        return {
            "usage": self.total_usage,
            "cost_usd": self.total_usage.cost_usd,
            "usage_by_node": self.usage,
            "attempts": self.attempts,
            "attempts_omitted": self._attempts_omitted,
        }

    def dump(self) -> dict[str, Any]:
        """What was used, as JSON."""
        nodes = {node: usage.model_dump(mode="json") for node, usage in self.usage.items()}
        dumped: dict[str, Any] = {"nodes": nodes, "total": self.total_usage.model_dump(mode="json")}
        if self._attempts:
            dumped["attempts"] = [it.model_dump(mode="json", exclude_defaults=True) for it in self._attempts]
            dumped["attempts_omitted"] = self._attempts_omitted
        return dumped

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """Go on where ``dump`` left off."""
        self.usage = {node: Usage.model_validate(usage) for node, usage in dumped["nodes"].items()}
        self.total_usage = Usage.model_validate(dumped["total"])
        self._attempts_omitted = 0
        self._remember(dumped.get("attempts", ()))
        self._attempts_omitted += dumped.get("attempts_omitted", 0)

    def add(self, node: str, usage: Usage) -> None:
        """Count what a node used."""
        self.usage[node] = self.usage.get(node, Usage()).plus(usage)
        self.total_usage = self.total_usage.plus(usage)

    async def _taken(self, error: ActivityError, call: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """What a visit has taken that failed for good: as its last attempt says, or else as the ledger knows."""
        cause = error.cause
        if isinstance(cause, ApplicationError) and len(cause.details) > 1:
            return cause.details[1]
        if not workflow.patched(_COUNTS_ALL):
            return {}
        try:
            return await self._dispatcher.usage(call, name)
        except ActivityError as problem:
            if is_cancelled_exception(problem):
                raise
            workflow.logger.warning("what %s has taken is in the ledger only: it could not be asked", name)
            return {}

    def _count(self, plan: PlanNode, path: str, running: Running, told: Mapping[str, Any]) -> None:
        if told.get("usage"):
            self.add(plan.id, Usage.model_validate(told["usage"]))
        self._remember(told.get("attempts", ()))
        for scope_over in told.get("over_soft", ()):
            self._journal.add("BUDGET_WARNING", path, running.visit, scope=scope_over)

    def _remember(self, attempts: Iterable[Mapping[str, Any]]) -> None:
        for attempt in attempts:
            if self._attempts is None:
                self._attempts = deque[AttemptUsage](maxlen=_MOST_ATTEMPTS)
            self._attempts_omitted += len(self._attempts) == _MOST_ATTEMPTS
            self._attempts.append(AttemptUsage.model_validate(attempt))

    async def config(self, scope: Scope, plan: PlanNode, running: Running) -> dict[str, Any]:
        """The config of a node that the workflow performs itself, templates filled in."""
        label = visit_label(f"{scope.path}{plan.id}", running.visit)
        config: dict[str, Any] = await self.value(scope.data.roots(), plan.config, f"{label}:config")
        return {**config, **running.config} if running.config else config

    async def writes(self, scope: Scope, plan: PlanNode, visit: int, output: dict[str, Any]) -> dict[str, Any]:
        """What a finished visit writes into shared state: channel to value."""
        if not plan.write:
            return {}
        together = Template(
            value={name: template.value for name, template in plan.write.items()},
            reads=prune(path for template in plan.write.values() for path in template.reads),
            exact=all(template.exact for template in plan.write.values()),
        )
        label = visit_label(f"{scope.path}{plan.id}", visit)
        return await self.value(scope.data.roots(output), together, f"{label}:write")

    async def outputs(self, plan: Plan, roots: Mapping[str, Any], path: str) -> dict[str, Any]:
        """The outputs of a scope.

        Raises:
            NodeError: They do not fit their types.
            TooLargeError: They are larger than a run may carry.
        """
        outputs: dict[str, Any] = await self.value(roots, plan.outputs, f"{path}outputs")
        schemas: dict[str, Any] = (plan.output_schema or {}).get("properties", {})
        # One by one: a schema's own references start at its own root.
        wrong = [
            f"{name}: {problem}" for name, schema in schemas.items() for problem in _problems(schema, outputs[name])
        ]
        if wrong:
            raise NodeError(f"the outputs do not fit their types: {'; '.join(wrong)}", details={"problems": wrong})
        if (size := len(to_json(outputs))) > MAX_PAYLOAD_BYTES:
            raise TooLargeError(f"the outputs take {size:,} bytes, more than {MAX_PAYLOAD_BYTES:,}")
        return outputs

    async def items(self, scope: Scope, plan: PlanNode, running: Running) -> list[Any]:
        """The items of a ForEach.

        Raises:
            NodeError: They are no list, or too many.
            ExpressionError: The expression failed.
        """
        config = await self.config(scope, plan, running)
        roots, listed = scope.data.roots(), config.get("items")
        expression = plan.expressions.get("items")
        if expression is not None:
            values = pick(prune(found.path for found in references(expression.ast)), roots)
            if any(blobs_in(values)):
                where = f"{visit_label(f'{scope.path}{plan.id}', running.visit)}:items"
                return items_of(plan, await self._dispatcher.evaluate(expression.ast, values, where=where))
            listed = Program(expression.ast).evaluate(roots)
        return items_of(plan, listed)

    async def value(self, roots: Mapping[str, Any], template: Template, where: str) -> Any:
        """The value of a template; where it needs more than references, or reaches into a blob, an activity makes it.

        Args:
            roots: What it may refer to.
            template: The template.
            where: What it is for; the activity's id.
        """
        if template.exact:
            if not template.reads:
                return template.value
            # What only an activity can look into is left to it.
            with contextlib.suppress(BlobReachedError):
                return fill_exact(template.value, roots)
        return await self._dispatcher.render(template.value, pick(template.reads, roots), where=where)


def _problems(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with an output; of one in blob storage nothing but its type can be told from here."""
    blob = blob_of(value)
    if blob is None:
        return list(problems(schema, value))
    wanted: Any = schema.get("type", [])
    types: list[str] = [wanted] if isinstance(wanted, str) else wanted
    return [] if not types or blob.type in types else [f"{describe(blob)} is not of type {', '.join(types)}"]
