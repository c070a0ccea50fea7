"""Subworkflow: its configuration, what its graph may refer to, and what it gives."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.subworkflow import SubworkflowConfig
from tests.unit.test_rules import edge, found, issues, text

Json = dict[str, Any]
BODY: Json = {"nodes": [text("b")], "outputs": {"said": "{{ nodes.b.text }}"}}


def sub(name: str = "s", **config: Any) -> Json:
    return {"id": name, "type": "Subworkflow", "config": config}


def test_it_is_performed_by_the_workflow_and_its_outputs_are_those_of_its_graph() -> None:
    kind = NODE_TYPES["Subworkflow"]

    assert (kind.activity, kind.outputs, kind.has_body, kind.body_roots) == (None, None, True, ())


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "either `do` or `definition`"),
        ({"do": {}, "definition": "x"}, "either `do` or `definition`"),
        ({"do": {}, "mode": "child"}, "needs `definition` for `mode: child`"),
        ({"definition": "x", "mode": "remote"}, "Input should be"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(config: Json, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        SubworkflowConfig.model_validate(config)


def test_its_graph_is_a_body_of_the_plan() -> None:
    definition = load_mapping(
        {
            "name": "test",
            "inputs": {"x": {}},
            "on_failure": "fail",
            "defaults": {"timeout": "9s"},
            "nodes": [sub(do=BODY, inputs={"word": "{{ inputs.x }}"})],
        }
    )
    plan = compile_definition(definition)
    [node], body = plan.nodes, plan.bodies["do:s"]

    assert (node.body, node.config.value, node.inputs.value) == ("do:s", {}, {"word": "{{ inputs.x }}"})
    assert node.inputs.reads == (("inputs", "x"),)
    assert (body.inputs, body.nodes[0].on_failure, body.nodes[0].timeout) == ({"word": {}}, "fail", 9)
    assert body.outputs.value == {"said": "{{ nodes.b.text }}"}


def test_a_graph_in_a_graph_has_the_path_of_its_node_as_its_key() -> None:
    inner = {"nodes": [sub("t", do=BODY)], "finally": [], "state": {"seen": {"type": "array"}}}
    plan = compile_definition(load_mapping({"name": "test", "nodes": [sub(do=inner)]}))

    assert list(plan.bodies) == ["do:s.t", "do:s"]
    assert plan.bodies["do:s"].nodes[0].body == "do:s.t"
    assert plan.bodies["do:s"].state["seen"].initial == []
    assert plan.bodies["do:s"].bodies == {}
    assert plan.bodies["do:s"].hash != plan.bodies["do:s.t"].hash


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("{{ nodes.s.said }}", []),
        ("{{ nodes.s }}", []),
        ("{{ nodes.s.sad }}", [("DEF054", "nodes[1].config.template")]),
    ],
)
def test_the_outputs_of_a_graph_in_place_are_its_fields(reference: str, expected: list[tuple[str, str]]) -> None:
    assert found([sub(do=BODY), text("a", reference)], [edge("s", "a")]) == expected


def test_nobody_knows_the_fields_of_a_definition_that_is_named() -> None:
    assert found([sub(definition="other"), text("a", "{{ nodes.s.anything }}")], [edge("s", "a")]) == []


@pytest.mark.parametrize(
    ("template", "inputs", "hint"),
    [
        ("{{ nodes.a.text }}", {}, "A graph sees only its own nodes: hand data in through `inputs`. There is `b`."),
        ("{{ inputs.x }}", {}, "Hand it in: `inputs: {x: …}` of the node around."),
        ("{{ item }}", {}, "`item` and `index` are there only in the `inputs` and in the `do` of a `ForEach`"),
        ("{{ state.s }}", {}, ""),
    ],
)
def test_a_graph_sees_nothing_of_what_is_around_it(template: str, inputs: Json, hint: str) -> None:
    nodes = [text("a"), sub(do={"nodes": [text("b", template)]}, inputs=inputs)]
    [issue] = issues(nodes, [edge("a", "s")], inputs={"x": {}}, state={"s": {}})

    assert (issue.code, issue.path) == ("DEF053", "nodes[1].config.do.nodes[0].config.template")
    assert (issue.hint or "").startswith(hint)


def test_a_graph_sees_its_inputs_its_state_the_context_and_the_run() -> None:
    template = "{{ inputs.x }} {{ state.s }} {{ context.user }} {{ run.id }}"
    do: Json = {"nodes": [text("b", template, write={"s": "{{ output.text }}"})], "state": {"s": {}}}

    assert found([sub(do=do, inputs={"x": 1})]) == []


def test_inputs_must_be_written_as_a_mapping() -> None:
    do = {"nodes": [text("b", "{{ inputs.x }}")]}

    assert found([sub(do=do, inputs="{{ inputs.all }}")], inputs={"all": {}}) == [("DEF021", "nodes[0].config.inputs")]
