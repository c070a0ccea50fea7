"""Where a fork begins, from a run's trace alone."""

from typing import Any

import pytest

from orchestrator.contracts import ForkRequest, LimitsRequest, RunContext, RunRequest
from orchestrator.errors import InputError, MigrationError, RequestError
from orchestrator.fork import Forked, fork_of, request_for
from orchestrator.graph.happenings import BodyClosed, BodyEntered, Happening, ItemsKnown, Undone, VisitEnded
from orchestrator.graph.plan import Plan
from orchestrator.trace import Life, Trace
from tests.scenarios import edge
from tests.unit.test_upgrade import ended, life, plan_of

LOOP = plan_of("a", "b", edges=[edge("a", "a", when="true", max_visits=3), edge("a", "b")])
EACH: dict[str, Any] = {
    "id": "each",
    "type": "ForEach",
    "config": {"items": "[1, 2]", "do": {"nodes": [{"id": "m", "type": "DataInput", "config": {"data": 1}}]}},
}
ITEMS: list[Happening] = [
    ItemsKnown("", "each", 1, [1, 2]),
    BodyEntered("each[0].", {}),
    BodyEntered("each[1].", {}),
    *ended("each[0].m", "each[1].m"),
    BodyClosed("each[0].", {}),
    BodyClosed("each[1].", {}),
    VisitEnded("", "each", 1, "normal", {"results": [{}, {}], "errors": [], "count": 2}, {}),
]


def visits(count: int) -> list[Happening]:
    """Turns of ``a``."""
    return [VisitEnded("", "a", visit, "normal", {"data": visit}, {}) for visit in range(1, count + 1)]


def fork(plan: Plan, happenings: list[Happening], at: str, new: Plan | None = None, **changes: Any) -> Forked:
    """A fork of a run that did this."""
    request = ForkRequest(run="source", at=at, set=changes)
    return fork_of(Trace("source", (life(plan, *happenings, n=1),)), request, new)


def path(found: Forked) -> list[str]:
    """The visits that are taken over."""
    return list(found.carried.get("journal", {})["path"])


@pytest.mark.parametrize(
    ("at", "taken"),
    [("a", []), ("a#2", ["a"]), ("a#3", ["a", "a#2"]), ("b", ["a", "a#2", "a#3"])],
)
def test_a_visit_in_a_loop_is_named_by_its_number(at: str, taken: list[str]) -> None:
    found = fork(LOOP, [*visits(3), *ended("b")], at)

    assert path(found) == taken
    assert (found.lineage.run, found.lineage.at, found.lineage.taken) == ("source", at, len(taken))


def test_only_what_the_point_led_to_is_left_out() -> None:
    ways = [edge("a", "left"), edge("a", "right"), edge("left", "end"), edge("right", "end")]
    plan = plan_of("a", "left", "right", "end", edges=ways)

    found = fork(plan, ended("a", "left", "right", "end"), "left")

    assert path(found) == ["a", "right"]


@pytest.mark.parametrize(
    ("at", "taken"),
    [("each", []), ("each[1]", ["each[0].m"]), ("each[0]", ["each[1].m"]), ("each[1].m", ["each[0].m"])],
)
def test_an_item_is_forked_beside_the_others(at: str, taken: list[str]) -> None:
    assert path(fork(plan_of(EACH, "end"), [*ITEMS, *ended("end")], at)) == taken


@pytest.mark.parametrize("at", ["nope", "a#4", "b#2", "each[7]", "each[0].x"])
def test_a_point_that_the_run_never_came_to_is_refused(at: str) -> None:
    with pytest.raises(RequestError, match="never ran in `source`"):
        fork(plan_of("a", EACH, "b"), [*ended("a"), *ITEMS], at)


@pytest.mark.parametrize("at", ["", "a b", "a#0", "a[x]", "#2", "a..b"])
def test_what_names_no_visit_is_refused(at: str) -> None:
    with pytest.raises((RequestError, ValueError), match=r"names no visit|at least 1 character"):
        fork(LOOP, visits(1), at)


