"""Failing, undoing and cleaning up: ways aside, nodes that run aside, and what may be referred to there."""

from typing import Any

import pytest

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.graph.plan import Plan
from tests.unit.test_rules import edge, found, issues, router, text

Json = dict[str, Any]


def plan(nodes: list[Json], edges: list[Json] | None = None, **more: Any) -> Plan:
    return compile_definition(load_mapping({"name": "test", "nodes": nodes, "edges": edges or [], **more}))


def ask(name: str, **config: Any) -> Json:
    return {"id": name, "type": "UserInput", "config": {"question": "?", **config}}


def test_a_way_aside_is_an_edge_of_its_kind_behind_the_normal_ones() -> None:
    nodes = [text("a", on_error="c"), text("b"), text("c")]

    assert [(way.source, way.target, way.kind) for way in plan(nodes, [edge("a", "b")]).edges] == [
        ("a", "b", "normal"),
        ("a", "c", "error"),
    ]


def test_a_normal_way_and_a_way_aside_may_lead_to_the_same_node() -> None:
    assert found([text("a", on_error="b"), text("b")], [edge("a", "b")]) == []


def test_a_router_may_have_a_way_aside() -> None:
    nodes = [router("r", [{"when": "true", "to": "a"}], "b") | {"on_error": "c"}, *(text(name) for name in "abc")]

    assert [way.kind for way in plan(nodes).edges] == ["normal", "normal", "error"]
    assert [node.exclusive for node in plan(nodes).nodes] == [True, False, False, False]


@pytest.mark.parametrize(
    ("nodes", "edges", "expected"),
    [
        ([text("a", on_error="x"), text("b")], [edge("a", "b")], [("DEF031", "nodes[0].on_error")]),
        ([text("a", compensate="x")], [], [("DEF031", "nodes[0].compensate")]),
        ([text("a", on_error="a")], [], [("DEF041", "nodes[0].on_error")]),
        ([text("a"), text("b", on_error="a")], [edge("a", "b")], [("DEF041", "nodes[1].on_error")]),
        ([text("a", on_error=3)], [], [("DEF012", "nodes[0].on_error")]),
        ([text("a", on_failure="retry")], [], [("DEF012", "nodes[0].on_failure")]),
        ([text("a", compensate="u"), text("u"), text("b")], [edge("a", "u"), edge("a", "b")], [("DEF042", "edges[0]")]),
        ([text("a", compensate="u"), text("u"), text("b")], [edge("u", "b"), edge("a", "b")], [("DEF042", "edges[0]")]),
        ([text("a", compensate="u", on_error="u"), text("u")], [], [("DEF042", "nodes[0].on_error")]),
        ([text("a", compensate="a")], [], [("DEF042", "nodes"), ("DEF044", "nodes[0].compensate")]),
        ([text("a", compensate="u"), ask("u")], [], [("DEF044", "nodes[1].type")]),
        ([text("a", compensate="u"), text("u", join="any")], [], [("DEF044", "nodes[1].join")]),
        ([text("a", compensate="u"), text("u", on_failure="fail")], [], [("DEF044", "nodes[1].on_failure")]),
    ],
)
def test_a_mistake_in_failing_and_undoing_has_its_place(
    nodes: list[Json], edges: list[Json], expected: list[tuple[str, str]]
) -> None:
    assert found(nodes, edges) == expected


@pytest.mark.parametrize(
    ("nodes", "closing", "expected"),
    [
        ([text("a")], ["x"], [("DEF031", "finally[0]")]),
        ([text("a")], ["a"], [("DEF042", "nodes")]),
        ([text("a"), text("f")], ["f", "f"], [("DEF043", "finally[1]")]),
        ([text("a", compensate="f"), text("f")], ["f"], [("DEF043", "finally[0]")]),
        ([text("a"), ask("f")], ["f"], [("DEF044", "nodes[1].type")]),
        ([text("a"), router("f", [{"when": "true", "to": "a"}], "a")], ["f"], [("DEF042", "nodes[1].config.otherwise"),
         ("DEF042", "nodes[1].config.routes[0]"), ("DEF044", "nodes[1].type")]),
        ([text("a"), text("f", write={"s": 1})], ["f"], [("DEF044", "nodes[1].write")]),
        ([text("a"), text("f", on_error="a")], ["f"], [("DEF044", "nodes[1].on_error")]),
        ([text("a")], "a", [("DEF012", "finally")]),
        ([text("a")], [3], [("DEF012", "finally[0]")]),
    ],
)  # fmt: skip
def test_a_mistake_in_finally_has_its_place(nodes: list[Json], closing: Any, expected: list[tuple[str, str]]) -> None:
    assert found(nodes, state={"s": {}}, **{"finally": closing}) == expected


def test_a_way_aside_that_leads_back_says_where_to_and_what_to_do() -> None:
    [issue] = issues([text("a"), text("b"), text("c", on_error="a")], [edge("a", "b"), edge("b", "c")])

    assert issue.message == "`on_error` of `c` leads back: `a` leads to `c` again"
    assert issue.hint == "Lead it to a node that comes later, and let an edge with `max_visits` lead back from there."


