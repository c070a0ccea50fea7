"""A run's state for another plan: the same as if the run had gone by it from the start, or refused."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import InputError, MigrationError
from orchestrator.graph.fan import Fan
from orchestrator.graph.index import Graph
from orchestrator.graph.scope import Scope
from orchestrator.graph.translation import moved_inputs, translated
from tests.unit.playing import Sketch, changed, go_on, graph_of, play, played_again, sketches, standing

CALM = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@CALM
@given(sketches(), st.data())
def test_the_same_plan_changes_nothing(sketch: Sketch, data: st.DataObject) -> None:
    graph = sketch.graph()
    dumped = play(graph, data).dump()

    assert translated(dumped, graph, sketch.graph()) == dumped


@CALM
@given(sketches(), st.data())
def test_what_fits_stands_as_if_it_had_gone_by_the_new_plan_from_the_start(sketch: Sketch, data: st.DataObject) -> None:
    old, new = sketch.graph(), data.draw(changed(sketch)).graph("2.0.0")
    played = play(old, data, asked=new)
    try:
        moved = translated(played.dump(), old, new)
    except MigrationError:
        return
    if any(visits > 1 for visits in played.scope.marking.visits):
        return  # a loop has turned: what its earlier turns did stands as it is
    rehearsal, misfits = played_again(new, played.happenings)

    assert misfits == []
    assert standing(new, moved) == standing(new, rehearsal.root.dump())


@CALM
@given(sketches(), st.data())
def test_what_fits_comes_to_its_end_on_the_new_plan(sketch: Sketch, data: st.DataObject) -> None:
    old, new = sketch.graph(), data.draw(changed(sketch)).graph("2.0.0")
    try:
        moved = translated(play(old, data, asked=new).dump(), old, new)
    except MigrationError:
        return
    scope = Scope(new, {}, ABOUT, dumped=moved)

    go_on(scope, data, new)

    assert scope.over
    assert scope.stuck == []


ABOUT: dict[str, Any] = {"run": {}, "context": {}}


def chain(*names: str, version: str = "2.0.0", nodes: dict[str, Any] | None = None, **rest: Any) -> Graph:
    """Nodes one after the other."""
    edges = [{"from": first, "to": second} for first, second in pairwise(names)]
    return graph_of({name: (nodes or {}).get(name, {}) for name in names}, edges, version, **rest)


def after(graph: Graph, *names: str, writes: dict[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    """Where a run stands after these nodes."""
    scope = Scope(graph, inputs, ABOUT)
    scope.begin()
    for name in names:
        number = next(node.index for node in graph.nodes if node.plan.id == name)
        scope.start(number)
        scope.complete(number, {"data": name}, writes or {})
    return scope.dump()


def refused(dumped: dict[str, Any], old: Graph, new: Graph) -> tuple[Any, str]:
    """Where, and why, a state does not fit."""
    with pytest.raises(MigrationError) as caught:
        translated(dumped, old, new)
    return caught.value.details["node"], str(caught.value.details["reason"])


def test_what_comes_later_may_be_anything() -> None:
    old, new = chain("a", "b", "c"), chain("a", "b", "x", "y")

    moved = Scope(new, {}, ABOUT, dumped=translated(after(old, "a"), old, new))

    assert [new.nodes[number].plan.id for number in moved.marking.ready] == ["b"]
    assert moved.data.nodes["a"] == {"data": "a"}


def test_a_finished_node_must_be_there_with_its_type_and_its_ways() -> None:
    old = chain("a", "b", "c")

    assert refused(after(old, "a"), old, chain("b", "c")) == ("a", "has run, and the new definition has no such node")
    assert refused(after(old, "a"), old, chain("a", "x", "b"))[0] == "a"
    other = chain("a", "b", nodes={"a": {"type": "Format", "config": {"template": "x"}}})
    assert refused(after(old, "a"), old, other) == ("a", "is of type DataInput, and of type Format in the new one")


def test_a_new_node_before_one_that_has_begun_does_not_fit() -> None:
    old, new = chain("b", "c"), chain("a", "b", "c")

    assert refused(after(old, "b"), old, new) == ("b", "has begun, and now comes after `a`")


def test_a_new_branch_at_the_start_begins_at_once() -> None:
    old = chain("a", "b")
    new = graph_of(
        {"a": {}, "b": {}, "other": {}, "end": {}},
        [{"from": "a", "to": "b"}, {"from": "b", "to": "end"}, {"from": "other", "to": "end"}],
    )

    moved = Scope(new, {}, ABOUT, dumped=translated(after(old, "a"), old, new))

    assert sorted(new.nodes[number].plan.id for number in moved.marking.ready) == ["b", "other"]


def test_new_inputs_need_a_default_and_old_ones_are_dropped() -> None:
    old = chain("a", "b", inputs={"x": {"type": "string"}, "y": {"type": "string"}})
    new = chain("a", "b", inputs={"x": {"type": "string"}, "z": {"default": 1}})
    strict = chain("a", "b", inputs={"x": {"type": "integer"}, "z": {"type": "string"}})
    dumped = after(old, "a", x="1", y="2")

    assert translated(dumped, old, new)["inputs"] == {"x": "1", "z": 1}
    where, why = refused(dumped, old, strict)
    assert where == "inputs"
    assert "`z` is missing" in why
    with pytest.raises(InputError):
        moved_inputs(strict.plan, {"x": "1"})


def test_channels_keep_what_was_written_unless_they_mean_something_else() -> None:
    append = {"log": {"type": "array", "reducer": "append"}}
    old = chain("a", "b", state={**append, "gone": {"type": "any"}})
    dumped = after(old, "a", writes={"log": [1], "gone": 2})

    more = chain("a", "b", state={**append, "fresh": {"type": "integer", "initial": 7}})
    assert dict(Scope(more, {}, ABOUT, dumped=translated(dumped, old, more)).data.channels.values) == {
        "log": [1],
        "fresh": 7,
    }
    union = chain("a", "b", state={"log": {"type": "array", "reducer": "union"}})
    assert refused(dumped, old, union) == ("state.log", "has another type or reducer in the new definition")


def test_all_visits_are_there_where_only_one_was() -> None:
    old = chain("a", "b")
    new = chain("a", "b", nodes={"b": {"config": {"data": "{{ nodes.a.visits }}"}}})

    moved = translated(after(old, "a"), old, new)

    assert moved["data"]["nodes"]["a"] == {"data": "a", "visits": [{"data": "a"}]}


def test_the_finally_nodes_stay_as_they_are_once_they_have_begun() -> None:
    old, new = chain("a", "z"), chain("a", "z")
    dumped = {**after(old, "a"), "closed": 1}
    last: dict[str, Any] = {"finally": ["bye"]}
    other = graph_of({"a": {}, "z": {}, "bye": {}}, [{"from": "a", "to": "z"}], **last)

    assert translated(dumped, old, new)["closed"] == 1
    assert refused(dumped, old, other)[0] == "finally"


def test_items_that_are_open_move_with_the_run() -> None:
    def each(*names: str) -> Graph:
        body = {
            "nodes": [{"id": name, "type": "DataInput", "config": {"data": 1}} for name in names],
            "edges": [{"from": first, "to": second} for first, second in pairwise(names)],
        }
        return graph_of({"each": {"type": "ForEach", "config": {"items": "[1]", "do": body}}}, [])

    old, new = each("m", "n"), each("m", "o")
    scope = Scope(old, {}, ABOUT)
    scope.begin()
    running = scope.start(0)
    running.fan = Fan.begin(old.nodes[0].plan, "each", [1])
    inner = scope.open(running.fan, 0, old.bodies[old.nodes[0].plan.body or ""], {})
    inner.begin()
    inner.start(0)

    moved = Scope(new, {}, ABOUT, dumped=translated(scope.dump(), old, new))
    fan = moved.running[0].fan
    assert fan is not None
    assert list(fan.open[0].running) == [0]
    inner.complete(0, {"data": 1}, {})
    assert refused(scope.dump(), old, new)[0] in {"each[0].n", "each[0].m"}
    plain = chain("each")
    assert refused(scope.dump(), old, plain)[0] == "each"
