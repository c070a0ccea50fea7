"""Which nodes and ways of a definition its cases have gone through, told from events."""

from typing import Any

import pytest

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


def outcome(events: list[str], inputs: dict[str, Any] | None = None) -> Outcome:
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
    state = RunState(status="completed", definition="flow@1.0.0", inputs=inputs or {}, nodes=nodes, result=result)
    return Outcome(state=state, events=tuple(found), awaiting=())


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


def test_a_router_says_which_way_it_took() -> None:
    events = [*ROUTE, "COMPLETED route right", "SKIPPED left", "STARTED right", "COMPLETED right", "STARTED both"]

    assert never(PLAN, outcome(events, {"n": 1})) == (
        ["left"],
        ["left -> both when inputs.n > 5", "first -> both when inputs.n > 7", "route -> left when inputs.n > 1"],
    )


@pytest.mark.parametrize(("number", "taken"), [(6, False), (8, True)])
def test_a_conditional_way_into_a_join_counts_when_its_condition_holds(number: int, taken: bool) -> None:  # noqa: FBT001 - a table
    events = [*ROUTE, "COMPLETED route left", "SKIPPED right", "STARTED left", "COMPLETED left", "STARTED both"]

    _, ways = never(PLAN, outcome(events, {"n": number}))

    assert ("first -> both when inputs.n > 7" not in ways) is taken
    assert "left -> both when inputs.n > 5" not in ways


def test_what_several_cases_go_through_adds_up() -> None:
    left = [*ROUTE, "COMPLETED route left", "SKIPPED right", "STARTED left", "COMPLETED left", "STARTED both"]
    right = [*ROUTE, "COMPLETED route right", "SKIPPED left", "STARTED right", "COMPLETED right", "STARTED both"]

    assert never(PLAN, outcome(left, {"n": 8}), outcome(right, {"n": 1})) == ([], [])


def test_the_nodes_and_ways_of_a_body_count_once_for_all_items() -> None:
    body = PLAN.model_copy(update={"nodes": PLAN.nodes[:2], "edges": PLAN.edges[:1]})
    items = PLAN.nodes[0].model_copy(update={"id": NodeId("items"), "body": "do:items"})
    plan = PLAN.model_copy(update={"nodes": (items,), "edges": (), "bodies": {"do:items": body}})
    events = ["STARTED items", "STARTED items[0].first", "STARTED items[1].first", "COMPLETED items[1].first"]

    assert never(plan, outcome(events)) == (["items.route"], [])


def test_what_undoes_a_visit_is_covered() -> None:
    event = Event.model_validate(
        {"seq": 1, "type": "COMPENSATED", "at": "", "node": "first", "data": {"by": "left:first#2"}}
    )
    done = outcome([])

    nodes, _ = never(PLAN, Outcome(state=done.state, events=(event,), awaiting=()))

    assert "left" not in nodes
