"""Which nodes and ways of a definition its cases have gone through."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from orchestrator.compiler import compile_definition
from orchestrator.contracts import Event, NodeState, RunResult, RunState
from orchestrator.definition.loader import load_text
from orchestrator.graph.plan import NodeId, Plan
from orchestrator.testkit.coverage import Coverage
from orchestrator.testkit.outcome import Outcome

PLAN = compile_definition(
    load_text(
        """\
name: flow
inputs: {n: {type: integer}}
nodes:
  - {id: first, type: Format, config: {template: a}}
  - id: route
    type: Router
    config: {routes: [{when: "inputs.n > 1", to: left}], otherwise: right}
  - {id: left, type: Format, config: {template: b}}
  - {id: right, type: Format, config: {template: c}}
  - {id: both, type: Format, join: any, config: {template: d}}
edges:
  - {from: first, to: route}
  - {from: left, to: both, when: "inputs.n > 5"}
  - {from: right, to: both}
  - {from: first, to: both, when: "inputs.n > 7"}
"""
    )
)
ROUTE = ["STARTED first", "COMPLETED first", "STARTED route"]


def outcome(events: list[str], took: AbstractSet[int] = frozenset()) -> Outcome:
    found: list[Event] = []
    for number, text in enumerate(events, 1):
        kind, node, *to = text.split()
        found.append(
            Event.model_validate(
                {"seq": number, "type": kind, "at": "", "node": node, "data": {"to": to[0]} if to else {}}
            )
        )
    result = RunResult(status="completed")
    nodes = {NodeId("first"): NodeState(status="done", output={"text": "a"})}
    state = RunState(status="completed", definition="flow@1.0.0", nodes=nodes, result=result)
    return Outcome(state=state, events=tuple(found), awaiting=(), took=frozenset(("", way) for way in took))


def never(plan: Plan, *outcomes: Outcome) -> tuple[list[str], list[str]]:
    coverage = Coverage(plan)
    for one in outcomes:
        coverage.add(one)
    return list(coverage.nodes.never), list(coverage.edges.never)


def test_nothing_is_covered_without_cases() -> None:
    coverage = Coverage(PLAN)

    assert (coverage.nodes.taken, coverage.nodes.total) == (0, 5)
    assert (coverage.edges.taken, coverage.edges.total) == (0, 6)
    assert coverage.edges.share == 0


def test_what_several_cases_go_through_adds_up() -> None:
    left = [*ROUTE, "COMPLETED route left", "SKIPPED right", "STARTED left", "COMPLETED left", "STARTED both"]
    right = [*ROUTE, "COMPLETED route right", "SKIPPED left", "STARTED right", "COMPLETED right", "STARTED both"]

    assert never(PLAN, outcome(left, {0, 1, 4})) == (
        ["right"],
        ["right -> both", "first -> both when inputs.n > 7", "route -> right"],
    )
    assert never(PLAN, outcome(left, {0, 1, 4}), outcome(right, {0, 2, 3, 5})) == ([], [])


def test_the_nodes_and_ways_of_a_body_count_once_for_all_items() -> None:
    body = PLAN.model_copy(update={"nodes": PLAN.nodes[:2], "edges": PLAN.edges[:1]})
    items = PLAN.nodes[0].model_copy(update={"id": NodeId("items"), "body": "do:items"})
    plan = PLAN.model_copy(update={"nodes": (items,), "edges": (), "bodies": {"do:items": body}})
    events = ["STARTED items", "STARTED items[0].first", "STARTED items[1].first", "COMPLETED items[1].first"]

    gone = replace(outcome(events), took=frozenset({("items", 0)}))
    assert never(plan, gone) == (["items.route"], [])


def test_what_undoes_a_visit_is_covered() -> None:
    event = Event.model_validate(
        {"seq": 1, "type": "COMPENSATED", "at": "", "node": "first", "data": {"by": "left:first#2"}}
    )
    done = outcome([])

    nodes, _ = never(PLAN, Outcome(state=done.state, events=(event,), awaiting=()))

    assert "left" not in nodes