def test_what_a_way_aside_leads_to_may_lead_back_with_a_bound() -> None:
    nodes = [text("a"), text("b", on_error="c"), text("c")]
    compiled = plan(nodes, [edge("a", "b"), edge("c", "a", max_visits=3)])

    assert [(loop.head, loop.body) for loop in compiled.loops] == [("a", ("a", "b", "c"))]


def test_nodes_that_run_aside_come_last_in_the_plan_and_have_no_edges() -> None:
    nodes = [text("f"), text("u"), text("b"), text("a", compensate="u"), text("g")]
    compiled = plan(nodes, [edge("a", "b")], **{"finally": ["g", "f"]})

    assert [(node.id, node.role, node.compensate) for node in compiled.nodes] == [
        ("a", "main", "u"),
        ("b", "main", None),
        ("f", "finally", None),
        ("u", "compensate", None),
        ("g", "finally", None),
    ]
    assert compiled.closing == ("g", "f")
    assert [way.source for way in compiled.edges] == ["a"]


def test_what_becomes_of_a_failure_comes_from_the_node_then_the_definition() -> None:
    nodes = [text("a", on_failure="park"), text("b")]

    assert [node.on_failure for node in plan(nodes, on_failure="fail").nodes] == ["park", "fail"]
    assert [node.on_failure for node in plan(nodes).nodes] == ["park", "park"]


@pytest.mark.parametrize(
    ("reference", "codes"),
    [
        ("{{ nodes.a.error.message }}", []),
        ("{{ nodes.a }}", []),
        ("{{ nodes.a.text }}", ["DEF055"]),
        ("{{ nodes.a.expired }}", ["DEF054"]),
    ],
)
def test_behind_an_error_there_is_the_error_and_nothing_else(reference: str, codes: list[str]) -> None:
    assert [code for code, _ in found([text("a", on_error="b"), text("b", reference)])] == codes


@pytest.mark.parametrize(
    ("reference", "codes"),
    [
        ("{{ nodes.a }}", []),
        ("{{ nodes.a.text }}", ["DEF055"]),
        ("{{ nodes.a.error }}", ["DEF055"]),
        ("{{ nodes.a.text if nodes.a.text is defined else '' }}", []),
        ("{% if nodes.a.error is defined %}-{% else %}{{ nodes.a.text }}{% endif %}", []),
        ("{{ nodes.b.text if nodes.b is defined else '' }}", []),
        ("{{ nodes.b.text }}", ["DEF055"]),
    ],
)
def test_behind_a_join_of_both_ways_neither_output_is_certain(reference: str, codes: list[str]) -> None:
    nodes = [text("a", on_error="b"), text("b"), text("c", reference)]

    assert [code for code, _ in found(nodes, [edge("a", "c"), edge("b", "c")])] == codes
    assert [code for code, _ in found(nodes[:2], outputs={"x": reference})] == codes


def test_on_the_normal_way_the_output_is_certain() -> None:
    nodes = [text("a", on_error="c"), text("b", "{{ nodes.a.text }}"), text("c")]

    assert found(nodes, [edge("a", "b", when="output.text == nodes.a.text")]) == []


def test_what_all_ways_of_a_node_lead_to_is_certain() -> None:
    nodes = [text("a", on_error="b"), text("b"), text("c"), text("d")]
    ways = [edge("a", "c"), edge("b", "d"), edge("c", "d")]

    assert found(nodes, ways, outputs={"x": "{{ nodes.d.text }}"}) == []


def test_the_hint_asks_for_the_field_where_the_node_has_ended_in_any_case() -> None:
    [issue] = issues(
        [text("a", on_error="b"), text("b"), text("c", "{{ nodes.a.text }}")], [edge("a", "c"), edge("b", "c")]
    )

    assert issue.message == "`a` has no `text` when it ended by `on_error`"
    assert issue.hint == "Guard it: `{{ nodes.a.text if nodes.a.text is defined else '' }}`."


def test_an_error_needs_a_way_aside() -> None:
    [issue] = issues([text("a"), text("b", "{{ nodes.a.error.code }}")], [edge("a", "b")])

    assert (issue.code, issue.hint) == ("DEF054", "That needs `on_error` on `a`.")


@pytest.mark.parametrize(
    ("reference", "codes"),
    [
        ("{{ output.text }} {{ nodes.a.text }} {{ nodes.s.text }} {{ inputs.x }} {{ state.s }}", []),
        ("{{ output.data.x }}", []),
        ("{{ output.result }}", ["DEF054"]),
        ("{{ nodes.b.text }}", ["DEF055"]),
        ("{{ run.status }}", ["DEF053"]),
        ("{{ nodes.u.text }}", ["DEF056"]),
    ],
)
def test_what_undoes_a_node_sees_what_was_there_when_it_finished(reference: str, codes: list[str]) -> None:
    nodes = [text("s"), text("a", compensate="u", on_error="e"), text("b"), text("u", reference), text("e")]
    ways = [edge("s", "a"), edge("a", "b")]

    assert [code for code, _ in found(nodes, ways, inputs={"x": {}}, state={"s": {}})] == codes


