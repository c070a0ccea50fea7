"""ForEach: its configuration, its expression, and what may be referred to around and inside of it."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.for_each import ForEachConfig
from tests.unit.test_rules import edge, found, issues, text

Json = dict[str, Any]
BODY: Json = {"nodes": [text("b")]}


def each(name: str = "e", items: Any = "inputs.list", **config: Any) -> Json:
    return {"id": name, "type": "ForEach", "config": {"items": items, **({"do": BODY} | config)}}


def codes(*nodes: Json, edges: list[Json] | None = None) -> list[tuple[str, str]]:
    return found(list(nodes), edges, inputs={"list": {"type": "array"}})


def test_it_is_performed_by_the_workflow_and_gives_results_and_errors() -> None:
    kind = NODE_TYPES["ForEach"]

    assert (kind.activity, kind.outputs) == (None, ("results", "errors", "count"))
    assert (kind.has_body, kind.body_roots) == (True, ("item", "index"))


def test_what_is_left_out_has_its_defaults() -> None:
    config = ForEachConfig.model_validate({"items": "inputs.x", "definition": "other"})

    assert (config.concurrency, config.on_item_error, config.max_items) == (10, "fail", 10_000)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"items": [1]}, "either `do` or `definition`"),
        ({"items": [1], "do": {}, "definition": "x"}, "either `do` or `definition`"),
        ({"items": [], "do": {}}, "must not be empty"),
        ({"items": "", "do": {}}, "must not be empty"),
        ({"items": 3, "do": {}}, "must be an expression that gives a list, or a list"),
        ({"items": {"a": 1}, "do": {}}, "must be an expression that gives a list, or a list"),
        ({"items": None, "do": {}}, "must be an expression that gives a list, or a list"),
        ({"items": [1], "do": {}, "concurrency": 0}, "greater than or equal to 1"),
        ({"items": [1], "do": {}, "concurrency": 1_001}, "less than or equal to 1000"),
        ({"items": [1], "do": {}, "max_items": 100_001}, "less than or equal to 100000"),
        ({"items": [1], "do": {}, "on_item_error": "ignore"}, "Input should be"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(config: Json, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ForEachConfig.model_validate(config)


def test_an_expression_is_compiled_and_leaves_the_config() -> None:
    definition = load_mapping({"name": "t", "inputs": {"list": {}}, "nodes": [each(concurrency=3)]})
    [node] = compile_definition(definition).nodes

    assert node.expressions["items"].text == "inputs.list"
    assert node.config.value == {"concurrency": 3}
    assert node.body == "do:e"


def test_a_list_stays_in_the_config_with_what_its_templates_read() -> None:
    definition = load_mapping({"name": "t", "inputs": {"x": {}}, "nodes": [each(items=["{{ inputs.x }}", 2])]})
    [node] = compile_definition(definition).nodes

    assert node.expressions == {}
    assert node.config.value == {"items": ["{{ inputs.x }}", 2]}
    assert node.config.reads == (("inputs", "x"),)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("inputs.list", []),
        ("inputs.list.filter(x, x > 1)", []),
        ("[1, 2]", []),
        ("size(inputs.list)", [("DEF052", "nodes[0].config.items")]),
        ("'text'", [("DEF052", "nodes[0].config.items")]),
        ("inputs.", [("DEF051", "nodes[0].config.items")]),
        ("item", [("DEF053", "nodes[0].config.items")]),
        (["{{ item }}"], [("DEF053", "nodes[0].config.items[0]")]),
        ("nodes.e.count", [("DEF056", "nodes[0].config.items")]),
    ],
)
def test_the_items_are_checked_like_every_expression(items: Any, expected: list[tuple[str, str]]) -> None:
    assert codes(each(items=items)) == expected


def test_braces_in_the_items_bring_the_hint_that_there_are_none() -> None:
    [issue] = issues([each(items="{{ inputs.list }}")], inputs={"list": {}})

    assert issue.code == "DEF051"
    assert issue.hint == "An expression has no `{{ }}`: write `inputs.list`, not `{{ inputs.list }}`."


def test_item_and_index_are_there_in_the_inputs_and_in_the_graph() -> None:
    do = {"nodes": [text("b", "{{ item.name }} {{ index }} {{ inputs.word }}")], "outputs": {"x": "{{ index }}"}}

    assert codes(each(inputs={"word": "{{ item }} {{ index }}"}, do=do)) == []


def test_item_is_not_there_anywhere_else() -> None:
    inner = {"id": "s", "type": "Subworkflow", "config": {"do": {"nodes": [text("c", "{{ item }}")]}}}
    around = text("a", "{{ item }}")

    assert codes(each(do={"nodes": [inner]})) == [
        ("DEF053", "nodes[0].config.do.nodes[0].config.do.nodes[0].config.template")
    ]
    assert codes(around, each(), edges=[edge("a", "e")]) == [("DEF053", "nodes[0].config.template")]


def test_a_graph_within_may_be_handed_the_item() -> None:
    inner = {
        "id": "s",
        "type": "Subworkflow",
        "config": {"inputs": {"one": "{{ item }}"}, "do": {"nodes": [text("c", "{{ inputs.one }}")]}},
    }

    assert codes(each(do={"nodes": [inner]})) == []


@pytest.mark.parametrize("field", ["concurrency", "max_items", "on_item_error", "do"])
def test_how_the_graph_is_run_is_no_template(field: str) -> None:
    assert codes(each(**{field: "{{ inputs.list }}"})) == [("DEF021", f"nodes[0].config.{field}")]


def test_the_name_of_a_definition_is_no_template() -> None:
    named = {"id": "e", "type": "ForEach", "config": {"items": "inputs.list", "definition": "{{ inputs.list }}"}}
    [issue] = issues([named], inputs={"list": {}})

    assert (issue.code, issue.path) == ("DEF021", "nodes[0].config.definition")
    assert issue.message == "`definition` of `e` must be `name` or `name@1.2.0` of a definition"
