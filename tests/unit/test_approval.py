"""Approval: its configuration, and where its ways aside lead."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.approval import ApprovalConfig
from tests.unit.test_rules import edge, found, text

Config = dict[str, Any]


def approval(name: str, **config: Any) -> Config:
    return {"id": name, "type": "Approval", "config": {"question": "?", **config}}


def test_it_is_performed_by_the_workflow_and_says_how_it_was_decided() -> None:
    kind = NODE_TYPES["Approval"]

    assert kind.activity is None
    assert kind.outputs == ("decision", "value", "by", "comment", "message_id", "at")
    assert kind.asides == {"on_expiry": "expiry", "on_reject": "reject"}


def test_a_question_alone_can_be_decided_in_every_way() -> None:
    config = ApprovalConfig.model_validate({"question": "?"})

    assert (config.decisions, config.proposal, config.form) == (None, None, None)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"decisions": []}, "at least one decision"),
        ({"decisions": ["approve", "approve"]}, "names a decision twice"),
        ({"decisions": ["defer"]}, "only ever be put off"),
        ({"decisions": ["approve", "modify"]}, "neither a `proposal` nor a `form`"),
        ({"decisions": ["approve"], "on_reject": "x"}, "does not allow `reject`"),
        ({"decisions": ["maybe"]}, "Input should be"),
        ({"on_expiry": "x"}, "no `expires`"),
    ],
)
def test_decisions_that_make_no_sense_are_refused(config: Config, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ApprovalConfig.model_validate({"question": "?", **config})


@pytest.mark.parametrize("more", [{"proposal": None}, {"proposal": 3}, {"form": {"type": "string"}}])
def test_what_has_a_proposal_or_a_form_can_be_modified(more: Config) -> None:
    assert ApprovalConfig.model_validate({"question": "?", "decisions": ["modify"], **more}).decisions == ("modify",)


def test_its_ways_aside_come_after_its_normal_ones_in_the_plan() -> None:
    nodes = [
        {**approval("a", expires="1h", on_expiry="b", on_reject="c"), "on_error": "d"},
        *(text(name) for name in "bcd"),
    ]
    compiled = compile_definition(load_mapping({"name": "test", "nodes": nodes, "edges": [edge("a", "b")]}))

    assert [(way.target, way.kind) for way in compiled.edges] == [
        ("b", "normal"),
        ("d", "error"),
        ("b", "expiry"),
        ("c", "reject"),
    ]
    assert compiled.nodes[0].config.value["expires"] == "1h"


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([approval("a", on_reject="b")], [("DEF031", "nodes[0].config.on_reject")]),
        ([approval("a", on_reject="a")], [("DEF041", "nodes[0].config.on_reject")]),
        ([approval("a", form={"type": "yes"})], [("DEF060", "nodes[0].config.form")]),
        ([approval("a", expires="{{ inputs.x }}")], [("DEF021", "nodes[0].config.expires")]),
        ([approval("a", reminders=["1h"], expires="10m")], [("DEF021", "nodes[0].config")]),
    ],
)
def test_what_is_wrong_with_one_has_its_place(nodes: list[Config], expected: list[tuple[str, str]]) -> None:
    assert found(nodes) == expected


def test_a_question_with_a_templated_form_keeps_its_ways_aside() -> None:
    ask = approval("a", form="{{ inputs.form }}", on_reject="b")

    assert found([ask, text("b", "{{ nodes.a.comment }}")], inputs={"form": {}}) == []
    assert found([ask, text("b")], inputs={"form": {}}, outputs={"x": "{{ nodes.b.text }}"}) == [
        ("DEF055", "outputs.x")
    ]


def test_who_may_decide_is_a_list_whose_texts_may_be_templates() -> None:
    assert found([approval("a", assignees=["{{ inputs.who }}", "ada"])], inputs={"who": {}}) == []
    wrongs: list[Any] = ["{{ inputs.who }}", None, []]
    for wrong in wrongs:
        assert found([approval("a", assignees=wrong)], inputs={"who": {}}) == [("DEF021", "nodes[0].config.assignees")]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("{{ nodes.a.decision }} {{ nodes.a.comment }}", []),
        ("{{ nodes.a.expired }}", [("DEF054", "nodes[1].config.template")]),
        ("{{ nodes.a.error.code }}", [("DEF054", "nodes[1].config.template")]),
    ],
)
def test_a_rejection_has_the_fields_of_every_decision(reference: str, expected: list[tuple[str, str]]) -> None:
    assert found([approval("a", on_reject="b"), text("b", reference)]) == expected


@pytest.mark.parametrize(
    ("reference", "codes"),
    [
        ("{{ nodes.a.expired }} {{ nodes.a.at }}", []),
        ("{{ nodes.a.decision }}", ["DEF055"]),
        ("{{ nodes.a.decision if nodes.a is defined else '' }}", ["DEF055"]),
        ("{{ nodes.a.decision if nodes.a.decision is defined else '' }}", []),
        ("{% if nodes.a.expired is defined %}late{% else %}{{ nodes.a.decision }}{% endif %}", []),
    ],
)
def test_after_its_expiry_it_has_no_decision(reference: str, codes: list[str]) -> None:
    nodes = [approval("a", expires="1h", on_expiry="b"), text("b", reference)]

    assert [code for code, _ in found(nodes)] == codes
