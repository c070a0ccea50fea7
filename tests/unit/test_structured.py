"""A model's answer is read as JSON, checked, sent back once, and kept when it does not fit."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.prompts.structured import Structured, ask_structured, read_answer, repair_turns
from activities.providers.base import ChatReply, FinishReason, Turn
from orchestrator.errors import OutputError

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"label": {"enum": ["refund", "question"]}, "lines": {"type": "array", "items": {"type": "integer"}}},
    "required": ["label"],
    "additionalProperties": False,
}
GOOD = '{"label": "refund"}'
TURNS = (Turn("system", "Sort it."), Turn("user", "I want my money back."))


class Model:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, *answers: str, finish: FinishReason = "stop") -> None:
        self._answers = list(answers)
        self._finish: FinishReason = finish
        self.asked: list[tuple[Turn, ...]] = []

    async def ask(self, turns: tuple[Turn, ...]) -> ChatReply:
        self.asked.append(turns)
        text = self._answers.pop(0)
        return ChatReply(text=text, model="small", finish_reason=self._finish, input_tokens=1, output_tokens=2)


FITTING = [
    GOOD,
    f"  {GOOD}\n",
    f"\ufeff{GOOD}",
    f"```json\n{GOOD}\n```",
    f"```\n{GOOD}\n```",
    f"~~~JSON\n{GOOD}\n~~~",
    f"Here it is:\n\n```json\n{GOOD}\n```\nAnything else?",
    f"````json\n{GOOD}\n````",
]


@pytest.mark.parametrize("text", FITTING)
def test_json_is_read_with_or_without_a_code_fence(text: str) -> None:
    answer = read_answer(text, SCHEMA)

    assert answer.value == {"label": "refund"}
    assert answer.problems == ()


BROKEN = [
    ("", "the answer is empty"),
    ("refund", "the answer is not JSON: Expecting value at line 1, column 1"),
    ('{"label": "refund"', "the answer is not JSON: Expecting ',' delimiter at line 1, column 19"),
    ("```json\n{]\n```", "the answer is not JSON: Expecting property name enclosed in double quotes at line 1"),
    ("```\n1\n```\n```\n2\n```", "the answer is not JSON: it has 2 code fences"),
    ('{"label": NaN}', "the answer is not JSON: NaN is not a JSON number"),
    ("[" * 100_000, "the answer is not JSON: it is nested too deeply"),
    ("[" * 500 + "]" * 500, "the answer is not JSON: it is nested too deeply"),
    ('{"label": "other"}', 'label: "other" is not one of'),
    ('{"label": "refund", "lines": [1, "x"]}', 'lines[1]: "x" is not of type "integer"'),
    ("{}", '"label" is a required property'),
    ('{"label": "refund", "more": 1}', "Additional properties are not allowed"),
    ("[]", 'is not of type "object"'),
]


@pytest.mark.parametrize(("text", "problem"), BROKEN)
def test_what_is_wrong_is_said_in_few_words_with_its_place(text: str, problem: str) -> None:
    [found] = read_answer(text, SCHEMA).problems

    assert problem in found
    assert len(found) <= 300


async def test_an_answer_that_fits_is_asked_for_once() -> None:
    model = Model(GOOD)

    found = await ask_structured(model.ask, TURNS, SCHEMA)

    assert found.value == {"label": "refund"}
    assert not found.repaired
    assert model.asked == [TURNS]


async def test_an_answer_that_does_not_fit_is_sent_back_with_what_is_wrong() -> None:
    model = Model('{"label": "other"}', GOOD)

    found: Structured = await ask_structured(model.ask, TURNS, SCHEMA)

    assert found.value == {"label": "refund"}
    assert found.repaired
    assert sum(reply.output_tokens for reply in found.replies) == 4
    assert model.asked[1][:3] == (*TURNS, Turn("assistant", '{"label": "other"}'))
    assert 'label: "other" is not one of' in model.asked[1][3].content
    assert model.asked[1][3].role == "user"


async def test_a_second_answer_that_does_not_fit_is_the_end_and_both_texts_are_kept() -> None:
    model = Model("no", '{"label": 1}')

    with pytest.raises(OutputError) as caught:
        await ask_structured(model.ask, TURNS, SCHEMA)

    assert caught.value.code == "OUTPUT_INVALID"
    assert not caught.value.retryable
    assert (
        "the answer of small does not fit the schema, nor did the one before: label: 1 is not" in caught.value.message
    )
    assert caught.value.details["text"] == '{"label": 1}'
    assert caught.value.details["first_text"] == "no"
    assert len(model.asked) == 2


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_an_answer_that_was_cut_off_is_not_sent_back(reason: FinishReason) -> None:
    model = Model('{"label": "ref', finish=reason)

    with pytest.raises(OutputError, match=r"it was cut off|provider cut it off") as caught:
        await ask_structured(model.ask, TURNS, SCHEMA)

    assert len(model.asked) == 1
    assert caught.value.details["finish_reason"] == reason


@given(st.text(max_size=50), st.sampled_from(["x", "é", "\x00", "\U0001f600"]), st.integers(1, 60_000))
async def test_a_long_text_is_kept_in_part_and_never_makes_the_details_too_large(
    text: str, letter: str, length: int
) -> None:
    model = Model("[" + letter * length, f"[{text}{letter * length}")

    with pytest.raises(OutputError) as caught:
        await ask_structured(model.ask, TURNS, {"type": "object"})

    assert "text" in caught.value.details
    assert len(json.dumps(caught.value.details)) < 64_000


def test_an_empty_answer_is_sent_back_as_something() -> None:
    assert repair_turns(TURNS, " \n", ["the answer is empty"])[2] == Turn("assistant", "(nothing)")


def test_many_problems_are_told_briefly() -> None:
    turns = repair_turns(TURNS, "x", [f"problem {number}" for number in range(15)])

    assert "problem 9" in turns[3].content
    assert "problem 10" not in turns[3].content
    assert "and 5 more" in turns[3].content


def test_half_a_character_in_an_answer_is_a_problem_to_send_back() -> None:
    answer = read_answer('{"name": "\\ud800"}', {"type": "object"})

    assert answer.value is None
    assert answer.problems == ("the answer holds half a character (a lone surrogate), which no JSON may",)
