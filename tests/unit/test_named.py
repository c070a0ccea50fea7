"""Definitions that a node names: found, compiled into the plan, given the right inputs, and never in themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.authoring import graph, validate
from orchestrator.compiler import compile_definition
from orchestrator.definition.library import Library
from orchestrator.definition.loader import load_mapping
from orchestrator.definition.model import Definition
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, Issue
from orchestrator.graph.plan import Plan
from tests.unit.test_rules import text

Json = dict[str, Any]


def call(name: str, definition: str, **config: Any) -> Json:
    return {"id": name, "type": "Subworkflow", "config": {"definition": definition, **config}}


def definition(name: str, nodes: list[Json] | None = None, **more: Any) -> Definition:
    return load_mapping({"name": name, "nodes": nodes or [text("a")], **more})


def shelf(*definitions: Definition) -> Callable[[str], Definition]:
    known = {item.name: item for item in definitions}

    def find(reference: str) -> Definition:
        name = reference.partition("@")[0]
        if name not in known:
            raise DefinitionNotFoundError(f"no definition {name}. Did you mean `other`?")
        return known[name]

    return find


def compiled(root: Definition, *others: Definition) -> Plan:
    return compile_definition(root, shelf(root, *others))


def refused(root: Definition, *others: Definition) -> list[Issue]:
    with pytest.raises(DefinitionError) as caught:
        compiled(root, *others)
    return list(caught.value.issues)


def test_a_named_definition_is_a_body_under_its_name_version_and_hash() -> None:
    other = definition("other", version="2.1.0", inputs={"x": {"type": "string", "default": "y"}}, on_failure="fail")
    plan = compiled(definition("root", [call("s", "other", inputs={"x": "{{ run.id }}"})]), other)
    [key] = plan.bodies

    assert key == f"other@2.1.0#{plan.bodies[key].hash[:8]}"
    assert plan.nodes[0].body == key
    assert plan.nodes[0].config.value == {"definition": "other"}
    assert plan.bodies[key].inputs == {"x": {"type": "string", "default": "y"}}
    assert (plan.bodies[key].nodes[0].on_failure, plan.nodes[0].on_failure) == ("fail", "park")


def test_a_definition_that_is_named_twice_is_one_body() -> None:
    nodes = [call("s", "other"), call("t", "other")]
    plan = compiled(definition("root", nodes), definition("other"))

    assert len(plan.bodies) == 1
    assert plan.nodes[0].body == plan.nodes[1].body


def test_a_graph_in_a_named_definition_has_a_key_of_its_own() -> None:
    inner: Json = {"id": "s", "type": "Subworkflow", "config": {"do": {"nodes": [text("a")]}}}
    plan = compiled(definition("root", [inner, call("t", "other")]), definition("other", [inner]))
    named = plan.nodes[1].body

    assert set(plan.bodies) == {"do:s", named, f"{named}/do:s"}
    assert plan.bodies[named or ""].nodes[0].body == f"{named}/do:s"


def test_a_child_is_not_part_of_the_plan() -> None:
    root = definition("root", [call("s", "root", mode="child")])
    plan = compiled(root)

    assert plan.bodies == {}
    assert (plan.nodes[0].body, plan.nodes[0].config.value) == (None, {"definition": "root", "mode": "child"})
    assert compile_definition(root) == plan


def test_inputs_that_are_unknown_or_missing_are_refused_at_their_place() -> None:
    inputs: Json = {"a": {}, "b": {"required": False}, "c": {"default": 1}, "d": {}}
    root = definition("root", [call("s", "other", inputs={"aa": 1, "d": 2})])

    assert [
        (issue.code, issue.path, issue.message, issue.hint)
        for issue in refused(root, definition("other", inputs=inputs))
    ] == [
        ("DEF046", "nodes[0].config.inputs.aa", "`other` has no input `aa`", "Did you mean `a`?"),
        ("DEF046", "nodes[0].config.inputs", "`other` needs the input `a`", "Add it to `inputs`."),
    ]


def test_the_inputs_of_a_child_are_checked_too() -> None:
    root = definition("root", [call("s", "other", mode="child")])

    assert [(issue.code, issue.path) for issue in refused(root, definition("other", inputs={"a": {}}))] == [
        ("DEF046", "nodes[0].config.definition")
    ]


def test_a_definition_that_is_not_there_brings_the_nearest_name() -> None:
    [issue] = refused(definition("root", [call("s", "othr")]))

    assert (issue.code, issue.path) == ("DEF045", "nodes[0].config.definition")
    assert issue.message == "No definition othr. Did you mean `other`?"


def test_without_a_folder_a_name_leads_nowhere() -> None:
    with pytest.raises(DefinitionError, match="there is no folder of definitions"):
        compile_definition(definition("root", [call("s", "other")]))


def test_a_definition_in_itself_is_refused_however_deep() -> None:
    each = {"id": "e", "type": "ForEach", "config": {"items": [1], "do": {"nodes": [call("s", "second")]}}}
    root, second = definition("root", [each]), definition("second", [call("t", "root")])
    [issue] = refused(root, second)

    assert (issue.code, issue.path) == ("DEF047", "nodes[0].config.do.nodes[0].config.definition")
    assert issue.message == (
        "in second@1.0.0, at nodes[0].config.definition: "
        "`root` would contain itself: root@1.0.0 -> second@1.0.0 -> root@1.0.0"
    )
    assert issue.hint == "Use `mode: child`, which starts a run of its own."


def chain(length: int) -> list[Definition]:
    last = definition(f"d{length}")
    return [*(definition(f"d{number}", [call("s", f"d{number + 1}")]) for number in range(length)), last]


def test_ten_definitions_may_stand_in_each_other_and_no_more() -> None:
    assert len(compiled(*chain(10)).bodies) == 10
    [issue] = refused(*chain(11))
    assert issue.code == "DEF047"
    assert "More than 10 graphs stand in each other here" in issue.message


def test_a_graph_that_is_known_already_counts_with_its_depth() -> None:
    first, *others = chain(10)
    before = call("before", "d1")
    inner = {"id": "after", "type": "Subworkflow", "config": {"do": {"nodes": [call("s", "d1")]}}}

    assert len(compiled(definition("d0", [before]), *others).bodies) == 10
    [issue] = refused(definition("d0", [before, inner]), *others)
    assert (issue.code, issue.path) == ("DEF047", "nodes[1].config.do.nodes[0].config.definition")
    assert first.name == "d0"


def test_wide_use_of_the_same_definitions_takes_no_time() -> None:
    layers = [definition(f"d{n}", [call(f"s{k}", f"d{n + 1}") for k in range(20)]) for n in range(9)]

    assert len(compiled(*layers, definition("d9")).bodies) == 9


def test_a_library_finds_by_name_and_version(tmp_path: Path) -> None:
    nodes = "nodes: [{id: a, type: Format, config: {template: hi}}]"
    for file, version in (("other.yaml", "1.2.0"), ("other@1.1.0.yaml", "1.1.0")):
        (tmp_path / file).write_text(f"name: other\nversion: {version}\n{nodes}\n", encoding="utf-8")
    root = definition("root", [call("s", "other"), call("t", "other@1.1.0")])

    plan = compile_definition(root, Library(tmp_path).find)

    assert [key.partition("#")[0] for key in plan.bodies] == ["other@1.2.0", "other@1.1.0"]


def test_a_broken_definition_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: other\nnodes: [{id: a, type: Fromat}]\n", encoding="utf-8")

    with pytest.raises(DefinitionError) as caught:
        compile_definition(definition("root", [call("s", "other")]), Library(tmp_path).find)

    [issue] = caught.value.issues
    assert issue.code == "DEF045"
    assert issue.message.startswith("The definition `other` is broken: line 2, column")


def test_validate_and_graph_look_into_the_folder_of_definitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DEFINITIONS_DIR", str(tmp_path))
    nodes = "nodes: [{id: s, type: ForEach, config: {items: [1], definition: inner}}]"
    file = tmp_path / "outer.yaml"
    file.write_text(f"name: outer\n{nodes}\n", encoding="utf-8")
    missing = validate([str(file)], as_json=False), capsys.readouterr().out
    steps = "{id: a, type: Format, config: {template: hi}, on_error: b}, {id: b, type: Format, config: {template: x}}"
    (tmp_path / "inner.yaml").write_text(f"name: inner\nnodes: [{steps}]\n", encoding="utf-8")
    there = validate([str(file)], as_json=False), capsys.readouterr().out
    graph(str(file), form="text", as_json=False)

    assert missing[0] == 4
    assert "DEF045" in missing[1]
    assert there == (0, f"{file}: valid (outer 1.0.0, 1 node)\n")
    assert capsys.readouterr().out.splitlines() == [
        "outer 1.0.0",
        "s: ForEach",
        "  for each item inner 1.0.0",
        "    a: Format",
        "      to b when it fails",
        "    b: Format",
    ]
