"""Every rule: a definition that breaks it, the code, the place and the hint."""

from typing import Any

import pytest

from orchestrator.definition.later import LATER
from orchestrator.definition.loader import load_mapping, load_text
from orchestrator.definition.model import Definition, NodeModel
from orchestrator.errors import DefinitionError, Issue
from orchestrator.node_types import NODE_TYPES

Node = dict[str, Any]


def text(name: str, template: str = "x", **more: Any) -> Node:
    return {"id": name, "type": "Format", "config": {"template": template}, **more}


def router(name: str, routes: list[Node], otherwise: str) -> Node:
    return {"id": name, "type": "Router", "config": {"routes": routes, "otherwise": otherwise}}


def edge(source: str, target: str, **more: Any) -> Node:
    return {"from": source, "to": target, **more}


def issues(nodes: list[Node] | None = None, edges: list[Node] | None = None, **more: Any) -> list[Issue]:
    data = {"name": "test", "nodes": nodes or [text("a")], "edges": edges or [], **more}
    try:
        load_mapping(data)
    except DefinitionError as error:
        return list(error.issues)
    return []


def found(nodes: list[Node] | None = None, edges: list[Node] | None = None, **more: Any) -> list[tuple[str, str]]:
    return sorted((issue.code, issue.path) for issue in issues(nodes, edges, **more))


UNKNOWN_ROUTE = [router("a", [{"when": "true", "to": "b"}], "bb"), text("b")]
XML: Node = {"template": "x", "format": "xml"}
TYPO: Node = {"template": "x", "fromat": "json"}
WRONG_OPTION: list[Node] = [{"id": "a", "type": "Transform", "config": {"operation": "trim", "input": "", "by": "x"}}]
WHERE_TEXT: list[Node] = [
    {"id": "a", "type": "Transform", "config": {"operation": "filter", "input": [], "where": "'x'"}}
]
WHERE_NODES: list[Node] = [
    {"id": "a", "type": "Transform", "config": {"operation": "filter", "input": [], "where": "nodes.a"}}
]
PAIR = [text("a"), text("b")]
MAYBE = "{{ nodes.a.data if nodes.a is defined else '' }}"
CHAIN = [edge("a", "b")]


