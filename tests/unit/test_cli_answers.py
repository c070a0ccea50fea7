"""Answers given on the command line go to the questions they are for."""

import pytest

from orchestrator.cli.answers import Answers, message_for
from orchestrator.contracts import Awaiting

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
