"""Moving a run to another definition: what it is asked for, whether what has happened fits, and what it takes along."""

from collections.abc import Callable
from typing import Any

from orchestrator.contracts import LimitsRequest, MigrateReply, MigrateRequest, RunRequest
from orchestrator.errors import MigrationError
from orchestrator.graph.carried import Carried
from orchestrator.graph.index import Graph
from orchestrator.graph.translation import translated
from orchestrator.workflow import dispatch
from orchestrator.workflow.engine import Engine
from orchestrator.workflow.plans import graph_of

__all__ = ["Moving"]


class Moving:
    """What a run is to be pinned to in its next workflow run, where somebody wants it to move."""

    def __init__(self) -> None:
        self._target: dict[str, Any] | None = None

    async def ask(self, engine: Engine, request: MigrateRequest, is_over: Callable[[], bool]) -> MigrateReply:
        """Have the run move at its next safe point.

        Raises:
            MigrationError: What has happened has no place in the definition, or the run has ended meanwhile.
            ApplicationError: The definition cannot be found, or breaks rules, or the run's inputs do not fit it.
        """
        asked = RunRequest(
            definition=request.definition,
            inputs=dict(engine.scope.data.inputs),
            context=engine.run.context,
            limits=_own_limits(engine),
            moves=True,
        )
        answer = await dispatch.resolve(asked)
        if is_over():
            raise MigrationError("the run is over")
        graph = graph_of(answer["plan_hash"], answer["plan"])
        _moved(engine, graph)
        self._target = answer
        engine.run.moving = engine.run.rolling = True
        return MigrateReply(definition=f"{graph.plan.name}@{graph.plan.version}")

    def stay(self) -> None:
        """Forget where the run was to move."""
        self._target = None

    def graph(self, engine: Engine) -> Graph:
        """What the next workflow run will run."""
        target = self._target
        return engine.graph if target is None else graph_of(target["plan_hash"], target["plan"])

    def translate(self, engine: Engine, state: Carried) -> None:
        """Make ``state`` that of a run of the other definition; leave it as it is where the run stays.

        Raises:
            MigrationError: What has happened since it was asked has no place there.
        """
        target = self._target
        if target is None:
            return
        state["root"] = _moved(engine, self.graph(engine))
        lineage = engine.run.resolved.lineage
        state["resolved"] = {
            **{name: value for name, value in target.items() if name != "inputs"},
            "lineage": None if lineage is None else lineage.model_dump(mode="json"),
        }
        state["migrated"] = f"{engine.graph.plan.name}@{engine.graph.plan.version}"


def _moved(engine: Engine, graph: Graph) -> dict[str, Any]:
    """The run's state for another plan."""
    for aside in (*engine.run.undo, *engine.run.left):
        plan = graph if aside.body is None else graph.bodies.get(aside.body)
        if plan is None or aside.node not in plan.numbers:
            raise MigrationError(f"`{aside.node}`, which is to run at the end, is missing in the new definition")
    return translated(engine.scope.dump(), engine.graph, graph)


def _own_limits(engine: Engine) -> LimitsRequest:
    """The limits that the run was started with, beside those of its definition."""
    now, usual = engine.run.limits, engine.graph.plan.limits
    return LimitsRequest(
        steps=now.steps if now.steps != usual.steps else None,
        timeout=now.timeout if now.timeout != usual.timeout else None,
        max_parallel=now.max_parallel if now.max_parallel != usual.max_parallel else None,
        cost_usd=now.cost_usd if now.cost_usd != usual.cost_usd else None,
    )
