"""The simulated model: what it picks, fills, finds and calls, always the same and never against the schema."""

import json
import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.providers.base import ChatReply, ChatRequest, EmbedRequest, Tool, ToolCall, Turn
from activities.providers.simulated import MARK, Simulated
from activities.providers.simulated_slots import filled

LETTER = (
    "Hi, my name is Ada Lovelace (ada@example.org, +49 30 1234567). I want a refund of $49.90 for order AB-1234: two "
    "mugs came late. It is not urgent. City: Lisbon. The delivery was due on March 3rd, 2026, see https://shop.example/o/1."
)


async def answer(*turns: Turn, **more: Any) -> ChatReply:
    return await Simulated().complete(ChatRequest(model="m", turns=turns, **more))


def slot(schema: dict[str, Any], name: str = "it", text: str = LETTER) -> Any:
    return filled({"type": "object", "properties": {name: schema}, "required": [name]}, [text])[name]


@pytest.mark.parametrize(
    ("name", "schema", "expected"),
    [
        ("customer_name", {"type": "string"}, "Ada Lovelace"),
        ("email", {"type": "string"}, "ada@example.org"),
        ("contact", {"type": "string", "format": "email"}, "ada@example.org"),
        ("phone", {"type": "string"}, "+49 30 1234567"),
        ("deliveryDate", {"type": "string", "format": "date"}, "2026-03-03"),
        ("link", {"type": "string", "format": "uri"}, "https://shop.example/o/1"),
        ("city", {"type": "string"}, "Lisbon"),
        ("order", {"type": "string", "pattern": "^[A-Z]{2}-[0-9]+$"}, "AB-1234"),
        ("refund", {"type": "number"}, 49.9),
        ("mugs", {"type": "integer"}, 2),
        ("kind", {"enum": ["question", "refund", "praise"]}, "refund"),
        ("urgent", {"type": "boolean"}, False),
        ("late", {"type": "boolean"}, True),
        ("tags", {"type": "array", "items": {"enum": ["refund", "praise", "late"]}}, ["refund", "late"]),
        ("who", {"$ref": "#/nowhere"}, "unknown"),
        ("nothing", {"type": ["string", "null"]}, None),
        ("nothing", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ("version", {"const": 2}, 2),
    ],
)
def test_a_slot_is_filled_with_what_the_text_says(name: str, schema: dict[str, Any], expected: object) -> None:
    assert slot(schema, name) == expected


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("on 2026-02-01", "2026-02-01"),
        ("the 1st February 2026", "2026-02-01"),
        ("1 Feb. 2026", "2026-02-01"),
        ("01.02.2026", "2026-02-01"),
        ("February 1, 2026", "2026-02-01"),
        ("31.02.2026", "1970-01-01"),
    ],
)
def test_dates_are_read_in_the_usual_forms(text: str, day: str) -> None:
    assert slot({"type": "string", "format": "date"}, "day", text) == day


def test_what_was_said_last_corrects_what_was_said_before() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "nights": {"type": "integer"}}}

    assert filled(schema, ["No: city: Porto", "city: Lisbon, for 3 nights"]) == {"city": "Porto", "nights": 3}


def test_what_is_not_said_is_left_out_unless_it_is_required() -> None:
    schema = {
        "type": "object",
        "properties": {"a_mail": {"type": "string"}, "b_mail": {"type": "string", "format": "email"}},
        "required": ["b_mail"],
    }
    assert filled(schema, ["nothing of the kind"]) == {"b_mail": "nobody@example.com"}


def schemas() -> st.SearchStrategy[dict[str, Any]]:
    """Schemas as definitions have them."""
    bounded = st.tuples(st.integers(-50, 50), st.integers(0, 50)).map(
        lambda ends: {"type": "integer", "minimum": ends[0], "maximum": ends[0] + ends[1]}
    )
    sized = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(
        lambda ends: {"type": "string", "minLength": ends[0], "maxLength": ends[0] + ends[1]}
    )
    formats = st.sampled_from(("email", "date", "date-time", "time", "uri", "uuid", "ipv4", "hostname", "duration"))
    plain: list[dict[str, Any]] = [
        {"type": "string"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "null"},
        {"type": ["integer", "null"]},
        {"enum": ["refund", "late", None, 3]},
        {"const": [1]},
        {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
    ]
    leaves = st.one_of(
        st.sampled_from(plain), bounded, sized, formats.map(lambda name: {"type": "string", "format": name})
    )
    names = st.sampled_from(("name", "email", "city", "amount", "orderId", "summary", "date", "x"))

    def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        objects = st.dictionaries(names, inner, max_size=4).flatmap(
            lambda parts: st.sets(st.sampled_from(sorted(parts) or ["x"])).map(
                lambda needed: {
                    "type": "object",
                    "properties": {**parts, **{name: {"type": "string"} for name in needed - parts.keys()}},
                    "required": sorted(needed),
                    "additionalProperties": False,
                }
            )
        )
        arrays = st.tuples(inner, st.integers(0, 3)).map(
            lambda pair: {"type": "array", "items": pair[0], "minItems": pair[1], "maxItems": pair[1] + 2}
        )
        ways = st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
        return st.one_of(objects, arrays, ways)

    return st.recursive(leaves, nested, max_leaves=8)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas(), text=st.one_of(st.just(LETTER), st.text(max_size=80)))