def test_what_undoes_several_nodes_sees_what_is_there_for_each_of_them() -> None:
    def codes(reference: str) -> list[str]:
        nodes = [text("a"), text("b", compensate="u"), text("c", compensate="u"), text("u", reference)]
        return [code for code, _ in found(nodes, [edge("a", "b"), edge("b", "c")])]

    assert codes("{{ nodes.a.text }} {{ nodes.b.text }} {{ output.text }}") == []
    assert codes("{{ nodes.c.text }}") == ["DEF055"]


def test_an_unknown_field_of_what_is_undone_names_the_node() -> None:
    [issue] = issues([text("a", compensate="u"), text("u", "{{ output.txt }}")])

    assert (issue.code, issue.message) == ("DEF054", "`output` of `a` is a `Format` and has no field `txt`")


@pytest.mark.parametrize(
    ("reference", "codes"),
    [
        ("{{ run.status }} {{ run.error }} {{ inputs.x }} {{ state.s }}", []),
        ("{{ nodes.a.text }}", ["DEF055"]),
        ("{{ nodes.a.text if nodes.a is defined else '' }}", []),
        ("{{ nodes.g.text if nodes.g is defined else '' }}", []),
        ("{{ output.text }}", ["DEF053"]),
        ("{{ nodes.f.text }}", ["DEF056"]),
    ],
)
def test_at_the_very_end_no_node_has_certainly_finished(reference: str, codes: list[str]) -> None:
    nodes = [text("a"), text("g"), text("f", reference)]
    closing: Json = {"finally": ["g", "f"]}

    assert [code for code, _ in found(nodes, inputs={"x": {}}, state={"s": {}}, **closing)] == codes


def test_how_the_run_ended_is_known_only_at_the_very_end() -> None:
    [issue] = issues([text("a", "{{ run.status }}")])

    assert (issue.code, issue.hint) == ("DEF053", "`run.status` is there only in the nodes of `finally`.")


def test_nothing_in_the_graph_may_rely_on_what_runs_aside() -> None:
    nodes = [text("a", "{{ nodes.f.text }}"), text("f")]

    closing: Json = {"finally": ["f"]}

    assert found(nodes, **closing) == [("DEF055", "nodes[0].config.template")]


def test_a_bound_of_zero_visits_is_refused_in_plain_words() -> None:
    nodes, way = [text("a"), text("b")], edge("a", "b", max_visits=0)
    routes = [router("r", [{"when": "true", "to": "a", "max_visits": 0}], "b"), *nodes]

    assert [(issue.code, issue.message) for issue in issues(nodes, [way])] == [
        ("DEF012", "`max_visits` must be at least 1")
    ]
    assert [(issue.code, issue.message) for issue in issues(routes)] == [
        ("DEF021", "`max_visits` of `r` must be at least 1")
    ]


def test_an_expression_guards_a_field_and_its_node_at_once() -> None:
    nodes = [text("s"), text("a", on_error="b"), text("b"), text("c"), text("d")]
    ways = [edge("s", "a", when="true"), edge("a", "c"), edge("b", "c"), edge("s", "c")]

    def codes(when: str) -> list[str]:
        return [code for code, _ in found(nodes, [*ways, edge("c", "d", when=when)])]

    assert codes("has(nodes.a.text) && nodes.a.text == 'x'") == []
    assert codes("nodes.a.text == 'x'") == ["DEF055"]
    assert codes("has(nodes.a) && nodes.a.text == 'x'") == ["DEF055"]
    assert codes("has(nodes.a.error) || (has(nodes.a) && nodes.a.text == 'x')") == []


def test_where_neither_the_node_nor_the_field_is_certain_the_hint_asks_for_both() -> None:
    nodes = [text("s"), text("a", on_error="b"), text("b"), text("c", "{{ nodes.a.text }}")]
    ways = [edge("s", "a", when="true"), edge("a", "c"), edge("b", "c"), edge("s", "c")]
    [issue] = issues(nodes, ways)

    assert issue.hint == "Guard it: `{% if nodes.a is defined and nodes.a.text is defined %}…{% endif %}`."
    guarded = "{% if nodes.a is defined and nodes.a.text is defined %}{{ nodes.a.text }}{% endif %}"
    assert found([*nodes[:3], text("c", guarded)], ways) == []


def test_what_a_node_writes_is_the_output_of_one_that_finished_well() -> None:
    nodes = [text("a", on_error="b", write={"s": "{{ output.error }}"}), text("b")]

    assert found(nodes, state={"s": {}}) == [("DEF054", "nodes[0].write.s")]


@pytest.mark.parametrize("when", ["nodes.a.text == 'x'", "has(nodes.a) && nodes.a.text == 'x'"])
def test_the_hint_for_an_expression_asks_for_the_field(when: str) -> None:
    nodes = [text("s"), text("a", on_error="b"), text("b"), text("c"), text("d")]
    ways = [edge("s", "a", when="true"), edge("a", "c"), edge("b", "c"), edge("s", "c"), edge("c", "d", when=when)]

    assert [issue.hint for issue in issues(nodes, ways)] == ["Guard it: `has(nodes.a.text) && …`."]
