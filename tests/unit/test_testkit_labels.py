"""Labels of visits, and durations as people read them."""

import pytest

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.graph.durations import parse_duration
from orchestrator.graph.plan import NodeId, Plan, PlanNode, Template
from orchestrator.testkit.durations import spelled
from orchestrator.testkit.labels import Label, find_node, nodes_under, without_indexes


def node(name: str, **fields: object) -> PlanNode:
    return PlanNode.model_validate(
        {"id": name, "type": "Format", "tier": "quick", "config": Template(value={}), **fields}
    )


BODY = Plan(name="b", version="1.0.0", hash="", nodes=(node("answer"), node("check")))
ROOT = Plan(
    name="a",
    version="1.0.0",
    hash="",
    nodes=(node("ask"), node("items", body="do:items", tier="control", type="ForEach")),
    bodies={"do:items": BODY},
)


@pytest.mark.parametrize(
    ("label", "visits"),
    [
        ("answer", {("answer", 1), ("answer", 2)}),
        ("answer#2", {("answer", 2)}),
        ("items[3].answer", {("items[3].answer", 1)}),
        ("items[*].answer", {("items[3].answer", 1), ("items[12].answer", 2)}),
        ("items[*].answer#2", {("items[12].answer", 2)}),
        ("items#2[*].answer", {("items#2[0].answer", 1)}),
    ],
)
def test_a_label_covers_its_visits(label: str, visits: set[tuple[str, int]]) -> None:
    every = {
        ("answer", 1),
        ("answer", 2),
        ("items[3].answer", 1),
        ("items[12].answer", 2),
        ("items#2[0].answer", 1),
        ("sub.answer", 1),
    }

    assert {visit for visit in every if Label.read(label).covers(*visit)} == visits


@pytest.mark.parametrize("text", ["", "a b", "items[3]", "answer#0", ".answer", "a..b", "a[-1].b"])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        Label.read(text)


def test_the_more_exact_label_weighs_more() -> None:
    labels = [Label.read(text) for text in ("items[*].a", "items[1].a", "items[*].a#2", "items[1].a#2")]

    assert [label.text for label in sorted(labels, key=lambda label: label.weight)] == [
        "items[*].a",
        "items[*].a#2",
        "items[1].a",
        "items[1].a#2",
    ]


def test_a_node_of_a_body_is_found() -> None:
    assert find_node(ROOT, Label.read("items[4].check#2"), {}).node == BODY.nodes[1]


def test_a_node_of_a_child_is_found() -> None:
    root = ROOT.model_copy(update={"nodes": (node("sub", type="Subworkflow", tier="control"),), "bodies": {}})

    assert find_node(root, Label.read("sub.items[0].answer"), {"sub": ROOT}).node == BODY.nodes[0]


def test_a_node_that_is_not_there_has_the_nearest_name() -> None:
    found = find_node(ROOT, Label.read("items[0].chekc"), {})

    assert (found.node, found.hint) == (None, "Did you mean `check`?")


def test_every_node_of_every_body_is_listed() -> None:
    assert list(nodes_under(ROOT)) == ["ask", "items", "items.answer", "items.check"]


def test_the_place_of_a_visit_has_no_numbers() -> None:
    assert without_indexes("items#2[3].sub#4.answer") == "items.sub.answer"


def test_labels_of_a_real_definition_are_found() -> None:
    plan = compile_definition(
        load_mapping({"name": "a", "nodes": [{"id": "greet", "type": "Format", "config": {"template": "x"}}]})
    )

    assert find_node(plan, Label.read("greet"), {}).node is not None
    assert plan.nodes[0].id == NodeId("greet")


@pytest.mark.parametrize(
    ("seconds", "short", "exact"),
    [
        (0.0, "0s", "0s"),
        (0.0123, "12ms", "12ms"),
        (183.02, "3m3s", "3m3s20ms"),
        (6 * 86_400 + 0.005, "6d", "6d5ms"),
        (90_061.0, "1d1h", "1d1h1m1s"),
    ],
)
def test_a_duration_is_spelled(seconds: float, short: str, exact: str) -> None:
    assert spelled(seconds) == short
    assert spelled(seconds, exact=True) == exact
    if seconds:
        assert parse_duration(exact) == pytest.approx(seconds, abs=0.001)