BROKEN: list[tuple[Node, list[tuple[str, str]]]] = [
        ({"nodes": [{"type": "Format", "config": {"template": "x"}}]}, [("DEF010", "nodes[0].id")]),
        ({"vresion": "1.0.0"}, [("DEF011", "vresion")]),
        ({"nodes": [text("a", jion="any")]}, [("DEF011", "nodes[0].jion")]),
        ({"description": 3}, [("DEF012", "description")]),
        ({"access": "EVERYBODY"}, [("DEF012", "access")]),
        ({"edges": {"from": "a"}}, [("DEF012", "edges")]),
        ({"nodes": [3]}, [("DEF012", "nodes[0]")]),
        ({"name": "Nice Name"}, [("DEF013", "name")]),
        ({"version": "1.0"}, [("DEF013", "version")]),
        ({"version": 1.0}, [("DEF013", "version")]),
        ({"nodes": [text("a-b")]}, [("DEF013", "nodes[0].id")]),
        ({"inputs": {"a b": {}}}, [("DEF013", "inputs.a b")]),
        ({"limits": {"steps": 0, "timeout": "soon"}}, [("DEF014", "limits.steps"), ("DEF014", "limits.timeout")]),
        ({"nodes": [text("a", timeout="2m", total_timeout="1m")]}, [("DEF014", "nodes[0].total_timeout")]),
        ({"nodes": [text("a", retry={"initial_delay": 9, "max_delay": 2})]}, [("DEF014", "nodes[0].retry.max_delay")]),
        (
            {"nodes": [{"id": "a", "type": "UserInput", "config": {"question": "?"}, "timeout": 3}]},
            [("DEF014", "nodes[0].timeout")],
        ),
        ({"nodes": [{"id": "a", "type": "Fromat"}]}, [("DEF020", "nodes[0].type")]),
        ({"nodes": [text("a") | {"config": XML}]}, [("DEF021", "nodes[0].config.format")]),
        ({"nodes": WRONG_OPTION}, [("DEF021", "nodes[0].config")]),
        ({"nodes": [{"id": "a", "type": "UserInput"}]}, [("DEF022", "nodes[0].config")]),
        ({"nodes": [text("a") | {"config": TYPO}]}, [("DEF023", "nodes[0].config.fromat")]),
        (
            {"nodes": [{"id": "a", "type": "ModelInvoke", "config": {"model": "gpt-4o-mimi", "prompt": "x"}}]},
            [("DEF024", "nodes[0].config.model")],
        ),
        ({"nodes": [text("a"), text("a")]}, [("DEF030", "nodes[1].id")]),
        ({"nodes": PAIR, "edges": [edge("a", "c")]}, [("DEF031", "edges[0].to")]),
        ({"nodes": UNKNOWN_ROUTE}, [("DEF031", "nodes[0].config.otherwise")]),
        ({"nodes": PAIR, "edges": [*CHAIN, *CHAIN]}, [("DEF032", "edges[1]")]),
        ({"edges": [edge("a", "a")]}, [("DEF033", "edges[0]")]),
        ({"nodes": PAIR, "edges": [*CHAIN, edge("b", "a")]}, [("DEF034", "edges[1]")]),
        ({"nodes": PAIR, "edges": [edge("a", "b", max_visits=3)]}, [("DEF035", "edges[0].max_visits")]),
        (
            {
                "nodes": [text("s"), text("h1"), text("h2"), text("m", join="any")],
                "edges": [
                    edge("s", "h1"), edge("s", "h2"), edge("h1", "m"), edge("h2", "m"),
                    edge("m", "h1", max_visits=2), edge("m", "h2", max_visits=2),
                ],
            },
            [("DEF036", "edges[5]"), ("DEF037", "nodes[3].join")],
        ),
        (
            {
                "nodes": [text("s"), text("h"), text("m", join="any")],
                "edges": [edge("s", "h"), edge("s", "m"), edge("h", "m"), edge("m", "h", max_visits=2)],
            },
            [("DEF037", "nodes[2].join")],
        ),
        (
            {"nodes": [router("a", [{"when": "true", "to": "b"}], "b"), text("b")], "edges": CHAIN},
            [("DEF038", "edges[0]")],
        ),
        ({"nodes": [*PAIR, text("c")], "edges": CHAIN}, [("DEF039", "nodes[2]")]),
        ({"nodes": [text("a", cancel_others=True)]}, [("DEF040", "nodes[0].cancel_others")]),
        ({"nodes": [text("a", "{{ inputs. }}")]}, [("DEF050", "nodes[0].config.template")]),
        ({"nodes": PAIR, "edges": [edge("a", "b", when="1 +")]}, [("DEF051", "edges[0].when")]),
        ({"nodes": PAIR, "edges": [edge("a", "b", when="1 + 1")]}, [("DEF052", "edges[0].when")]),
        ({"nodes": PAIR, "edges": [edge("a", "b", when="nope(1)")]}, [("DEF052", "edges[0].when")]),
        ({"nodes": WHERE_TEXT}, [("DEF052", "nodes[0].config.where")]),
        ({"nodes": WHERE_NODES}, [("DEF053", "nodes[0].config.where")]),
        ({"nodes": [text("a", "{{ input.x }}")]}, [("DEF053", "nodes[0].config.template")]),
        ({"nodes": [text("a", "{{ inputs.x }}")]}, [("DEF053", "nodes[0].config.template")]),
        ({"nodes": [text("a", "{{ state.x }}")]}, [("DEF053", "nodes[0].config.template")]),
        ({"nodes": [text("a", "{{ context.x }} {{ run.x }}")]}, [("DEF053", "nodes[0].config.template")] * 2),
        ({"nodes": [text("a", "{{ nodes.x.text }}")]}, [("DEF053", "nodes[0].config.template")]),
        ({"nodes": [text("a", "{{ output.text }}")]}, [("DEF053", "nodes[0].config.template")]),
        ({"outputs": {"x": "{{ nodes.a.txt }}"}}, [("DEF054", "outputs.x")]),
        (
            {"state": {"x": {}}, "nodes": [text("a", write={"x": "{{ output.txt }}"})]},
            [("DEF054", "nodes[0].write.x")],
        ),
        ({"nodes": [text("a", "{{ nodes.a.text }}")]}, [("DEF056", "nodes[0].config.template")]),
        (
            {"state": {"x": {}}, "nodes": [text("a", write={"x": "{{ nodes.a.text }}"})]},
            [("DEF056", "nodes[0].write.x")],
        ),
        ({"inputs": {"x": {"type": "strin"}}}, [("DEF060", "inputs.x")]),
        ({"inputs": {"x": {"$ref": "http://example.com/x"}}}, [("DEF060", "inputs.x")]),
        ({"outputs": {"x": {"value": 1, "type": "int"}}}, [("DEF060", "outputs.x")]),
        (
            {"nodes": [{"id": "a", "type": "UserInput", "config": {"question": "?", "answer": {"type": "yes"}}}]},
            [("DEF060", "nodes[0].config.answer")],
        ),
        ({"inputs": {"x": {"type": "integer", "default": "1"}}}, [("DEF061", "inputs.x.default")]),
        ({"outputs": {"x": {"type": "string"}}}, [("DEF062", "outputs.x")]),
        ({"outputs": {"x": {"value": MAYBE, "type": "object"}}}, [("DEF063", "outputs.x.value")]),
        ({"outputs": {"x": {"value": "3", "type": ["integer", "null"]}}}, [("DEF063", "outputs.x.value")]),
        (
            {"outputs": {"x": {"value": {"n": [MAYBE]}, "properties": {"n": {"items": {"type": "number"}}}}}},
            [("DEF063", "outputs.x.value.n[0]")],
        ),
        (
            {"state": {"x": {"type": "number", "reducer": "add"}}, "nodes": [text("a", write={"x": "{{ 1 + 1 }}"})]},
            [("DEF063", "nodes[0].write.x")],
        ),
        ({"nodes": [text("a", write={"x": "1"})]}, [("DEF070", "nodes[0].write.x")]),
        ({"state": {"x": {"type": "string", "reducer": "append"}}}, [("DEF071", "state.x.reducer")]),
        ({"state": {"x": {"type": "array", "initial": "a"}}}, [("DEF072", "state.x.initial")]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), BROKEN)
