"""How far a run goes the same way on another plan, from its trace alone."""

from itertools import pairwise
from typing import Any

import pytest

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.fork import rehearsal_of
from orchestrator.graph.happenings import BodyClosed, BodyEntered, Happening, ItemsKnown, VisitEnded
from orchestrator.graph.plan import Plan
from orchestrator.trace import Life, Trace
from orchestrator.upgrade import Verdict, verdict_of
from tests.scenarios import ask, data, edge, graph


def plan_of(*names: str | dict[str, Any], version: int = 1, edges: Any = None, **rest: Any) -> Plan:
    """Nodes one after the other."""
    nodes = [data(name) if isinstance(name, str) else name for name in names]
    ids = [str(node["id"]) for node in nodes]
    ways = [edge(first, second) for first, second in pairwise(ids)] if edges is None else edges
    definition = {**graph(nodes, ways, **rest), "version": f"{version}.0.0"}
    return compile_definition(load_mapping(definition))


def life(plan: Plan, *happenings: Happening, carried: dict[str, Any] | None = None, **inputs: Any) -> Life:
    """A workflow run."""
    resolved = {"plan": plan.model_dump(mode="json"), "plan_hash": plan.hash, "inputs": inputs, "limits": {}}
    return Life("run", 0.0, carried or {}, resolved, list(happenings))


def ended(*names: str, **more: Any) -> list[Happening]:
    """Visits that ended well, one after the other."""
    found: list[Happening] = []
    for name in names:
        scope, _, node = name.rpartition(".")
        kind = more.get("kind", "normal")
        found.append(VisitEnded(f"{scope}." if scope else "", node, 1, kind, {"data": 1}, {}))
    return found


def verdict(old: Plan, new: Plan, *happenings: Happening, **inputs: Any) -> Verdict:
    """How a run that did this gets on with ``new``."""
    return verdict_of(Trace("run", (life(old, *happenings, **inputs),)), new)


def test_what_comes_later_does_not_matter() -> None:
    found = verdict(plan_of("a", "b", "c"), plan_of("a", "b", "x", version=2), *ended("a"))

    assert (found.verdict, found.migrates, found.nodes, found.where) == ("same path", True, (), None)


def test_a_run_that_has_ended_is_on_the_same_path_when_nothing_more_would_run() -> None:
    old = plan_of("a", "b")

    assert verdict(old, plan_of("a", "b", version=2), *ended("a", "b")).verdict == "same path"
    longer = verdict(old, plan_of("a", "b", "c", version=2), *ended("a", "b"))
    assert (longer.verdict, longer.nodes, longer.at) == ("fits from", ("c",), None)


def test_a_node_in_between_is_where_it_fits_from() -> None:
    found = verdict(plan_of("a", "b", "c"), plan_of("a", "new", "b", "c", version=2), *ended("a", "b"))

    assert (found.verdict, found.nodes, found.at, found.migrates) == ("fits from", ("new",), "b", False)


def test_a_condition_that_goes_another_way_is_where_it_fits_from() -> None:
    def made(version: int, when: str) -> Plan:
        ways = [edge("a", "b", when=when), edge("a", "c", when=f"!({when})")]
        return plan_of("a", "b", "c", version=version, edges=ways)

    found = verdict(made(1, "nodes.a.data == 1"), made(2, "nodes.a.data == 2"), *ended("a", "b"))

    assert (found.verdict, found.nodes, found.at) == ("fits from", ("c",), "b")


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_was_done_by_a_node_that_is_gone_is_blocked(name: str) -> None:
    rest = [other for other in ("a", "b", "c") if other != name]

    found = verdict(plan_of("a", "b", "c"), plan_of(*rest, version=2), *ended("a", "b"))

    assert (found.verdict, found.where, found.reason) == ("blocked", name, "the definition has no such node")


def test_what_waits_and_is_gone_is_blocked_unless_something_takes_its_place() -> None:
    old = plan_of("a", ask("q", "?"))

    gone = verdict(old, plan_of("a", version=2), *ended("a"))
    replaced = verdict(old, plan_of("a", ask("r", "?"), version=2), *ended("a"))
    retyped = verdict(old, plan_of("a", "q", version=2), *ended("a"))

    assert (gone.verdict, gone.where) == ("blocked", "q")
    assert (replaced.verdict, replaced.nodes, replaced.at) == ("fits from", ("r",), "q")
    assert (retyped.verdict, retyped.nodes) == ("fits from", ("q",))
    assert (retyped.migrates, replaced.migrates, gone.migrates) == (False, False, False)


def test_a_side_way_that_is_gone_is_run_again() -> None:
    old = plan_of(data("a", on_error="sorry"), "b", "sorry", edges=[edge("a", "b")])
    new = plan_of("a", "b", version=2)

    found = verdict(old, new, *ended("a", kind="error"))

    assert (found.verdict, found.nodes, found.at) == ("fits from", ("a",), "a")


def test_inputs_that_do_not_fit_are_blocked() -> None:
    new = plan_of("a", version=2, inputs={"x": {"type": "string"}})

    found = verdict(plan_of("a"), new)

    assert (found.verdict, found.where) == ("blocked", "inputs")


def test_items_are_looked_into() -> None:
    def made(version: int, *inner: str) -> Plan:
        ways = [edge(first, second) for first, second in pairwise(inner)]
        body = {"nodes": [data(name) for name in inner], "edges": ways}
        each = {"id": "each", "type": "ForEach", "config": {"items": "[1, 2]", "do": body}}
        return plan_of(each, version=version)

    happenings = [
        ItemsKnown("", "each", 1, [1, 2]),
        BodyEntered("each[0].", {}),
        BodyEntered("each[1].", {}),
        *ended("each[0].m", "each[1].m", "each[0].n"),
        BodyClosed("each[0].", {}),
    ]

    same = verdict(made(1, "m", "n"), made(2, "m", "n", "o"), *happenings[:5])
    fits = verdict(made(1, "m", "n"), made(2, "m", "x", "n"), *happenings)
    gone = verdict(made(1, "m", "n"), made(2, "m", "x"), *happenings)
    plain = verdict(made(1, "m", "n"), plan_of("each", version=2), *happenings)

    assert (same.verdict, same.migrates) == ("same path", True)
    assert (fits.verdict, fits.nodes, fits.at) == ("fits from", ("each[0].x", "each[1].x"), "each[0].n")
    assert (gone.verdict, gone.where) == ("blocked", "each[0].n")
    assert (plain.verdict, plain.where) == ("blocked", "each")


def test_earlier_workflow_runs_count_visit_by_visit() -> None:
    old, new = plan_of("a", "b", "c"), plan_of("a", "x", "b", "c", version=2)
    first = life(old, *ended("a", "b"))
    rehearsal = rehearsal_of(first, old)
    for happening in first.happenings:
        rehearsal.play(happening)
    second = life(old, *ended("c"), carried={"root": rehearsal.root.dump()})

    whole = verdict_of(Trace("run", (first, second)), new)
    rest = verdict_of(Trace("run", (second,)), new)

    assert (whole.verdict, whole.nodes, whole.at) == ("fits from", ("x",), "b")
    assert rest.verdict == "blocked"
    assert rest.reason is not None
