"""Definition to Plan: order, ways, loops, patience, templates, state and outputs."""

import time
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.graph.plan import Plan
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.base import CelMark, VerbatimMark

Node = dict[str, Any]


def text(name: str, template: str = "x", **more: Any) -> Node:
    return {"id": name, "type": "Format", "config": {"template": template}, **more}


def router(name: str, routes: list[Node], otherwise: str) -> Node:
    return {"id": name, "type": "Router", "config": {"routes": routes, "otherwise": otherwise}}


def plan(nodes: list[Node], ways: list[str] | None = None, **more: Any) -> Plan:
    """Ways are ``a b`` or, for a way back, ``c a 3``."""
    edges = [
        {"from": parts[0], "to": parts[1], **({"max_visits": int(parts[2])} if len(parts) > 2 else {})}
        for parts in (way.split() for way in ways or [])
    ]
    return compile_definition(load_mapping({"name": "test", "nodes": nodes, "edges": edges, **more}))


def loops(nodes: str, *ways: str) -> list[tuple[str, str]]:
    compiled = plan([text(name) for name in nodes], list(ways))
    return [(loop.head, "".join(loop.body)) for loop in compiled.loops]


def marks(annotation: Any) -> Iterator[Any]:
    """Every mark within a field's type that says not to render, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for field in annotation.model_fields.values():
            yield from (mark for mark in field.metadata if isinstance(mark, (CelMark, VerbatimMark)))
            yield from marks(field.annotation)
    if isinstance(annotation, (CelMark, VerbatimMark)):
        yield annotation
    for argument in get_args(annotation):
        yield from marks(argument)


def test_nodes_come_in_topological_order_and_else_as_written() -> None:
    assert [node.id for node in plan([text(name) for name in "dcba"], ["b c", "a c", "c d"]).nodes] == list("bacd")


def test_a_routers_routes_become_its_exclusive_edges_in_order() -> None:
    compiled = plan(
        [text("a"), router("r", [{"when": "true", "to": "b"}, {"when": "false", "to": "a", "max_visits": 2}], "c"),
         text("b"), text("c")],
        ["a r"],
    )  # fmt: skip

    assert [(edge.source, edge.target, edge.when and edge.when.text, edge.max_visits) for edge in compiled.edges] == [
        ("a", "r", None, None),
        ("r", "b", "true", None),
        ("r", "a", "false", 2),
        ("r", "c", None, None),
    ]
    assert [node.exclusive for node in compiled.nodes] == [False, True, False, False]
    assert compiled.loops[0].back_edges == (2,)


@pytest.mark.parametrize(
    ("nodes", "ways", "expected"),
    [
        ("ab", ["a b", "a a 3"], [("a", "a")]),
        ("abc", ["a b", "b c", "b a 3"], [("a", "ab")]),
        ("abcd", ["a b", "b c", "c b 3", "c d"], [("b", "bc")]),
        # x is a side branch of the iteration; d comes after it.
        ("abcxd", ["a b", "b c", "b x", "c b 3", "c d"], [("b", "bcx")]),
        # x enters the body from outside and is not in it.
        ("axbc", ["a b", "x c", "b c", "c b 3"], [("b", "bc")]),
        ("abcd", ["a b", "b c", "c b 3", "c d", "d a 2"], [("a", "abcd"), ("b", "bc")]),
        # Two ways back to one head are one loop.
        ("abcd", ["a b", "b c", "b a 2", "c a 3", "c d"], [("a", "abc")]),
        ("abcd", ["a b", "b a 2", "b c", "c d", "d c 2"], [("a", "ab"), ("c", "cd")]),
    ],
)
def test_loops_have_their_bodies(nodes: str, ways: list[str], expected: list[tuple[str, str]]) -> None:
    assert loops(nodes, *ways) == expected


def test_patience_comes_from_the_node_then_the_defaults_then_the_type() -> None:
    compiled = plan(
        [text("a", timeout="2s", retry={"max_attempts": 1}), text("b")],
        defaults={"timeout": "1m", "total_timeout": "1h", "retry": {"max_attempts": 7, "strategy": "fixed"}},
    )
    first, second = compiled.nodes

    assert (first.timeout, first.total_timeout, first.retry.max_attempts, first.retry.strategy) == (2, 3600, 1, "fixed")
    assert (second.timeout, second.retry.max_attempts) == (60, 7)
    assert plan([text("a")]).nodes[0].timeout == 5


def test_a_config_is_kept_as_written_with_what_it_reads() -> None:
    exact = {"id": "a", "type": "DataInput", "config": {"data": ["{{ inputs.x }}", 1]}}
    compiled = plan([exact, text("b", "{{ nodes.a.data[0] }} {{ inputs.x.y }}")], ["a b"], inputs={"x": {}})

    assert compiled.nodes[0].config.model_dump() == {
        "value": exact["config"],
        "reads": (("inputs", "x"),),
        "exact": True,
    }
    assert (compiled.nodes[1].config.reads, compiled.nodes[1].config.exact) == (
        (("nodes", "a", "data", 0), ("inputs", "x", "y")),
        False,
    )


def test_expressions_in_a_config_are_no_reads() -> None:
    node = {"id": "a", "type": "Transform", "config": {"operation": "map", "input": [1], "expression": "item + 1"}}

    assert plan([node]).nodes[0].config.reads == ()


def test_expressions_deeper_in_a_config_are_no_reads_even_where_they_look_like_templates() -> None:
    routes = [{"when": "nodes.a.text == '{{ inputs.x }}'", "to": "b"}, {"when": "inputs.x == 'y'", "to": "c"}]
    compiled = plan([text("a"), router("r", routes, "b"), text("b"), text("c")], ["a r"], inputs={"x": {}})

    config = compiled.nodes[1].config
    assert (config.reads, config.exact) == ((), True)
    assert config.value == {"routes": routes, "otherwise": "b"}


@pytest.mark.parametrize("name", [name for name, kind in NODE_TYPES.items() if kind.activity])
def test_what_an_activity_must_not_render_stands_at_the_top_of_its_config(name: str) -> None:
    """Only top-level fields are left out of rendering: a mark further down would have no effect."""
    inner = [field.annotation for field in NODE_TYPES[name].config.model_fields.values()]

    assert [mark for annotation in inner for mark in marks(annotation)] == []


def test_visits_are_kept_only_where_somebody_reads_them() -> None:
    compiled = plan([text("a"), text("b")], ["a b"], outputs={"x": "{{ nodes.a.visits | length }}"})

    assert [node.keep_visits for node in compiled.nodes] == [True, False]


def test_channels_start_empty_where_nothing_else_is_said() -> None:
    state = {"a": {"type": "array"}, "b": {"type": "number", "reducer": "max"}, "c": {"type": "string", "initial": "x"}}

    assert {name: channel.initial for name, channel in plan([text("a")], state=state).state.items()} == {
        "a": [],
        "b": None,
        "c": "x",
    }


def test_typed_outputs_give_a_schema_and_plain_ones_none() -> None:
    outputs: Node = {"a": {"value": "{{ nodes.a.text }}", "type": "string"}, "b": 1}
    compiled = plan([text("a")], outputs=outputs)

    assert compiled.outputs.value == {"a": "{{ nodes.a.text }}", "b": 1}
    assert compiled.output_schema == {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert plan([text("a")], outputs={"b": 1}).output_schema is None


def test_the_hash_tells_definitions_apart_and_nothing_else() -> None:
    one, other = plan([text("a")], version="1.0.0"), plan([text("a")], version="1.0.1")

    assert one.hash != other.hash
    assert plan([text("a")], version="1.0.0") == one


def test_a_plan_survives_being_written_and_read() -> None:
    compiled = plan([text("a"), router("r", [{"when": "inputs.x > 1", "to": "a", "max_visits": 2}], "b"), text("b")],
                    ["a r"], inputs={"x": {"type": "integer"}})  # fmt: skip

    assert Plan.model_validate_json(compiled.model_dump_json()) == compiled


def test_two_thousand_nodes_compile_in_seconds() -> None:
    nodes = [text(f"n{number}") for number in range(2_000)]
    definition = load_mapping(
        {
            "name": "long",
            "nodes": nodes,
            "edges": [{"from": f"n{number}", "to": f"n{number + 1}", "when": "true"} for number in range(1_999)],
        }
    )
    start = time.monotonic()

    compile_definition(definition)

    assert time.monotonic() - start < 4, "a slow machine takes one second"
