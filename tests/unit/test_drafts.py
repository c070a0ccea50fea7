"""Answers that come in blocks, and conversations that go back and forth."""

import json
from typing import Any

import pytest

from activities.providers.anthropic_schemas import structured
from activities.providers.base import ChatRequest, FinishReason, Tool, ToolCall, Turn
from activities.providers.conversation import exchanges, plain_id, system_text
from activities.providers.drafts import Draft, answer_tool

CALL = ToolCall(id="c1", name="look_up", arguments={})


def request(schema: dict[str, Any] | None, *tools: str, model: str = "m") -> ChatRequest:
    made = tuple(Tool(name=name, description="", parameters={}) for name in tools)
    return ChatRequest(model=model, turns=(Turn("user", "Hi"),), schema=schema, tools=made)


def written(draft: Draft, finish_reason: FinishReason = "tool_calls") -> tuple[str, int, str]:
    draft.rest()
    reply = draft.reply(model="m", finish_reason=finish_reason)
    return reply.text, len(reply.tool_calls), reply.finish_reason


def test_turns_of_one_side_come_together_and_empty_ones_not_at_all() -> None:
    said = [
        Turn("system", "A"),
        Turn("user", "one"),
        Turn("user", ""),
        Turn("user", "two"),
        Turn("system", "B"),
        Turn("assistant", "", (CALL,)),
        Turn("tool", "", tool_call_id="c1"),
        Turn("user", "three"),
    ]

    assert [(side, [turn.content for turn in turns]) for side, turns in exchanges(said)] == [
        ("user", ["one", "two"]),
        ("assistant", [""]),
        ("user", ["", "three"]),
    ]
    assert system_text(said, "C") == "A\n\nB\n\nC"
    assert system_text([], "") == ""


@pytest.mark.parametrize("call_id", ["", "a" * 65, "c1~gemini~x=", "ü"])
def test_an_id_that_not_everybody_takes_becomes_one_that_stays_the_same(call_id: str) -> None:
    assert plain_id(call_id) == plain_id(call_id) != plain_id(call_id + "x")
    assert plain_id(plain_id(call_id)) == plain_id(call_id)


def test_an_id_that_everybody_takes_stays() -> None:
    assert plain_id("toolu_01-A") == "toolu_01-A"


def test_a_request_without_a_schema_needs_no_tool_for_its_answer() -> None:
    assert answer_tool(request(None)) is None


def test_the_tool_for_the_answer_has_a_name_of_its_own() -> None:
    tool = answer_tool(request({"type": "object"}, "answer", "answer_"))
    assert tool is not None
    assert tool.name == "answer__"


def test_a_schema_of_something_else_than_an_object_is_wrapped_and_what_it_refers_to_stays_in_place() -> None:
    schema = {"$defs": {"n": {"type": "integer"}}, "type": "array", "items": {"$ref": "#/$defs/n"}}
    tool = answer_tool(request(schema))
    assert tool is not None
    assert tool.parameters["properties"] == {"answer": {"type": "array", "items": {"$ref": "#/$defs/n"}}}
    assert tool.parameters["$defs"] == schema["$defs"]

    draft = Draft(tool)
    draft.call(0, "c1", "answer")
    assert [draft.argue(0, piece) for piece in ('{"answer": [1', ", 2]}")] == [None, None]
    assert draft.rest() == "[1, 2]"
    assert written(draft) == ("[1, 2]", 0, "stop")


def test_words_in_place_of_the_tool_are_taken_as_the_answer() -> None:
    draft = Draft(answer_tool(request({"type": "object"})))
    assert draft.say('{"a": 1}') is None
    assert written(draft, "stop") == ('{"a": 1}', 0, "stop")


@pytest.mark.parametrize("arguments", ['{"other": 1}', "[1]", "7", "{oops"])
def test_a_wrapped_answer_that_is_none_is_shown_as_it_came(arguments: str) -> None:
    draft = Draft(answer_tool(request({"type": "integer"})))
    draft.call(0, "c1", "answer")
    draft.argue(0, arguments)
    assert written(draft) == (arguments, 0, "stop")


def test_other_tools_may_be_called_in_place_of_the_answer() -> None:
    draft = Draft(answer_tool(request({"type": "object"}, "look_up")))
    draft.call(0, "c1", "look_up")
    draft.argue(0, "")
    assert written(draft) == ("", 1, "tool_calls")


def test_the_last_call_of_an_answer_that_was_cut_off_is_left_out() -> None:
    draft = Draft()
    draft.say("Hm")
    for place, arguments in enumerate(['{"a": 1}', '{"a": ']):
        draft.call(place, f"c{place}", "look_up")
        draft.argue(place, arguments)
    assert written(draft, "length") == ("Hm", 1, "length")


@pytest.mark.parametrize("arguments", ["{oops", "[]", "7"])
def test_a_call_whose_arguments_are_no_object_is_an_error(arguments: str) -> None:
    draft = Draft()
    draft.call(0, "c0", "look_up")
    draft.argue(0, arguments)
    with pytest.raises(ValueError, match=r"dict|JSON"):
        draft.reply(model="m", finish_reason="tool_calls")


CLOSED = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}, "required": ["a"]}


def test_a_schema_is_said_with_its_finer_rules_in_words() -> None:
    assert structured(CLOSED) == {
        "type": "object",
        "properties": {"a": {"type": "string", "description": "{maxLength: 3}"}},
        "additionalProperties": False,
        "required": ["a"],
    }


def test_the_schema_itself_stays_as_it_is() -> None:
    before = json.dumps(CLOSED)
    structured(CLOSED)
    assert json.dumps(CLOSED) == before


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}}},
        {"type": "array", "items": {"type": "object"}},
        {"type": ["string", "null"]},
        {"type": "object", "properties": {"a": {}}},
        {"definitions": {"n": {"type": "integer"}}, "$ref": "#/definitions/n"},
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
        {"anyOf": [True]},
        {},
    ],
)
def test_what_structured_output_cannot_say_is_left_to_a_tool(schema: dict[str, Any]) -> None:
    assert structured(schema) is None
