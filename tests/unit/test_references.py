"""What has certainly finished when a text is read, and which references need a guard."""

from typing import Any

import pytest

from orchestrator.definition.draft import Draft
from orchestrator.definition.loader import load_mapping
from orchestrator.definition.references import places, read
from orchestrator.errors import DefinitionError

Node = dict[str, Any]


def text(name: str, template: str = "x", **more: Any) -> Node:
    return {"id": name, "type": "Format", "config": {"template": template}, **more}


def router(name: str, routes: list[Node], otherwise: str) -> Node:
    return {"id": name, "type": "Router", "config": {"routes": routes, "otherwise": otherwise}}


def edges(*ways: str) -> list[Node]:
    """``a b`` is an edge, ``a?b`` one with a condition."""
    return [{"from": way[0], "to": way[2], **({"when": "inputs.yes"} if way[1] == "?" else {})} for way in ways]


def codes(nodes: list[Node], ways: list[Node], **more: Any) -> list[str]:
    data = {"name": "test", "inputs": {"yes": {"type": "boolean"}}, "nodes": nodes, "edges": ways, **more}
    try:
        load_mapping(data)
    except DefinitionError as error:
        return [issue.code for issue in error.issues]
    return []


def certain(nodes: list[Node], ways: list[Node], at: str, to: str) -> bool:
    """Whether the last node may refer to ``to`` from ``at`` without a guard."""
    changed = [node if node["id"] != at else text(at, f"{{{{ nodes.{to} }}}}", **_rest(node)) for node in nodes]
    return codes(changed, ways) == []


def _rest(node: Node) -> Node:
    return {key: value for key, value in node.items() if key not in ("id", "type", "config")}


ABCD = [text("a"), text("b"), text("c"), text("d")]
ANY = [*ABCD[:3], text("d", join="any")]


@pytest.mark.parametrize(
    ("nodes", "ways", "to", "expected"),
    [
        (ABCD, edges("a b", "b c", "c d"), "a", True),
        (ABCD, edges("a b", "a?c", "b d", "c d"), "a", True),
        (ABCD, edges("a b", "a?c", "b d", "c d"), "b", True),
        (ABCD, edges("a b", "a?c", "b d", "c d"), "c", False),
        (ABCD, edges("a?b", "a?c", "b d", "c d"), "b", False),
        (ANY, edges("a b", "a c", "b d", "c d"), "b", False),
        (ANY, edges("a b", "a c", "b d", "c d"), "a", True),
        (ABCD, edges("a d", "b d", "c d"), "b", True),
        (ABCD, edges("a c", "a d", "c b"), "b", False),
    ],
)
def test_what_has_finished_before_a_join(nodes: list[Node], ways: list[Node], to: str, expected: bool) -> None:  # noqa: FBT001
    assert certain(nodes, ways, "d", to) is expected


def test_after_a_router_what_all_its_ways_lead_to_has_finished() -> None:
    nodes = [router("r", [{"when": "inputs.yes", "to": "b"}], "c"), text("b"), text("c"), text("d"), text("e")]
    ways = edges("b d", "c d", "d e")

    assert codes(nodes, ways, outputs={"x": "{{ nodes.d.text }}{{ nodes.e.text }}"}) == []
    assert codes(nodes, ways, outputs={"x": "{{ nodes.b.text }}"}) == ["DEF055"]


def test_what_another_node_cancels_is_not_certain() -> None:
    race = [text("a"), text("b"), text("c"), text("d", join="any", cancel_others=True)]
    ways = edges("a b", "a c", "b d", "c d")

    assert codes(race, ways, outputs={"x": "{{ nodes.d.text }}{{ nodes.a.text }}"}) == []
    assert codes(race, ways, outputs={"x": "{{ nodes.b.text }}"}) == ["DEF055"]


@pytest.mark.parametrize(
    "guarded",
    ["{{ nodes.b.text if nodes.b is defined else '' }}", "{% if nodes.b is defined %}{{ nodes.b.text }}{% endif %}"],
)
def test_a_guard_in_a_template_makes_a_reference_safe(guarded: str) -> None:
    assert codes([text("a"), text("b")], edges("a?b"), outputs={"x": guarded}) == []


@pytest.mark.parametrize(
    ("when", "expected"),
    [("has(nodes.b) && nodes.b.text == 'x'", []), ("nodes.b.text == 'x'", ["DEF055"]), ("output.text == 'x'", []),
     ("nodes.c.text == 'x'", []), ("nodes.a.text == 'x'", [])],
)  # fmt: skip
def test_a_condition_sees_the_node_it_leaves_and_what_is_before(when: str, expected: list[str]) -> None:
    ways = [*edges("a?b", "b c", "a c"), {"from": "c", "to": "d", "when": when}]

    assert codes(ABCD, ways) == expected


def test_in_a_loop_the_head_needs_a_guard_for_the_body_and_for_itself() -> None:
    ways = [*edges("a b", "b c"), {"from": "c", "to": "b", "max_visits": 3}]
    plain = [text("a"), text("b", "{{ nodes.c.text }}"), text("c", "{{ nodes.b.text }}")]
    itself = [text("a"), text("b", "{{ nodes.b.text }}"), text("c")]
    guarded = [text("a"), text("b", "{{ nodes.b.text if nodes.b is defined else '' }}"), text("c")]

    assert [codes(nodes, ways) for nodes in (plain, itself, guarded)] == [["DEF055"], ["DEF055"], []]


def test_an_input_that_may_be_missing_needs_a_guard() -> None:
    inputs = {"x": {"type": "string", "required": False}}

    assert codes([text("a", "{{ inputs.x }}")], [], inputs=inputs) == ["DEF055"]
    assert codes([text("a", "{{ inputs.x | default('') }}")], [], inputs=inputs) == []


def test_texts_are_found_wherever_they_may_stand() -> None:
    write = {"log": "{{ output.data }}"}
    keep = {"operation": "filter", "input": "{{ nodes.a.data }}", "where": "item"}
    definition = load_mapping(
        {
            "name": "test",
            "state": {"log": {"type": "array", "reducer": "append"}},
            "nodes": [
                {"id": "a", "type": "DataInput", "config": {"data": [{"x": "{{ run.id }}"}]}, "write": write},
                {"id": "t", "type": "Transform", "config": keep},
                router("r", [{"when": "state.log == []", "to": "b"}], "b"),
                text("b"),
            ],
            "edges": [{"from": "a", "to": "t", "when": "inputs == {}"}, {"from": "t", "to": "r"}],
            "outputs": {"o": {"value": "{{ state.log }}", "type": "array"}},
        }
    )  # fmt: skip

    found = {place.path: (place.role, [item.path for item in read(place)]) for place in places(Draft.of(definition))}

    assert found == {
        ("nodes", 0, "config", "data", 0, "x"): ("config", [("run", "id")]),
        ("nodes", 0, "write", "log"): ("write", [("output", "data")]),
        ("nodes", 1, "config", "input"): ("config", [("nodes", "a", "data")]),
        ("nodes", 1, "config", "where"): ("config", [("item",)]),
        ("nodes", 2, "config", "routes", 0, "when"): ("way", [("state", "log")]),
        ("edges", 0, "when"): ("way", [("inputs",)]),
        ("outputs", "o", "value"): ("output", [("state", "log")]),
    }