def test_a_broken_rule_is_reported_with_its_code_and_path(data: Node, expected: list[tuple[str, str]]) -> None:
    assert found(**data) == expected


@pytest.mark.parametrize(
    "secret",
    ["sk-proj-" + "a1" * 12, "AKIA" + "ABCDEFGH12345678", "ghp_" + "a" * 36, "xoxb-" + "1" * 12,
     "-----BEGIN RSA " + "PRIVATE KEY-----", "https://me:hunter2@example.com"],
)  # fmt: skip
def test_a_secret_in_clear_is_reported_and_not_repeated(secret: str) -> None:
    reported = issues([text("a", f"use {secret}")])

    assert [issue.code for issue in reported] == ["DEF080"]
    assert secret not in str(reported)


@pytest.mark.parametrize(("value", "codes"), [("Bearer abc", ["DEF080"]), ("Bearer {{ inputs.token }}", [])])
def test_a_header_that_holds_a_secret_must_be_a_template(value: str, codes: list[str]) -> None:
    config = {"url": "https://example.com", "headers": {"Authorization": value}}
    node = {"id": "a", "type": "HttpRequest", "config": config}

    assert [issue.code for issue in issues([node], inputs={"token": {"type": "string"}})] == codes


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ({"vresion": "1.0.0"}, "Did you mean `version`?"),
        ({"nodes": [{"id": "a", "type": "Fromat"}]}, "Did you mean `Format`?"),
        ({"nodes": PAIR, "edges": [edge("a", "c")]}, "There are `a` and `b`."),
        ({"edges": [edge("a", "c")]}, "There is `a`."),
        ({"nodes": [text("a", "{{ nodes.aa.text }}")]}, "Did you mean `a`?"),
        ({"outputs": {"x": "{{ nodes.a.txt }}"}}, "Did you mean `text`?"),
    ],
)
def test_the_nearest_right_name_is_offered(data: Node, hint: str) -> None:
    assert [issue.hint for issue in issues(**data)] == [hint]


