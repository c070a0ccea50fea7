"""Answers given on the command line go to the questions they are for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.cli.answers import Answers, message_for
from orchestrator.contracts import Awaiting
from orchestrator.errors import AnswerError, RequestError

NODES = frozenset({"ask", "details"})


def question(node: str, schema: dict[str, object] | None = None) -> Awaiting:
    return Awaiting(node=node, visit=1, question="?", answer_schema=schema, since="2026-01-01T00:00:00+00:00")


async def texts(answers: Answers, *nodes: str) -> list[str | None]:
    found = [await answers.find(question(node)) for node in nodes]
    return [message.text if message else None for message in found]


async def test_an_answer_for_a_node_goes_there_and_the_others_in_order() -> None:
    answers = Answers(["first", "details=AB", "second"], nodes=NODES)

    assert await texts(answers, "ask", "details", "ask", "ask") == ["first", "AB", "second", None]


async def test_a_text_with_an_equals_sign_is_for_a_node_only_if_there_is_one() -> None:
    assert await texts(Answers(["x=1"], nodes=NODES), "ask") == ["x=1"]
    assert await texts(Answers(["x=1"]), "ask", "x") == [None, "1"]


async def test_each_answer_is_used_once_and_what_is_left_is_known() -> None:
    answers = Answers(["a", "ask=b"], nodes=NODES)
    assert answers.left == 2

    await answers.find(question("ask"))

    assert answers.left == 1


async def test_the_default_answer_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert await texts(Answers(otherwise="yes"), "ask", "ask") == ["yes", "yes"]

    assert "answering 'yes'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["object", ["array", "null"]])
def test_json_is_read_where_the_question_asks_for_it(kind: object) -> None:
    message = message_for('{"id": [1]}', question("ask", {"type": kind}))

    assert (message.text, message.values, message.node) == (None, {"id": [1]}, "ask")


@pytest.mark.parametrize("schema", [None, {"type": "string"}, {"type": "integer"}])
def test_text_stays_text_otherwise(schema: dict[str, object] | None) -> None:
    assert message_for("[1]", question("ask", schema)).text == "[1]"


def test_text_that_should_be_json_is_sent_as_it_is_and_refused_there() -> None:
    assert message_for("{", question("ask", {"type": "object"})).text == "{"


def test_every_answer_counts_once() -> None:
    first, second = (message_for("a", question("ask")) for _ in range(2))

    assert first.message_id != second.message_id


def approval(**known: Any) -> Awaiting:
    decisions = ("approve", "reject", "modify", "defer")
    fields: dict[str, Any] = {"kind": "approval", "decisions": decisions, **known}
    return question("review").model_copy(update=fields)


async def test_an_answer_may_be_for_a_node_inside_an_item() -> None:
    answers = Answers(["items[3].ask=third", "items#2[0].sub.ask=deep", "other[1].ask=x"], nodes=frozenset({"items"}))

    assert await texts(answers, "items#2[0].sub.ask", "items[3].ask", "ask") == ["deep", "third", "other[1].ask=x"]


async def test_who_answers_goes_with_every_answer() -> None:
    found = [
        await Answers([text], by="ada").find(asked) for text, asked in (("a", question("ask")), ("no", approval()))
    ]

    assert [message.by for message in found if message] == ["ada", "ada"]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("approve", {"decision": "approve"}),
        ("yes", {"decision": "approve"}),
        ("Approve: looks good", {"decision": "approve", "comment": "looks good"}),
        ("reject  too long ", {"decision": "reject", "comment": "too long"}),
        ('modify {"text": "Hi"}', {"decision": "modify", "values": {"text": "Hi"}}),
        ("defer 2h", {"decision": "defer", "until": "2h"}),
        ("defer", {"decision": "defer"}),
    ],
)
def test_a_decision_is_read_from_what_somebody_types(text: str, fields: dict[str, Any]) -> None:
    message = message_for(text, approval())

    told = message.model_dump(exclude_none=True, exclude={"message_id", "node"})
    assert (told, message.node) == (fields, "review")
    assert message.message_id


def test_a_proposal_that_is_text_may_be_changed_to_other_text() -> None:
    assert message_for("modify Dear Ada", approval(proposal="Dear Bob")).values == "Dear Ada"


@pytest.mark.parametrize(
    ("text", "known", "said"),
    [
        ("maybe", {}, r"'maybe' .*: approve \[COMMENT\], reject \[COMMENT\], modify JSON, defer \[2h\]"),
        ("modify {}", {"decisions": ("approve", "reject")}, r"'modify' .*: approve \[COMMENT\], reject \[COMMENT\]$"),
        ("modify", {}, "modify JSON"),
        ("modify {", {"proposal": {"a": 1}}, "is not JSON"),
        ("", {}, "approve"),
    ],
)
def test_what_is_no_decision_is_refused_with_those_there_are(text: str, known: dict[str, Any], said: str) -> None:
    with pytest.raises(AnswerError, match=said):
        message_for(text, approval(**known))


def test_a_comment_longer_than_a_message_may_have_is_refused() -> None:
    with pytest.raises(RequestError, match="comment"):
        message_for("reject " + "x" * 10_001, approval())


@pytest.mark.parametrize("until", [(datetime.now(UTC) + timedelta(hours=1)).isoformat(), ""])
async def test_a_deferred_question_is_not_asked_before_it_is_due(
    capsys: pytest.CaptureFixture[str], until: str
) -> None:
    assert await Answers(interactive=True).find(approval(deferred_until=until)) is None
    assert capsys.readouterr().err == ""


async def test_who_may_not_answer_is_not_asked_and_told_why_once(capsys: pytest.CaptureFixture[str]) -> None:
    answers = Answers(interactive=True, by="eve")

    assert [await answers.find(approval(assignees=("ada", "grace"))) for _ in range(2)] == [None, None]
    assert capsys.readouterr().err == "  `review` is for ada, grace to answer: say who you are with --by\n"


async def test_an_answer_at_hand_goes_even_to_a_deferred_question() -> None:
    message = await Answers(["approve"]).find(approval(deferred_until="2999-01-01T00:00:00+00:00"))

    assert message is not None
    assert message.decision == "approve"
