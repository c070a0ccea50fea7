"""Graphs within a graph: held to the same rules, with places in the real text; and how deep they may go."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping, load_text
from orchestrator.errors import DefinitionError, Issue
from tests.unit.test_rules import edge, found, issues, router, text

Json = dict[str, Any]
WRONG = """\
name: wrong
nodes:
  - id: items
    type: ForEach
    config:
      items: [1]
      do:
        nodes:
          - {id: a, type: Formt, config: {}}
          - {id: b, type: Format, config: {template: "{{ inputs.x }}"}, jion: any}
          - {id: c, type: Format}
        edges:
          - {from: a, to: d}
          - {from: b}
        outptus: {}
"""


def sub(do: Any, name: str = "s") -> Json:
    return {"id": name, "type": "Subworkflow", "config": {"do": do}}


def refused(source: str) -> list[Issue]:
    with pytest.raises(DefinitionError) as caught:
        load_text(source)
    return list(caught.value.issues)


def test_every_problem_in_a_graph_has_its_real_place() -> None:
    assert [(issue.code, issue.path, issue.line, issue.column) for issue in refused(WRONG)] == [
        ("DEF020", "nodes[0].config.do.nodes[0].type", 9, 27),
        ("DEF053", "nodes[0].config.do.nodes[1].config.template", 10, 54),
        ("DEF011", "nodes[0].config.do.nodes[1].jion", 10, 73),
        ("DEF022", "nodes[0].config.do.nodes[2].config", 11, 13),
        ("DEF031", "nodes[0].config.do.edges[0].to", 13, 27),
        ("DEF010", "nodes[0].config.do.edges[1].to", 14, 13),
        ("DEF011", "nodes[0].config.do.outptus", 15, 9),
    ]


def test_the_hint_names_what_may_stand_there() -> None:
    hints = {issue.path.rpartition(".")[2]: issue.hint for issue in refused(WRONG)}

    assert hints["outptus"] == "Did you mean `outputs`?"
    assert hints["jion"] == "Did you mean `join`?"


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ({}, [("DEF010", "nodes")]),
        ({"nodes": []}, [("DEF012", "nodes")]),
        ({"nodes": 3}, [("DEF012", "nodes")]),
        ({"nodes": [text("a")], "edges": {}}, [("DEF012", "edges")]),
        ({"nodes": [text("a")], "inputs": {}}, [("DEF011", "inputs")]),
        ({"nodes": [text("a-b")]}, [("DEF013", "nodes[0].id")]),
        ({"nodes": [text("a"), text("a")]}, [("DEF030", "nodes[1].id")]),
        ({"nodes": [text("a"), text("b")], "edges": [edge("a", "b"), edge("b", "a")]}, [("DEF034", "edges[1]")]),
        ({"nodes": [text("a", on_error="a")]}, [("DEF041", "nodes[0].on_error")]),
        ({"nodes": [text("a"), text("f")], "finally": ["f", "x"]}, [("DEF031", "finally[1]")]),
        ({"nodes": [text("a", write={"s": 1})]}, [("DEF070", "nodes[0].write.s")]),
        ({"nodes": [text("a")], "state": {"s": {"type": "array", "initial": 1}}}, [("DEF072", "state.s.initial")]),
        ({"nodes": [text("a")], "outputs": {"x": {"type": "string"}}}, [("DEF062", "outputs.x")]),
        ({"nodes": [text("a")], "outputs": {"x": "{{ nodes.a.txt }}"}}, [("DEF054", "outputs.x")]),
        (
            {"nodes": [router("r", [{"when": "1", "to": "a"}], "a"), text("a")]},
            [("DEF052", "nodes[0].config.routes[0].when")],
        ),
        ({"nodes": [text("n")] * 2_001}, [("DEF002", "nodes")]),
    ],
)
def test_a_graph_is_held_to_the_rules_of_every_graph(do: Json, expected: list[tuple[str, str]]) -> None:
    assert found([sub(do)]) == [(code, f"nodes[0].config.do.{path}") for code, path in expected]


def test_a_problem_around_a_graph_is_told_once() -> None:
    assert found([sub({"nodes": [text("a")]})], defaults={"timeout": "2m", "total_timeout": "1m"}) == [
        ("DEF014", "defaults.total_timeout")
    ]
    assert found([sub({"nodes": [text("a", "sk-proj-" + "a1" * 12)]})]) == [
        ("DEF080", "nodes[0].config.do.nodes[0].config.template")
    ]


def nested(levels: int) -> Json:
    do: Json = {"nodes": [text("a")]}
    for _ in range(levels - 1):
        do = {"nodes": [sub(do)]}
    return sub(do)


def test_ten_graphs_may_stand_in_each_other() -> None:
    plan = compile_definition(load_mapping({"name": "deep", "nodes": [nested(10)]}))

    assert list(plan.bodies) == ["do:" + ".".join(["s"] * length) for length in range(10, 0, -1)]


def test_an_eleventh_is_refused() -> None:
    [issue] = issues([nested(11)])

    assert (issue.code, issue.path) == ("DEF047", "nodes[0]" + ".config.do.nodes[0]" * 10 + ".config.do")
    assert issue.hint == "Use `mode: child`, which starts a run of its own."


def test_the_same_definition_always_gives_the_same_plan() -> None:
    source = {"name": "deep", "nodes": [nested(3), sub({"nodes": [text("b")], "finally": []}, "t")]}
    plans = {compile_definition(load_mapping(source)).model_dump_json() for _ in range(3)}

    assert len(plans) == 1


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("{{ item }}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)
_NODES = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", "c"]) | _VALUES,
        "type": st.sampled_from(["Format", "Router", "ForEach", "Approval", "Wait", "Subworkflow"]) | _VALUES,
        "config": st.dictionaries(
            st.sampled_from(
                ["template", "do", "items", "inputs", "for", "on_reject", "on_expiry", "definition", "mode"]
            ),
            _VALUES,
        )
        | _VALUES,
        "on_error": st.sampled_from(["a", "b", "c"]) | _VALUES,
        "compensate": st.sampled_from(["a", "b", "c"]) | _VALUES,
    },
)
_BODIES = st.fixed_dictionaries(
    {},
    optional={
        "nodes": st.lists(_NODES, max_size=4) | _VALUES,
        "edges": st.lists(st.fixed_dictionaries({"from": st.just("a"), "to": st.just("b")}), max_size=2) | _VALUES,
        "finally": st.lists(st.sampled_from(["a", "b"]), max_size=2) | _VALUES,
        "outputs": st.dictionaries(st.just("x"), _VALUES) | _VALUES,
        "state": _VALUES,
    },
)


@given(_BODIES, _VALUES, st.sampled_from(["ForEach", "Subworkflow"]))
def test_no_graph_raises_anything_but_our_error(do: Json, inputs: Any, kind: str) -> None:
    node = {"id": "s", "type": kind, "config": {"do": do, "inputs": inputs, "items": "inputs.x"}}
    try:
        compile_definition(load_mapping({"name": "test", "inputs": {"x": {}}, "nodes": [node]}))
    except DefinitionError as error:
        assert error.issues  # noqa: PT017 - any mapping may be right as well