def test_a_template_stands_for_a_value_of_any_type() -> None:
    config = {"url": "{{ inputs.u }}", "timeout": "{{ inputs.t }}", "method": "{{ inputs.m }}"}

    assert found([{"id": "a", "type": "HttpRequest", "config": config}], inputs={"u": {}, "t": {}, "m": {}}) == []


@pytest.mark.parametrize(
    "output",
    [
        {"value": "{{ nodes.a.data }}", "type": "object"},
        {"value": MAYBE},
        {"value": MAYBE, "type": "string"},
        {"value": MAYBE, "type": ["object", "string"]},
        {"value": {"n": "{{ nodes.a.data }}", "m": MAYBE}, "type": "object", "properties": {"n": {"type": "number"}}},
        {"value": ["{{ nodes.a.text }}!"], "type": "array", "items": {"type": "string"}},
    ],
)
def test_a_typed_output_may_be_a_reference_or_text_where_its_type_allows_text(output: Node) -> None:
    assert found(outputs={"x": output}) == []


def test_text_may_be_added_to_a_list_and_written_into_a_channel_of_any_type() -> None:
    state = {"log": {"type": "array", "reducer": "append"}, "last": {}, "note": {"type": "string"}}

    assert found([text("a", write=dict.fromkeys(state, "said {{ output.text }}"))], state=state) == []


def test_what_is_wrong_with_text_for_another_type_says_what_to_do() -> None:
    [issue] = issues(outputs={"x": {"value": MAYBE, "type": ["object", "null"]}})

    assert issue.message == "This must be of type object or null, but always gives text"
    assert issue.hint is not None
    assert "exactly one reference" in issue.hint
    assert "`expression`" in issue.hint


@pytest.mark.parametrize("word", ["ConversationMemory", "VectorSearch", "StreamToClient"])
def test_a_node_type_of_a_later_release_is_no_typing_error(word: str) -> None:
    assert [issue.hint for issue in issues([{"id": "a", "type": word}])] == [f"`{word}` comes with a later release."]


@pytest.mark.parametrize("word", ["priority"])
def test_a_field_of_a_later_release_is_no_typing_error(word: str) -> None:
    expected = [f"`{word}` comes with a later release."]

    assert [issue.hint for issue in issues([text("a", **{word: "b"})])] == expected
    assert [issue.hint for issue in issues(None, None, **{word: "b"})] == expected


def test_nothing_that_is_there_already_comes_later() -> None:
    fields = {info.alias or name for model in (Definition, NodeModel) for name, info in model.model_fields.items()}

    assert LATER & (NODE_TYPES.keys() | fields) == set()


def test_every_problem_is_reported_in_one_pass_in_the_order_of_the_text() -> None:
    source = """\
name: T!
nodes:
  - {id: a, type: Formt, config: {}}
  - {id: b, type: Format, config: {template: "{{ inputs.x }}"}, when: 1}
  - {id: c, type: Format}
edges:
  - {from: a, to: d}
  - {from: b}
"""
    with pytest.raises(DefinitionError) as caught:
        load_text(source)

    assert [(issue.code, issue.line, issue.column) for issue in caught.value.issues] == [
        ("DEF013", 1, 7),
        ("DEF020", 3, 19),
        ("DEF053", 4, 46),
        ("DEF011", 4, 65),
        ("DEF022", 5, 5),
        ("DEF031", 7, 19),
        ("DEF010", 8, 5),
    ]
    assert caught.value.message.startswith("line 1, column 7: `name` is not well formed [DEF013] (and 6 more)")


def test_a_cycle_is_named_from_node_to_node() -> None:
    [issue] = issues([*PAIR, text("c")], [edge("a", "b"), edge("b", "c"), edge("c", "b")])

    assert issue.message == "A cycle without a bound: b -> c -> b"
    assert issue.hint == "Give the way from `c` to `b` a `max_visits`."


def test_loops_that_can_each_end_only_after_the_other_are_refused() -> None:
    nodes = [text("a"), text("b"), text("c"), text("d")]
    across = [edge("a", "d"), edge("c", "b")]
    [issue] = issues(
        nodes,
        [edge("a", "b"), edge("c", "d"), *across, edge("b", "a", max_visits=2), edge("d", "c", max_visits=2)],
    )

    assert issue.code == "DEF036"
    assert issue.message.startswith("The loops that begin at `a` and `c` wait for each other")