def test_what_it_fills_fits_the_schema(schema: dict[str, Any], text: str) -> None:
    value = filled(schema, [text])

    assert json.loads(json.dumps(value)) == value
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    assert validator.is_valid(value), (schema, value)


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {"kids": {"type": "array", "items": {"$ref": "#"}, "minItems": 3}},
            "required": ["kids"],
        },
        {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdef"}, "required": list("abcdef")},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"type": "array", "items": {"$ref": "#"}}]},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"$ref": "#"},
    ],
)
def test_a_schema_that_leads_back_to_itself_comes_to_an_end(schema: dict[str, Any]) -> None:
    since = time.process_time()

    assert len(json.dumps(filled(schema, ["x"]))) < 200_000
    assert time.process_time() - since < 5


async def test_json_is_not_marked_but_the_reply_is() -> None:
    reply = await answer(Turn("user", LETTER), schema={"type": "object", "properties": {"city": {"type": "string"}}})

    assert json.loads(reply.text) == {"city": "Lisbon"}
    assert (reply.simulated, reply.finish_reason) == (True, "stop")


async def test_json_that_may_be_no_longer_is_cut_off_and_says_so() -> None:
    reply = await answer(Turn("user", "hello"), schema={"type": "string"}, max_tokens=1)

    assert (reply.text, reply.finish_reason) == ('"hel', "length")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Is it one of: spam, ham or other? 'Free ham'", "ham"),
        ("Choose.\n1. tea: leaves\n2. coffee: beans\nHe likes beans", "coffee"),
        ("Answer with one of 'yes' | 'no': no thanks", "yes"),
    ],
)
async def test_of_options_it_picks_the_one_that_shares_most_words(prompt: str, expected: str) -> None:
    assert (await answer(Turn("user", prompt))).text == f"{MARK}{expected}"


async def test_a_question_is_answered_from_what_was_given() -> None:
    known = Turn("system", "Berlin is the capital of Germany. Paris is the capital of France.")
    within = Turn("user", "Context:\nThe warranty lasts two years.\nShipping is free.\n\nHow long is the warranty?")

    assert (await answer(known, Turn("user", "What is France's capital?"))).text == (
        f"{MARK}Paris is the capital of France."
    )
    assert (await answer(within)).text == f"{MARK}The warranty lasts two years."
    assert (await answer(known, Turn("user", "How are you?"))).text == f"{MARK}You asked: How are you?"


WEATHER = Tool(
    name="get_weather",
    description="Tells the weather of a place",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


async def test_a_tool_is_called_where_it_fits_and_heeded_once_it_was() -> None:
    asked = Turn("user", "What is the weather in the city Lisbon?")

    wanted = await answer(asked, tools=(WEATHER,))
    said = await answer(
        asked, Turn("assistant", "", wanted.tool_calls), Turn("tool", "sunny", tool_call_id="call_0"), tools=(WEATHER,)
    )
    other = await answer(Turn("user", "Tell me a joke"), tools=(WEATHER,))

    assert wanted.tool_calls == (ToolCall(id="call_0", name="get_weather", arguments={"city": "Lisbon"}),)
    assert (wanted.text, wanted.finish_reason, wanted.simulated) == ("", "tool_calls", True)
    assert said.text == f"{MARK}According to the tool: sunny"
    assert other.text == f"{MARK}You asked: Tell me a joke"


@pytest.mark.parametrize("text", ["one", "one  two\nthree ", " lead", ""])
async def test_it_streams_word_by_word_what_it_answers(text: str) -> None:
    request = ChatRequest(model="m", turns=(Turn("user", text),))

    *pieces, reply = [piece async for piece in Simulated().stream(request)]

    assert isinstance(reply, ChatReply)
    assert reply == await Simulated().complete(request)
    assert "".join(map(str, pieces)) == reply.text
    assert len(pieces) == len(reply.text.split())


async def test_vectors_of_like_texts_are_near_and_always_the_same() -> None:
    texts = ("the cat sat on the mat", "a cat sat on mats", "quarterly revenue rose", "")
    one = await Simulated().embed(EmbedRequest(model="m", texts=texts))
    two = await Simulated().embed(EmbedRequest(model="m", texts=texts))

    assert one == two
    assert one.simulated
    assert [round(sum(part * part for part in vector), 9) for vector in one.vectors] == [1, 1, 1, 1]
    like, unlike = (sum(a * b for a, b in zip(one.vectors[0], one.vectors[other], strict=True)) for other in (1, 2))
    assert like > 0.5 > unlike


async def test_vectors_are_as_long_as_asked_for() -> None:
    reply = await Simulated().embed(EmbedRequest(model="m", texts=("x",), dimensions=8))
    assert [len(vector) for vector in reply.vectors] == [8]


async def test_a_very_long_text_takes_no_time() -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}, "name": {"type": "string"}}}
    since = time.process_time()

    reply = await answer(Turn("user", "amount 7 name " * 100_000), schema=schema)

    assert json.loads(reply.text)["amount"] == 7
    assert time.process_time() - since < 5
