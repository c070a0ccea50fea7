"""One plan being run: the whole run, the body of a sub-workflow, or one item of a ForEach. Pure, and written as JSON.

The root scope has the path ``""``; the scope of item 3 of the ForEach ``items`` has the path ``items[3].``, so that a
node's own path is the scope's with its id behind it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import ExpressionError, NodeError, OrchestratorError, TooLargeError
from orchestrator.graph.data import RunData
from orchestrator.graph.expressions import DEFAULT_BUDGET
from orchestrator.graph.fan import Fan
from orchestrator.graph.index import Edge, Graph, Node
from orchestrator.graph.inputs import filled_inputs
from orchestrator.graph.marking import Marking, NodeStatus
from orchestrator.graph.plan import EdgeKind
from orchestrator.graph.scheduler import Effects, Scheduler

__all__ = ["Running", "Scope"]

_MOST_STEPS = 300_000
"""Steps that the conditions of one node's ways out may take together."""


@dataclass(slots=True)
class Running:
    """What a visit under way has to remember if the run goes on elsewhere. ``kept`` and ``config`` are JSON."""

    visit: int
    tries: int = 1
    """Raised by each ``resolve`` that tries again."""
    kept: dict[str, Any] = field(default_factory=dict[str, Any])
    """What a visit that waits, or is parked, knows."""
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the config that a ``resolve`` changed."""
    fan: Fan | None = None

    @property
    def bodies(self) -> "Collection[Scope]":
        """The scopes that are open in it."""
        return () if self.fan is None else self.fan.open.values()

    def dump(self) -> dict[str, Any]:
        """The visit as JSON."""
        fan = None if self.fan is None else self.fan.dump()
        return {"visit": self.visit, "tries": self.tries, "kept": self.kept, "config": self.config, "fan": fan}


class Scope:
    """Where one plan stands, and what it knows.

    Args:
        graph: The plan, indexed.
        inputs: Its inputs, defaults filled in.
        about: The roots ``context`` and ``run``; in an item, ``item`` and ``index`` too.
        path: What comes before the ids of its nodes.
        spent: Told how many steps the conditions took.
        dumped: What ``dump`` gave, to go on from there.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Mapping[str, Any],
        about: Mapping[str, Any],
        *,
        path: str = "",
        spent: Callable[[int], None] = lambda _steps: None,
        dumped: Mapping[str, Any] | None = None,
    ) -> None:
        self.graph = graph
        self.path = path
        self.about = about
        self.data = RunData(graph.plan, inputs, about, dumped["data"] if dumped else None)
        self.marking = Marking.restore(dumped["marking"]) if dumped else Marking.initial(graph)
        self.begun = bool(dumped and dumped["begun"])
        self.closed: int = dumped["closed"] if dumped else 0
        """How many of its ``finally`` nodes have run."""
        self.kept: dict[str, dict[str, Any]] = dict(dumped.get("kept", {})) if dumped else {}
        """By path, what is known of inputs or outputs that could not be made. JSON."""
        self.running: dict[int, Running] = {}
        """The visits under way, by the number of their node, oldest first."""
        self._spent = spent
        self._scheduler = Scheduler(graph, self.marking, self._holds)
        self._output: dict[str, Any] | None = None
        """Output of the node whose ways out are being decided: the root ``output`` of their conditions."""
        self._steps_left = _MOST_STEPS
        under_way: list[tuple[int, dict[str, Any]]] = dumped["running"] if dumped else []
        for number, kept in under_way:
            self.running[number] = self._restored(self.graph.nodes[number], kept)

    @property
    def over(self) -> bool:
        """Nothing runs and nothing can start."""
        return self.begun and self._scheduler.over

    @property
    def took(self) -> tuple[int, ...]:
        """The ways out that the visit which ended last has taken."""
        return self._scheduler.took

    @property
    def stuck(self) -> list[str]:
        """Ids of the nodes that never came to an end; none, when the scope is over as it should be."""
        pending, nodes = NodeStatus.PENDING, self.graph.nodes
        return [node.plan.id for node in nodes if self.marking.node[node.index] == pending and node.plan.role == "main"]

    def begin(self) -> Effects:
        """Make the first nodes ready."""
        self.begun = True
        return self._scheduler.begin()

    def start(self, number: int) -> Running:
        """Start a ready node."""
        self._scheduler.start(number)
        running = Running(self.marking.visits[number])
        self.running[number] = running
        return running

    def complete(
        self, number: int, output: dict[str, Any], writes: Mapping[str, Any], kind: EdgeKind = "normal"
    ) -> tuple[dict[str, Any], Effects]:
        """A visit under way ended.

        Args:
            number: Its node.
            output: What becomes ``nodes.<id>``. That of an exclusive node is made here; its ``to`` may say where to go.
            writes: What it writes into shared state, by channel.
            kind: Which of its ways out are open.

        Returns:
            The output, and the effects.

        Raises:
            OrchestratorError: A condition could not be evaluated, or a write was refused; the visit is still under way,
                and everything is as it was.
        """
        node, plan = self.graph.nodes[number], self.graph.nodes[number].plan
        known, place = self.data.nodes.get(plan.id), self._place(number)
        exclusive = plan.exclusive and kind == "normal"
        written: list[str] = []
        try:
            self._write(node, writes, place, written)
            if not exclusive:
                self.data.record(plan, output)
            self._output = None if exclusive else output
            self._steps_left = _MOST_STEPS
            to = output.get("to") if exclusive else None
            chosen, effects = self._scheduler.complete(number, kind, to=to)
        except OrchestratorError:
            self.data.channels.withdraw(written, place)
            self.data.restore(plan, known)
            raise
        del self.running[number]
        if exclusive and chosen is not None:
            output = {"to": self.graph.plan.edges[chosen].target}
            self.data.record(plan, output)
        if written:
            others = [self.marking.level[item] for item in (*self.running, *self.marking.ready)]
            self.data.channels.settle(min(others, default=None))
        self._forget(effects)
        return output, effects

    def skip(self, number: int) -> Effects:
        """A visit under way is given up: as if no way had led to its node."""
        del self.running[number]
        effects = self._scheduler.skip(number)
        self._forget(effects)
        return effects

    def changed_inputs(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs with some of them changed.

        Raises:
            InputError: They do not fit.
        """
        plan = self.graph.plan
        return filled_inputs(plan.inputs, {**self.data.inputs, **changes}, plan.name)

    def change_inputs(self, changes: Mapping[str, Any]) -> None:
        """Change inputs, for what has not been rendered yet.

        Raises:
            InputError: They do not fit.
        """
        if changes:
            self.data.change_inputs(self.changed_inputs(changes))

    def is_on(self, number: int, running: Running) -> bool:
        """Whether a visit is still under way: nothing has cancelled or ended it."""
        return self.running.get(number) is running

    def dump(self) -> dict[str, Any]:
        """The scope as JSON."""
        return {
            "inputs": self.data.inputs,
            "begun": self.begun,
            "closed": self.closed,
            "kept": self.kept,
            "data": self.data.dump(),
            "marking": self.marking.dump(),
            "running": [[number, running.dump()] for number, running in self.running.items()],
        }

    def _restored(self, node: Node, kept: Mapping[str, Any]) -> Running:
        running = Running(kept["visit"], kept["tries"], dict(kept["kept"]), dict(kept["config"]))
        if kept["fan"] is not None:
            running.fan = Fan(node.plan, kept["fan"])
            body = self.graph.bodies[node.plan.body or ""]
            for index, dumped in kept["fan"]["open"]:
                self.open(running.fan, index, body, dumped["inputs"], dumped)
        return running

    def open(
        self, fan: Fan, index: int, body: Graph, inputs: Mapping[str, Any], dumped: Mapping[str, Any] | None = None
    ) -> "Scope":
        """Open the scope of one item of a visit under way, or of its only body."""
        about = {name: self.about[name] for name in ("context", "run")} | fan.about(index)
        scope = Scope(body, inputs, about, path=fan.path(self.path, index), spent=self._spent, dumped=dumped)
        fan.opening.pop(index, None)
        fan.open[index] = scope
        return scope

    def _forget(self, effects: Effects) -> None:
        for number in effects.cancelled:
            self.running.pop(number, None)

    def _place(self, number: int) -> tuple[int, int, int]:
        return self.marking.level[number], number, self.marking.visits[number]

    def _write(self, node: Node, writes: Mapping[str, Any], place: tuple[int, int, int], written: list[str]) -> None:
        for name, value in writes.items():
            try:
                self.data.channels.write(name, value, place)
            except (NodeError, TooLargeError) as error:
                raise type(error)(f"node `{node.plan.id}`: {error.message}", details=error.details) from error
            written.append(name)

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
        self._spent(taken)
        if not isinstance(answer, bool):
            raise ExpressionError(f"the condition of the way to `{plan.target}` gave {answer!r}, not true or false")
        return answer
