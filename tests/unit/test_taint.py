"""Untrusted text is followed to where it would decide what an action does, and refused there."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.definition.model import Definition
from orchestrator.definition.taint import set_least, taint_warnings
from orchestrator.errors import DefinitionError, Issue

Node = dict[str, Any]

WEB: Node = {"id": "fetch", "type": "HttpRequest", "config": {"url": "https://example.org/list"}}
ASK: Node = {"id": "ask", "type": "UserInput", "config": {"question": "Who?"}}


def node(name: str, kind: str, **config: Any) -> Node:
    return {"id": name, "type": kind, "config": config}


def mail(to: Any, name: str = "mail", text: str = "x") -> Node:
    return node(name, "SendEmail", to=to, subject="x", text=text)


def chain(*names: str) -> list[Node]:
    return [{"from": one, "to": other} for one, other in pairwise(names)]


def data(nodes: list[Node], edges: list[Node] | None = None, **more: Any) -> Node:
    linked = chain(*(item["id"] for item in nodes)) if edges is None else edges
    return {"name": "test", "nodes": nodes, "edges": linked, **more}


def refused(nodes: list[Node], edges: list[Node] | None = None, **more: Any) -> list[Issue]:
    try:
        load_mapping(data(nodes, edges, **more))
    except DefinitionError as error:
        return list(error.issues)
    return []


def paths(nodes: list[Node], edges: list[Node] | None = None, **more: Any) -> list[str]:
    return [issue.path for issue in refused(nodes, edges, **more) if issue.code == "DEF081"]


@pytest.fixture(autouse=True)
def least() -> Iterator[None]:
    yield
    set_least("warn")


SINKS: list[tuple[Node, str]] = [
    (node("do", "HttpRequest", url="{{ nodes.ask.text }}"), "url"),
    (node("do", "HttpRequest", url="https://example.org/{{ nodes.ask.text }}"), "url"),
    (node("do", "HttpRequest", url="https://example.org/", method="{{ nodes.ask.text }}"), "method"),
    (node("do", "HttpRequest", url="https://example.org/", headers={"X-To": "{{ nodes.ask.text }}"}), "headers.X-To"),
    (mail("{{ nodes.ask.text }}", "do"), "to"),
    (mail(["a@example.org", "{{ nodes.ask.text }}"], "do"), "to[1]"),
    (node("do", "SendEmail", cc="{{ nodes.ask.text }}", subject="x", text="x"), "cc"),
    (node("do", "SendEmail", bcc="{{ nodes.ask.text }}", subject="x", text="x"), "bcc"),
    (node("do", "SendEmail", to="a@b.org", reply_to="{{ nodes.ask.text }}", subject="x", text="x"), "reply_to"),
    ({**node("do", "SendEmail", to="a@b.org", subject="x", text="x", **{"from": "{{ nodes.ask.text }}"})}, "from"),
    (node("do", "SaveToFile", path="{{ nodes.ask.text }}.txt", content="x"), "path"),
    (node("do", "Approval", question="?", assignees=["{{ nodes.ask.text }}"]), "assignees[0]"),
    (node("do", "UserInput", question="?", assignees=["{{ nodes.ask.text }}"]), "assignees[0]"),
]


@pytest.mark.parametrize(("action", "field"), SINKS, ids=[f"{item['type']}.{field}" for item, field in SINKS])
def test_an_answer_of_a_person_decides_no_action(action: Node, field: str) -> None:
    assert paths([ASK, action]) == [f"nodes[1].config.{field}"]


CONTENT: list[Node] = [
    mail("a@example.org", text="{{ nodes.ask.text }}"),
    node("do", "SendEmail", to="a@b.org", subject="{{ nodes.ask.text }}", html="{{ nodes.ask.text }}"),
    node("do", "SaveToFile", path="answer.txt", content="{{ nodes.ask.text }}"),
    node("do", "HttpRequest", url="https://example.org/", query={"q": "{{ nodes.ask.text }}"}),
    node("do", "HttpRequest", url="https://example.org/", method="POST", text="{{ nodes.ask.text }}"),
    node("do", "DatabaseQuery", connection="a", sql="SELECT :x", parameters={"x": "{{ nodes.ask.text }}"}),
    node("do", "DatabaseInsert", connection="a", table="t", rows={"x": "{{ nodes.ask.text }}"}),
    node("do", "ModelInvoke", model="simulated", prompt="{{ nodes.ask.text }}"),
]


@pytest.mark.parametrize("action", CONTENT, ids=lambda item: item["type"])
def test_it_may_be_content(action: Node) -> None:
    assert refused([ASK, action]) == []


def test_the_message_says_field_source_way_and_how_to_mend_it() -> None:
    nodes = [
        WEB,
        {
            **node("draft", "ModelInvoke", model="simulated", prompt="{{ nodes.fetch.body }}"),
            "write": {"notes": "{{ output.text }}"},
        },
        mail("{{ state.notes }}"),
    ]
    [issue] = refused(nodes, state={"notes": {"type": "string"}})

    assert issue.message == (
        "`to` of `mail` is a recipient, and takes untrusted text from the web (`fetch`), by way of `draft` and the "
        "state `notes`"
    )
    assert issue.hint is not None
    assert "Approval" in issue.hint
    assert "trusted:" in issue.hint


def test_text_of_a_model_is_as_trustworthy_as_what_it_reads() -> None:
    clean = node("draft", "ModelInvoke", model="simulated", prompt="A name for a file about {{ inputs.topic }}")
    save = node("save", "SaveToFile", path="{{ nodes.draft.text }}.txt", content="x")
    read = {**clean, "config": {**clean["config"], "system": "{{ nodes.fetch.body }}"}}

    assert refused([clean, save], inputs={"topic": {"type": "string"}}) == []
    assert paths([WEB, read, save], inputs={"topic": {"type": "string"}}) == ["nodes[2].config.path"]


def test_inputs_are_trusted_unless_they_say_otherwise() -> None:
    nodes = [mail("{{ inputs.who }}")]

    assert refused(nodes, inputs={"who": {"type": "string"}}) == []
    [issue] = refused(nodes, inputs={"who": {"type": "string", "untrusted": True}})
    assert "the input `who`" in issue.message
    closed = {"enum": ["ada@example.org", "grace@example.org"], "untrusted": True}
    assert refused(nodes, inputs={"who": closed}) == []


def test_whether_an_input_is_trusted_is_true_or_false() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_mapping(data([mail("a@b.org")], inputs={"who": {"untrusted": "yes"}}))

    assert [(issue.code, issue.path) for issue in caught.value.issues] == [("DEF012", "inputs.who.untrusted")]


CLOSED: list[Node] = [
    {"enum": ["a", "b"]},
    {"const": "a"},
    {"type": "integer"},
    {"type": ["boolean", "null"]},
    {"type": "string", "pattern": "^[A-Z]{2}[0-9]{6}$"},
    {"type": "string", "pattern": r"^\w+@example\.org$"},
    {"anyOf": [{"type": "integer"}, {"const": "all"}]},
]
OPEN: list[Node] = [
    {"type": "string"},
    {"type": "string", "pattern": "[A-Z]{2}"},
    {"type": "string", "pattern": "^a|b$"},
    {"type": "string", "pattern": "^.+$"},
    {"type": "string", "pattern": "^[^/]+$"},
    {"type": "string", "pattern": r"^\S+$"},
    {"type": "string", "pattern": r"(?m)^[a-z]$"},
    {"type": "string", "pattern": r"^(?m:[a-z])$"},
    {"type": "string", "pattern": r"^[a-z]\$"},
    {"type": "string", "format": "email"},
    {"type": ["integer", "string"]},
    {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    {},
]


@pytest.mark.parametrize("schema", CLOSED, ids=str)
def test_an_answer_of_a_closed_type_is_no_danger(schema: Node) -> None:
    ask = node("ask", "UserInput", question="?", answer=schema)

    assert refused([ask, mail("{{ nodes.ask.value }}")]) == []
    assert paths([ask, mail("{{ nodes.ask.text }}")]) == ["nodes[1].config.to"]


@pytest.mark.parametrize("schema", OPEN, ids=str)
def test_an_answer_of_an_open_type_is(schema: Node) -> None:
    ask = node("ask", "UserInput", question="?", answer=schema)

    assert paths([ask, mail("{{ nodes.ask.value }}")]) == ["nodes[1].config.to"]


def test_one_field_of_an_answer_may_be_closed_and_another_open() -> None:
    schema = {"type": "object", "properties": {"who": {"enum": ["a@b.org"]}, "why": {"type": "string"}}}
    ask = node("ask", "UserInput", question="?", answer=schema)

    assert refused([ask, mail("{{ nodes.ask.value.who }}")]) == []
    assert paths([ask, mail("{{ nodes.ask.value.why }}")]) == ["nodes[1].config.to"]
    assert paths([ask, mail("{{ nodes.ask.value }}")]) == ["nodes[1].config.to"]


CLOSING: list[Node] = [
    {"operation": "count"},
    {"operation": "to_number"},
    {"operation": "matches", "pattern": "x"},
    {"operation": "expression", "expression": "size(input) > 3 ? 'a@b.org' : 'c@d.org'"},
    {"operation": "expression", "expression": "size(input)"},
    {"operation": "extract", "pattern": "[A-Z]{2}[0-9]{6}"},
]
PASSING: list[Node] = [
    {"operation": "trim"},
    {"operation": "expression", "expression": "size(input) > 3 ? input : 'c@d.org'"},
    {"operation": "extract", "pattern": "to: (.*)"},
]


@pytest.mark.parametrize("config", CLOSING, ids=str)
def test_a_transform_into_a_closed_type_is_a_check(config: Node) -> None:
    nodes = [ASK, node("t", "Transform", input="{{ nodes.ask.text }}", **config), mail("{{ nodes.t.result }}")]

    assert refused(nodes) == []


@pytest.mark.parametrize("config", PASSING, ids=str)
def test_any_other_transform_passes_it_on(config: Node) -> None:
    nodes = [ASK, node("t", "Transform", input="{{ nodes.ask.text }}", **config), mail("{{ nodes.t.result }}")]

    assert paths(nodes) == ["nodes[2].config.to"]


def test_a_number_made_by_a_filter_is_no_text() -> None:
    nodes = [ASK, node("save", "SaveToFile", path="{{ nodes.ask.text | length }}.txt", content="x")]

    assert refused(nodes) == []


def test_what_only_decides_between_texts_of_the_author_does_not_flow() -> None:
    to = "{% if nodes.ask.text == 'x' %}a@b.org{% else %}c@d.org{% endif %}"

    assert refused([ASK, mail(to)]) == []
    assert paths([ASK, mail("{{ nodes.ask.text if nodes.ask.text == 'x' else 'c@d.org' }}")]) == ["nodes[1].config.to"]


def test_a_loop_in_a_template_hands_on_what_it_goes_over() -> None:
    to = "{% for item in nodes.fetch.body.people %}{{ item.mail }}{% endfor %}"

    assert paths([WEB, mail(to)]) == ["nodes[1].config.to"]


ADDRESSES = [
    ("https://example.org/{{ nodes.ask.text | urlencode }}", True),
    ("https://example.org/a?b={{ nodes.ask.text | urlencode }}", True),
    ("{{ inputs.base }}/orders/{{ nodes.ask.text | urlencode }}", True),
    ("{{ inputs.base }}/{{ nodes.ask.text }}", False),
    ("https://{{ nodes.ask.text | urlencode }}/", False),
    ("https://{{ nodes.ask.text | urlencode }}.example.org/", False),
    ("{{ inputs.base }}://{{ nodes.ask.text | urlencode }}/", False),
    ("{{ inputs.base }}{{ nodes.ask.text | urlencode }}/", False),
    ("{% if inputs.base %}https://example.org/{% endif %}{{ nodes.ask.text | urlencode }}", False),
]


@pytest.mark.parametrize(("url", "allowed"), ADDRESSES)
def test_an_encoded_part_behind_the_host_does_not_decide_an_address(url: str, allowed: bool) -> None:  # noqa: FBT001 - of the table
    nodes = [ASK, node("do", "HttpRequest", url=url)]

    assert (refused(nodes, inputs={"base": {"type": "string"}}) == []) is allowed


def approval(**config: Any) -> Node:
    return node("ok", "Approval", **{"question": "?", "proposal": "{{ nodes.ask.text }}", **config})


def test_an_approval_that_shows_the_text_clears_what_comes_behind_it() -> None:
    assert refused([ASK, approval(), mail("{{ nodes.ask.text }}")]) == []
    assert refused([ASK, approval(), mail("{{ nodes.ok.value }}")]) == []
    assert (
        refused([ASK, approval(proposal=None, question="To {{ nodes.ask.text }}?"), mail("{{ nodes.ask.text }}")]) == []
    )


def test_an_approval_that_does_not_show_it_is_no_check() -> None:
    [issue] = refused([ASK, approval(proposal="something else"), mail("{{ nodes.ask.text }}")])

    assert issue.hint == "`ok` stands between, but does not show this text: put it into its `proposal`."


def test_an_approval_before_the_text_is_there_is_no_check() -> None:
    nodes = [node("ok", "Approval", question="?", proposal="x"), ASK, mail("{{ nodes.ask.text }}")]

    assert paths(nodes) == ["nodes[2].config.to"]


def test_a_way_past_the_approval_is_refused() -> None:
    nodes = [ASK, approval(), {**mail("{{ nodes.ask.text }}"), "join": "any"}]
    edges = [*chain("ask", "ok", "mail"), {"from": "ask", "to": "mail", "when": "size(output.text) > 3"}]

    assert paths(nodes, edges) == ["nodes[2].config.to"]


@pytest.mark.parametrize("side", ["on_reject", "on_expiry"])
def test_the_way_of_a_rejection_is_no_approval(side: str) -> None:
    more = {"expires": "1d"} if side == "on_expiry" else {}
    nodes = [ASK, approval(**{side: "mail"}, **more), mail("{{ nodes.ask.text }}"), node("end", "Format", template="x")]
    edges = [*chain("ask", "ok", "end")]

    assert paths(nodes, edges) == ["nodes[2].config.to"]


def test_two_ways_with_an_approval_each_are_both_checked() -> None:
    two = {**approval(), "id": "ok2"}
    nodes = [ASK, approval(), two, {**mail("{{ nodes.ask.text }}"), "join": "any"}]
    edges = [
        {"from": "ask", "to": "ok", "when": "size(output.text) > 3"},
        {"from": "ask", "to": "ok2", "when": "size(output.text) <= 3"},
        *chain("ok", "mail"),
        *chain("ok2", "mail"),
    ]

    assert refused(nodes, edges) == []
    assert paths([ASK, approval(), {**two, "config": {"question": "?"}}, nodes[3]], edges) == ["nodes[3].config.to"]


def test_a_node_that_says_why_it_is_trusted_is_a_check() -> None:
    trusted = {**WEB, "trusted": "Our own service; strangers cannot write there."}

    assert paths([WEB, mail("{{ nodes.fetch.body.mail }}")]) == ["nodes[1].config.to"]
    assert refused([trusted, mail("{{ nodes.fetch.body.mail }}")]) == []
    passed = {**node("t", "Transform", operation="trim", input="{{ nodes.ask.text }}"), "trusted": "Looked up by hand."}
    assert refused([ASK, passed, mail("{{ nodes.t.result }}")]) == []
    assert paths([ASK, passed, mail("{{ nodes.ask.text }}")]) == ["nodes[2].config.to"]


def test_a_reason_is_needed() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_mapping(data([{**WEB, "trusted": "ok"}]))

    assert [issue.path for issue in caught.value.issues] == ["nodes[0].trusted"]


def test_it_is_followed_round_a_loop() -> None:
    nodes = [
        mail("{{ state.who }}"),
        {**ASK, "write": {"who": "{{ output.text }}"}},
        node(
            "again", "Router", routes=[{"when": "size(state.who) < 9", "to": "mail", "max_visits": 3}], otherwise="end"
        ),
        node("end", "Format", template="x"),
    ]

    assert paths(nodes, chain("mail", "ask", "again"), state={"who": {"type": "string"}}) == ["nodes[0].config.to"]


def test_it_is_followed_into_the_items_of_a_loop_and_out_again() -> None:
    body = {"nodes": [mail("{{ inputs.who }}")], "outputs": {"who": "{{ inputs.who }}", "index": "{{ index }}"}}
    each = node("each", "ForEach", items="nodes.fetch.body.people", inputs={"who": "{{ item.mail }}"}, do=body)
    save = node("save", "SaveToFile", path="{{ nodes.each.results[0].who }}.txt", content="x")
    count = node("save", "SaveToFile", path="{{ nodes.each.count }}.txt", content="x")

    [inner, outer] = refused([WEB, each, save])
    assert inner.path == "nodes[1].config.do.nodes[0].config.to"
    assert "the items of `each` and the input `who` of `each`" in inner.message
    assert outer.path == "nodes[2].config.path"
    assert len(refused([WEB, each, count])) == 1


def test_the_item_itself_is_seen_within_the_graph() -> None:
    each = node("each", "ForEach", items="nodes.fetch.body", do={"nodes": [mail("{{ item }}")]})
    indexed = node("each", "ForEach", items="nodes.fetch.body", do={"nodes": [mail("{{ index }}@example.org")]})

    assert paths([WEB, each]) == ["nodes[1].config.do.nodes[0].config.to"]
    assert refused([WEB, indexed]) == []


def test_an_approval_within_a_graph_clears_what_comes_behind_that_graph() -> None:
    inner = [node("ok", "Approval", question="{{ inputs.who }}?")]
    sub = node("sub", "Subworkflow", inputs={"who": "{{ nodes.ask.text }}"}, do={"nodes": inner})
    each = node("sub", "ForEach", items="[1]", inputs={"who": "{{ nodes.ask.text }}"}, do={"nodes": inner})

    assert refused([ASK, sub, mail("{{ nodes.ask.text }}")]) == []
    # With no items nobody is asked.
    assert paths([ASK, each, mail("{{ nodes.ask.text }}")]) == ["nodes[2].config.to"]


@pytest.mark.parametrize(("when", "cleared"), [({}, True), ({"when": "size(output.text) > 3"}, False)])
def test_an_approval_within_a_graph_counts_only_where_the_graph_cannot_end_without_it(
    when: dict[str, str],
    cleared: bool,  # noqa: FBT001 - of the table
) -> None:
    inner = [node("first", "Format", template="x"), node("ok", "Approval", question="{{ inputs.who }}?")]
    do = {"nodes": inner, "edges": [{"from": "first", "to": "ok", **when}]}
    sub = node("sub", "Subworkflow", inputs={"who": "{{ nodes.ask.text }}"}, do=do)

    assert (refused([ASK, sub, mail("{{ nodes.ask.text }}")]) == []) is cleared


def test_outputs_of_a_graph_carry_only_what_flows_into_them() -> None:
    do = {"nodes": [ASK], "outputs": {"said": "{{ nodes.ask.text }}", "fixed": "a@b.org"}}
    sub = node("sub", "Subworkflow", do=do)

    assert refused([sub, mail("{{ nodes.sub.fixed }}")]) == []
    [issue] = refused([sub, mail("{{ nodes.sub.said }}")])
    assert "a person (`sub.ask`), by way of `sub`" in issue.message


def test_a_definition_that_is_named_is_looked_into() -> None:
    named = load_mapping({**data([mail("{{ inputs.who }}")], inputs={"who": {"type": "string"}}), "name": "post"})

    def find(_name: str) -> Definition:
        return named

    clean = load_mapping(data([node("sub", "Subworkflow", definition="post", inputs={"who": "a@b.org"})]))
    assert compile_definition(clean, find).nodes

    sub = node("sub", "Subworkflow", definition="post", inputs={"who": "{{ nodes.ask.text }}"})
    with pytest.raises(DefinitionError) as caught:
        compile_definition(load_mapping(data([ASK, sub])), find)
    [issue] = caught.value.issues
    assert (issue.code, issue.path) == ("DEF081", "nodes[1].config.definition")
    assert "in post@1.0.0, at nodes[0].config.to" in issue.message


def test_what_a_named_definition_gives_is_known_when_it_is_compiled() -> None:
    named = load_mapping({**data([ASK], outputs={"said": "{{ nodes.ask.text }}"}), "name": "questions"})
    definition = load_mapping(data([node("sub", "Subworkflow", definition="questions"), mail("{{ nodes.sub.said }}")]))

    with pytest.raises(DefinitionError) as caught:
        compile_definition(definition, lambda _name: named)

    assert [issue.path for issue in caught.value.issues] == ["nodes[1].config.to"]


def test_nodes_that_undo_or_clean_up_are_checked_too() -> None:
    do = {**WEB, "compensate": "undo"}
    undo = node("undo", "HttpRequest", method="DELETE", url="https://example.org/{{ output.body.id }}")
    last = node(
        "last", "SaveToFile", path="{% if nodes.fetch is defined %}{{ nodes.fetch.body.id }}{% endif %}", content="x"
    )

    assert paths([do, undo], []) == ["nodes[1].config.url"]
    assert paths([WEB, last], [], **{"finally": ["last"]}) == ["nodes[1].config.path"]


def test_a_node_that_undoes_what_came_behind_an_approval_comes_behind_it_too() -> None:
    do = {**node("do", "HttpRequest", url="https://example.org/"), "compensate": "undo"}
    undo = node("undo", "HttpRequest", method="DELETE", url="https://example.org/{{ nodes.ask.text }}")

    assert refused([ASK, approval(), do, undo], chain("ask", "ok", "do")) == []
    assert paths([ASK, approval(), do, undo], [*chain("ask", "do"), *chain("ask", "ok")]) == ["nodes[3].config.url"]


def test_what_a_failed_request_says_is_untrusted_too() -> None:
    fetch = {**WEB, "on_error": "mail"}
    nodes = [fetch, mail("{{ nodes.fetch.error.message }}"), node("end", "Format", template="x")]

    assert paths(nodes, chain("fetch", "end")) == ["nodes[1].config.to"]


POST = node("post", "HttpRequest", url="https://example.org/", method="POST", json={"to": "{{ nodes.ask.text }}"})
DELETE = node(
    "post", "DatabaseQuery", connection="a", sql="DELETE FROM t WHERE x = :x", write=True,
    parameters={"x": "{{ nodes.ask.text }}"},
)  # fmt: skip


@pytest.mark.parametrize("action", [POST, DELETE], ids=lambda item: item["type"])
def test_arguments_that_may_be_content_are_warned_of_and_refused_on_request(action: Node) -> None:
    definition = load_mapping(data([ASK, action]))

    [issue] = taint_warnings(definition)
    assert "is an argument of an action" in issue.message
    assert len(refused([ASK, action], safety={"taint": "refuse"})) == 1


@pytest.mark.parametrize("action", [POST, mail("{{ nodes.ask.text }}")], ids=["argument", "recipient"])
def test_a_definition_may_ask_for_warnings_but_the_platform_has_the_last_word(action: Node) -> None:
    warned = data([ASK, action], safety={"taint": "warn"})
    silent = data([ASK, action], safety={"taint": "off"})

    assert len(taint_warnings(load_mapping(warned))) == 1
    assert len(taint_warnings(load_mapping(silent))) == 1
    set_least("off")
    assert taint_warnings(load_mapping(silent)) == ()
    set_least("refuse")
    for one in (warned, silent):
        with pytest.raises(DefinitionError):
            load_mapping(one)


def test_a_large_definition_is_followed_in_bounded_time() -> None:
    """Every node reads the one before and comes from the web: as many origins as nodes."""
    nodes = [WEB] + [
        node(
            f"n{number}",
            "HttpRequest",
            url=f"https://example.org/{number}",
            query={"q": f"{{{{ nodes.{before}.body }}}}"},
        )
        for number, before in enumerate(["fetch", *(f"n{number}" for number in range(600))])
    ]
    nodes.append(mail("{{ nodes.n600.body }}"))

    assert paths(nodes) == [f"nodes[{len(nodes) - 1}].config.to"]


def test_what_went_wrong_is_as_trustworthy_as_what_the_node_read() -> None:
    page = node("m", "ModelInvoke", model="simulated", prompt="{{ nodes.fetch.body }}", answer={"type": "integer"})
    caught = node("h", "Format", template="{{ nodes.m.error.details.text }}")
    nodes = [WEB, page | {"on_error": "h"}, caught, mail("{{ nodes.h.text }}")]

    assert paths(nodes, [*chain("fetch", "m"), *chain("h", "mail")]) == ["nodes[3].config.to"]
