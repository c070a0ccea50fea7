"""What happened, played again: it gives the state at any point, and says what has no place on another plan."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.graph.happenings import (
    Assigned,
    BodyClosed,
    BodyEntered,
    BodyFailed,
    Happening,
    InputsChanged,
    ItemsKnown,
    VisitEnded,
    VisitSkipped,
)
from orchestrator.graph.index import Graph
from orchestrator.graph.rehearsal import Rehearsal, place
from tests.unit.playing import Sketch, graph_of, play, played_again, sketches, standing

CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
ABOUT: dict[str, Any] = {"run": {}, "context": {}}
EACH: dict[str, Any] = {
    "type": "ForEach",
    "config": {
        "items": "inputs.list",
        "do": {
            "nodes": [{"id": "m", "type": "DataInput", "config": {"data": 1}}],
            "outputs": {"m": "{{ nodes.m.data }}"},
        },
    },
}


def ended(path: str, node: str, visit: int = 1, **more: Any) -> VisitEnded:
    """A visit that ended well."""
    return VisitEnded(path, node, visit, more.pop("kind", "normal"), more.pop("output", {}), more)


def rehearsed(graph: Graph, *happenings: Happening, **inputs: Any) -> tuple[Rehearsal, list[str]]:
    """What happened, and the reasons of what had no place."""
    rehearsal = Rehearsal(graph, inputs, ABOUT, {})
    misfits = [misfit for happening in happenings if (misfit := rehearsal.play(happening)) is not None]
    return rehearsal, [misfit.reason for misfit in misfits]


def line(*names: str, **nodes: Any) -> Graph:
    """Nodes one after the other; what is not said of one is a DataInput."""
    edges = [{"from": first, "to": second} for first, second in pairwise(names)]
    return graph_of({name: nodes.get(name, {}) for name in names}, edges, inputs={"list": {"default": []}})


@CALM
@given(sketches(), st.data())
def test_on_its_own_plan_a_run_comes_to_stand_where_it_stood(sketch: Sketch, data: st.DataObject) -> None:
    graph = sketch.graph()
    played = play(graph, data)

    rehearsal, misfits = played_again(graph, played.happenings)

    assert misfits == []
    assert standing(graph, rehearsal.root.dump()) == standing(graph, played.dump())
    assert rehearsal.root.data.nodes == played.scope.data.nodes


@CALM
@given(sketches(), st.data())
def test_it_goes_on_from_where_an_earlier_workflow_run_stood(sketch: Sketch, data: st.DataObject) -> None:
    graph = sketch.graph()
    played = play(graph, data)
    middle = data.draw(st.integers(0, len(played.happenings)))
    before, _ = played_again(graph, played.happenings[:middle])

    rehearsal = Rehearsal(graph, {}, ABOUT, {}, before.root.dump())
    misfits = [rehearsal.play(happening) for happening in played.happenings[middle:]]

    assert misfits == [None] * len(misfits)
    assert standing(graph, rehearsal.root.dump()) == standing(graph, played.dump())


def test_a_node_that_is_not_there_or_of_another_type_is_gone() -> None:
    rehearsal = Rehearsal(line("a", "b"), {}, ABOUT, {"b": "Format"})

    first, other, missing = (rehearsal.play(ended("", name)) for name in ("a", "b", "c"))

    assert first is None
    assert other is not None
    assert missing is not None
    assert (other.gone, other.reason) == (True, "it was of type Format and is of type DataInput")
    assert (missing.gone, missing.reason) == (True, "the definition has no such node")
    assert (rehearsal.taken, rehearsal.ready()) == (["a"], ["b"])


def test_what_comes_too_early_or_too_often_has_no_place_and_changes_nothing() -> None:
    rehearsal, reasons = rehearsed(line("a", "b"), ended("", "b"), ended("", "a", 2), ended("", "a"), ended("", "a"))

    assert reasons == [
        "nothing leads to it at that point",
        "it would be visit 1 there",
        "nothing leads to it at that point",
    ]
    assert (rehearsal.taken, rehearsal.ready()) == (["a"], ["b"])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("error", "it failed, and no way is meant for that"),
        ("expiry", "nobody answered in time, and no way is meant for that"),
        ("reject", "it was rejected, and no way is meant for that"),
    ],
)
def test_a_visit_that_went_a_side_way_needs_one(kind: Any, reason: str) -> None:
    rehearsal, reasons = rehearsed(line("a", "b"), ended("", "a", kind=kind))

    assert (reasons, rehearsal.ready()) == ([reason], ["a"])


def test_a_visit_that_was_given_up_is_passed_over() -> None:
    rehearsal, reasons = rehearsed(line("a", "b"), ended("", "a"), VisitSkipped("", "b", 1))

    assert (reasons, rehearsal.ready(), rehearsal.root.over) == ([], [], True)


def test_items_open_close_and_fail_one_by_one() -> None:
    collecting = {**EACH, "config": {**EACH["config"], "on_item_error": "collect"}}
    happenings = [
        ItemsKnown("", "each", 1, ["x", "y", "z"]),
        BodyEntered("each[0].", {}),
        BodyEntered("each[1].", {}),
        BodyEntered("each[2].", {}),
        ended("each[2].", "m"),
        ended("each[0].", "m"),
        BodyClosed("each[0].", {"m": 1}),
        BodyFailed("each[1].", "NODE_FAILED", "no"),
    ]

    rehearsal, reasons = rehearsed(line("each", "end", each=collecting), *happenings, list=["x", "y", "z"])

    assert reasons == []
    assert rehearsal.taken == ["each[2].m", "each[0].m"]
    assert rehearsal.scope("each[1].") is None
    open_ = rehearsal.scope("each[2].")
    assert open_ is not None
    assert open_.over
    done = {"results": [{"m": 1}, None, {"m": 1}], "errors": [{"index": 1}], "count": 3}
    assert rehearsal.play(ended("", "each", output=done)) is not None
    rehearsal.play(BodyClosed("each[2].", {"m": 1}))
    assert rehearsal.play(ended("", "each", output=done)) is None
    assert rehearsal.ready() == ["end"]


def test_a_body_cannot_close_while_its_nodes_go_on() -> None:
    rehearsal, reasons = rehearsed(
        line("each", each=EACH), ItemsKnown("", "each", 1, [1]), BodyEntered("each[0].", {}), BodyClosed("each[0].", {})
    )

    assert (reasons, rehearsal.ready()) == (["not all of its nodes have ended"], ["each[0].m"])


def test_what_runs_no_body_any_more_is_gone() -> None:
    rehearsal = Rehearsal(line("each"), {}, ABOUT, {})

    misfits = [rehearsal.play(item) for item in (ItemsKnown("", "each", 1, [1]), BodyEntered("each[0].", {}))]

    assert [misfit and (misfit.path, misfit.gone) for misfit in misfits] == [("each", True), ("each", True)]
    assert rehearsal.ready() == ["each"]


def test_shared_state_and_inputs_change_as_far_as_the_plan_has_them() -> None:
    graph = graph_of({"a": {}}, [], state={"kept": {"type": "string"}}, inputs={"x": {"default": 1}})
    rehearsal, reasons = rehearsed(
        graph,
        Assigned({"kept": "new", "dropped": 1}),
        InputsChanged("", {"x": 2, "y": 3}),
        ended("", "a", dropped="no"),
        x=1,
    )

    assert reasons == []
    assert rehearsal.root.data.channels.values == {"kept": "new"}
    assert rehearsal.root.data.inputs == {"x": 2}


def test_the_place_of_a_node_has_no_items_and_no_visits() -> None:
    assert place("items#2[3].sub.answer#4") == "items.sub.answer"
