"""The pure core over random graphs: what may start, how often, in what order, and that it always ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError
from orchestrator.graph.index import Edge, Graph
from orchestrator.graph.marking import EdgeStatus, Marking, NodeStatus
from orchestrator.graph.plan import NodeId
from orchestrator.graph.scheduler import Effects, Scheduler

Visit = tuple[str, int]
MOST_VISITS = 5_000


def graph_of(nodes: Mapping[str, Mapping[str, Any]], edges: list[dict[str, Any]]) -> Graph:
    """A graph of ``DataInput`` nodes; a node may say ``join``, ``cancel_others`` or be a ``Router``."""
    written: list[dict[str, Any]] = [
        {"id": name, "type": "DataInput", "config": {"data": {}}, **rest} for name, rest in nodes.items()
    ]
    return Graph(
        compile_definition(load_mapping({"name": "random", "version": "1.0.0", "nodes": written, "edges": edges}))
    )


@dataclass
class Walk:
    """Runs a graph to its end; ``pick`` chooses which running node finishes next."""

    graph: Graph
    answers: Callable[[int, int], bool]
    pick: Callable[[int], int]
    serialise: bool = False
    visits: list[Visit] = field(default_factory=list[Visit])
    started: list[Visit] = field(default_factory=list[Visit])
    skipped: int = 0

    def run(self) -> "Walk":
        """Run to the end, checking what must hold at every step."""
        self.marking = Marking.initial(self.graph)
        self.scheduler = self._scheduler()
        self._note(self.scheduler.begin())
        running: list[int] = []
        while True:
            while self.marking.ready:
                number = self.marking.ready[0]
                self._may_start(number)
                self.scheduler.start(number)
                running.append(number)
                self.started.append((self.graph.nodes[number].plan.id, self.marking.visits[number]))
            running = [number for number in running if self.marking.node[number] == NodeStatus.RUNNING]
            if not running:
                break
            number = running.pop(self.pick(len(running)))
            self.visits.append((self.graph.nodes[number].plan.id, self.marking.visits[number]))
            assert len(self.visits) < MOST_VISITS, "the run does not end"
            _, effects = self.scheduler.complete(number)
            self._note(effects)
            if self.serialise:
                self.marking = Marking.restore(self.marking.dump())
                self.scheduler = self._scheduler()
        assert self.scheduler.over
        return self

    def _scheduler(self) -> Scheduler:
        marking = self.marking

        def holds(edge: Edge) -> bool:
            return self.answers(edge.index, marking.visits[edge.source])

        return Scheduler(self.graph, marking, holds)

    def _note(self, effects: Effects) -> None:
        self.skipped += len(effects.skipped)

    def _may_start(self, number: int) -> None:
        node = self.graph.nodes[number]
        states = [self.marking.edge[index] for index in node.ins]
        if states and node.index not in {loop.head for loop in self.graph.loops}:
            assert EdgeStatus.TAKEN in states
            if node.plan.join == "all":
                assert EdgeStatus.PENDING not in states
                assert EdgeStatus.HELD not in states
                near = [self.graph.edges[index].source for index in node.ins if not self.graph.edges[index].leaves]
                assert {self.marking.node[source] for source in near}.isdisjoint({NodeStatus.READY, NodeStatus.RUNNING})

    def outcome(self) -> tuple[Any, ...]:
        """What must not depend on the order in which results arrive."""
        return sorted(self.visits), self.marking.node, self.marking.visits, self.marking.level


@st.composite
def graphs(draw: st.DrawFn, *, joins: tuple[str, ...] = ("all",)) -> Graph:
    """Graphs of up to nine nodes with conditions, routers, bounded loops and the given joins."""
    count = draw(st.integers(2, 9))
    names = [f"n{index}" for index in range(count)]
    pairs = [(i, j) for j in range(1, count) for i in range(j)]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=count - 1, max_size=2 * count, unique=True))
    backs = draw(st.lists(st.sampled_from(pairs + [(i, i) for i in range(count)]), max_size=3, unique=True))
    nodes: dict[str, dict[str, Any]] = {name: {"join": draw(st.sampled_from(joins))} for name in names}
    for node in nodes.values():
        if node["join"] == "any" and draw(st.booleans()):
            node["cancel_others"] = True
    edges: list[dict[str, Any]] = []
    for source in range(count):
        targets = [j for i, j in chosen if i == source]
        back_to = [i for i, j in backs if j == source]
        if len(targets) > 1 and draw(st.booleans()):
            routes = [{"when": "true", "to": names[j]} for j in targets[:-1]]
            routes += [{"when": "true", "to": names[i], "max_visits": draw(st.integers(1, 3))} for i in back_to]
            nodes[names[source]] |= {
                "type": "Router",
                "config": {"routes": draw(st.permutations(routes)), "otherwise": names[targets[-1]]},
            }
            continue
        for target in targets:
            when = {"when": "true"} if draw(st.booleans()) else {}
            edges.append({"from": names[source], "to": names[target], **when})
        edges += [
            {"from": names[source], "to": names[i], "when": "true", "max_visits": draw(st.integers(1, 3))}
            for i in back_to
        ]
    try:
        return graph_of(nodes, edges)
    except DefinitionError:
        assume(False)  # noqa: FBT003 - hypothesis' own idiom
        raise


def answers_from(data: st.DataObject) -> Callable[[int, int], bool]:
    """Conditions that depend on the edge and the visit, and on nothing else."""
    known: dict[tuple[int, int], bool] = {}

    def answer(edge: int, visit: int) -> bool:
        if (edge, visit) not in known:
            known[edge, visit] = data.draw(st.booleans())
        return known[edge, visit]

    return answer


def picks_from(data: st.DataObject) -> Callable[[int], int]:
    """A free choice among what runs."""
    return lambda count: data.draw(st.integers(0, count - 1))


relaxed = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@relaxed
@given(graph=graphs(joins=("all", "any")), data=st.data())
def test_every_run_ends_with_every_node_settled_and_no_visit_twice(graph: Graph, data: st.DataObject) -> None:
    walk = Walk(graph, answers_from(data), picks_from(data)).run()

    assert len(set(walk.started)) == len(walk.started)
    assert NodeStatus.PENDING not in walk.marking.node
    assert not any(walk.marking.wanted)
    for edge in graph.edges:
        if edge.loop is not None and not graph.nodes[edge.target].loops[:-1]:
            others = [e.max_visits or 1 for e in graph.edges if e.loop == edge.loop]
            assert walk.marking.visits[edge.target] <= max(others)


@relaxed
@given(graph=graphs(), data=st.data())
def test_the_outcome_does_not_depend_on_the_order_in_which_results_arrive(graph: Graph, data: st.DataObject) -> None:
    answers = answers_from(data)
    first = Walk(graph, answers, lambda _: 0).run()
    other = Walk(graph, answers, picks_from(data)).run()

    assert other.outcome() == first.outcome()


@relaxed
@given(graph=graphs(joins=("all", "any")), data=st.data())
def test_a_marking_survives_being_serialised_at_every_step(graph: Graph, data: st.DataObject) -> None:
    answers, order = answers_from(data), [0]

    def steady(count: int) -> int:
        order[0] += 1
        return order[0] % count

    whole = Walk(graph, answers, steady).run()
    order[0] = 0
    pieces = Walk(graph, answers, steady, serialise=True).run()

    assert pieces.visits == whole.visits
    assert pieces.outcome() == whole.outcome()


def walk(graph: Graph, *, no: tuple[int, ...] = (), order: Callable[[int], int] = lambda _: 0) -> Walk:
    """A run in which every condition holds but those of the edges in ``no``."""
    return Walk(graph, lambda edge, _: edge not in no, order).run()


def test_a_node_whose_every_way_in_was_not_taken_is_skipped_and_passes_that_on() -> None:
    graph = graph_of(
        {"a": {}, "b": {}, "c": {}},
        [{"from": "a", "to": "b", "when": "false"}, {"from": "b", "to": "c"}],
    )

    done = walk(graph, no=(0,))

    assert done.visits == [("a", 1)]
    assert done.skipped == 2


def test_join_all_waits_for_every_branch_and_runs_when_one_of_them_arrived() -> None:
    graph = graph_of(
        {"a": {}, "b": {}, "c": {}, "d": {}},
        [
            {"from": "a", "to": "b"},
            {"from": "a", "to": "c", "when": "false"},
            {"from": "b", "to": "d"},
            {"from": "c", "to": "d"},
        ],
    )

    assert walk(graph, no=(1,)).visits == [("a", 1), ("b", 1), ("d", 1)]


def test_join_any_starts_once_with_the_first_and_cancels_the_others_when_asked() -> None:
    graph = graph_of(
        {"a": {}, "slow": {}, "fast": {}, "d": {"join": "any", "cancel_others": True}},
        [
            {"from": "a", "to": "slow"},
            {"from": "a", "to": "fast"},
            {"from": "slow", "to": "d"},
            {"from": "fast", "to": "d"},
        ],
    )

    done = walk(graph, order=lambda count: count - 1)

    assert done.visits == [("a", 1), ("fast", 1), ("d", 1)]
    assert done.marking.node[graph.numbers[NodeId("slow")]] == NodeStatus.CANCELLED


def test_a_loop_turns_until_its_bound_and_only_then_goes_on() -> None:
    graph = graph_of(
        {"draft": {}, "log": {}, "check": {}, "publish": {}},
        [
            {"from": "draft", "to": "log"},
            {"from": "draft", "to": "check"},
            {"from": "check", "to": "draft", "when": "true", "max_visits": 3},
            {"from": "check", "to": "publish"},
        ],
    )

    done = walk(graph)

    assert [name for name, _ in done.visits].count("draft") == 3
    assert [name for name, _ in done.visits].count("log") == 3
    assert done.visits[-1] == ("publish", 1) or done.visits[-2] == ("publish", 1)


def test_an_inner_loop_starts_anew_each_time_the_outer_one_turns() -> None:
    graph = graph_of(
        {"outer": {}, "inner": {}, "end": {}},
        [
            {"from": "outer", "to": "inner"},
            {"from": "inner", "to": "inner", "when": "true", "max_visits": 2},
            {"from": "inner", "to": "end"},
            {"from": "end", "to": "outer", "when": "true", "max_visits": 3},
        ],
    )

    assert walk(graph).marking.visits == [3, 6, 3]


@pytest.mark.parametrize("width", [2, 50])
def test_a_router_takes_exactly_one_way(width: int) -> None:
    names = [f"to{index}" for index in range(width)]
    routes = [{"when": "true", "to": name} for name in names[:-1]]
    graph = graph_of(
        {"r": {"type": "Router", "config": {"routes": routes, "otherwise": names[-1]}}, **{name: {} for name in names}},
        [],
    )

    assert walk(graph, no=tuple(range(width - 1))).visits == [("r", 1), (names[-1], 1)]
    assert walk(graph).visits == [("r", 1), ("to0", 1)]