def test_a_node_that_was_ready_or_under_way_can_be_the_point() -> None:
    assert path(fork(plan_of("a", "b"), ended("a"), "b")) == ["a"]


def test_what_is_taken_over_can_be_changed() -> None:
    plan = plan_of("a", "b", inputs={"n": {"type": "integer"}}, state={"log": {"type": "array"}})

    changes: dict[str, Any] = {"inputs.n": 2, "state.log": [1], "nodes.a.data": "x"}
    found = fork(plan, ended("a"), "b", **changes)

    root = found.carried.get("root", {})
    assert (found.inputs, root["data"]["nodes"]["a"]) == ({"n": 2}, {"data": "x"})
    assert root["data"]["channels"]["log"]["base"] == [1]


@pytest.mark.parametrize(
    "change", [{"inputs.n": "x"}, {"inputs.z": 1}, {"state.z": 1}, {"nodes.b.data": 1}, {"nodes.a": 1}, {"x y": 1}]
)
def test_what_cannot_be_changed_is_refused_by_its_name(change: dict[str, Any]) -> None:
    plan = plan_of("a", "b", inputs={"n": {"type": "integer"}})

    with pytest.raises(RequestError, match=f"`{next(iter(change))}` cannot be set"):
        fork(plan, ended("a"), "b", **change)


def test_another_plan_has_to_hold_what_is_taken_over() -> None:
    old, fits, late = plan_of("a", "b", "c"), plan_of("a", "b", "d", version=2), plan_of("x", "a", "b", version=2)

    assert fork(old, ended("a", "b"), "c", fits).plan is fits
    with pytest.raises(MigrationError, match="`a` was done in `source` and has no place") as caught:
        fork(old, ended("a", "b"), "c", late)
    assert caught.value.details["lost"] == ["a", "b"]


def test_inputs_that_another_plan_wants_can_be_given() -> None:
    new = plan_of("a", "b", version=2, inputs={"n": {"type": "integer"}, "more": {"type": "string"}})

    with pytest.raises(InputError, match="`more` is missing"):
        fork(plan_of("a", "b"), ended("a"), "b", new)
    assert fork(plan_of("a", "b"), ended("a"), "b", new, **{"inputs.more": "x"}).inputs == {"n": 1, "more": "x"}


def test_what_was_undone_is_not_taken_over() -> None:
    found = fork(plan_of("a", "b", "c"), [*ended("a", "b", "c"), Undone("b")], "c")

    assert path(found) == ["a"]


def test_what_was_undone_and_is_older_than_the_point_is_refused() -> None:
    first = life(plan_of("a", "b", "c"), *ended("a", "b"))
    carried = fork(plan_of("a", "b", "c"), ended("a", "b"), "c").carried
    second = life(plan_of("a", "b", "c"), *ended("c"), Undone("a"), carried=dict(carried))
    trace = Trace("source", (first, second))

    with pytest.raises(RequestError, match="undid `a`, which it had done in an earlier workflow run"):
        fork_of(trace, ForkRequest(run="source", at="c"), None)
    assert path(fork_of(trace, ForkRequest(run="source", at="b"), None)) == []


def test_a_fork_is_for_whom_the_run_was_within_its_limits() -> None:
    began: Life = life(plan_of("a", version=3))
    began.resolved = {**began.resolved, "context": {"tenant": "acme"}, "limits": {"steps": 7, "timeout": 5.0}}
    request = RunRequest(definition="x", limits=LimitsRequest(steps=9))
    fork_request = ForkRequest(run="source", at="a")

    known = request_for(Trace("source", (began,), request), fork_request)
    gone = request_for(Trace("source", (began,)), fork_request, "scenario@4.0.0")

    assert (known.context, known.limits, known.definition) == (
        RunContext(tenant="acme"),
        request.limits,
        "scenario@3.0.0",
    )
    assert (gone.limits.steps, gone.limits.timeout, gone.definition) == (7, 5.0, "scenario@4.0.0")
    assert known.fork is not None
    assert gone.fork is not None
    assert (known.fork.own_definition, gone.fork.own_definition) == (True, False)
