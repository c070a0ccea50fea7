"""References to blob storage, and what of a value goes there."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from activities.blobs.moving import Part, divide
from orchestrator.contracts import MAX_INLINE_BYTES, MAX_PAYLOAD_BYTES
from orchestrator.errors import ExpressionError, TooLargeError
from orchestrator.graph.blobs import Blob, blob_of, blob_reference, blobs_in, describe, is_blob
from orchestrator.graph.expressions import evaluate
from orchestrator.graph.expressions.parser import parse

KEY = "ab" * 32 + ".json"
TEXT = blob_reference(KEY, 200_000, "string")
LIST = blob_reference("cd" * 32 + ".json", 52_000_000, "array")
BIG = "x" * (MAX_INLINE_BYTES + 1)


def test_a_reference_says_where_how_much_and_of_what_type() -> None:
    assert blob_of(TEXT) == Blob(KEY, 200_000, "string")
    assert is_blob(TEXT)
    assert describe(Blob(KEY, 52_000_000, "array")) == "a list of 52,000,000 bytes in blob storage"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "$blob",
        [],
        {},
        {"$blob": None},
        {"$blob": KEY},
        {**TEXT, "more": 1},
        {"$blob": {"key": KEY, "bytes": 1}},
        {"$blob": {"key": KEY, "bytes": 1, "type": "string", "more": 1}},
        blob_reference("../" + KEY, 1, "string"),
        blob_reference(KEY + "\n", 1, "string"),
        blob_reference(KEY.upper(), 1, "string"),
        blob_reference(KEY, -1, "string"),
        {"$blob": {"key": KEY, "bytes": True, "type": "string"}},
        {"$blob": {"key": KEY, "bytes": 1.5, "type": "string"}},
        blob_reference(KEY, 1, "bytes"),
        {"$blob": {"key": KEY, "bytes": 1, "type": ["string"]}},
    ],
)
def test_anything_else_is_no_reference(value: Any) -> None:
    assert not is_blob(value)


def test_references_are_found_wherever_they_are() -> None:
    found = {blob.key for blob in blobs_in({"a": [{"b": TEXT}, 1, "x"], "c": LIST, "d": ({"e": TEXT},)})}

    assert found == {KEY, "cd" * 32 + ".json"}


def put_back(kept: Any, parts: list[Part]) -> Any:
    """The value that was divided: each part in the place of its reference."""
    places = {id(part.reference): part.value for part in parts}

    def back(value: Any) -> Any:
        if id(value) in places:
            return places[id(value)]
        if isinstance(value, dict):
            return {key: back(item) for key, item in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [back(item) for item in cast("list[Any]", value)]
        return value

    return back(kept)


def test_only_the_large_part_of_an_output_goes() -> None:
    value = {"status": 200, "body": {"rows": [BIG, "small"], "next": None}}

    kept, parts = divide(value)

    assert [part.value for part in parts] == [BIG]
    assert kept == {"status": 200, "body": {"rows": [{}, "small"], "next": None}}
    assert value["body"] == {"rows": [BIG, "small"], "next": None}


def test_a_list_of_many_small_items_goes_as_a_whole() -> None:
    rows = [{"id": index, "tags": [index]} for index in range(20_000)]

    kept, parts = divide({"rows": rows, "count": 20_000})

    assert [part.value for part in parts] == [rows]
    assert kept == {"rows": {}, "count": 20_000}


def test_what_is_too_large_even_without_its_large_parts_goes_as_a_whole_with_them() -> None:
    rows = [BIG, *range(40_000)]

    kept, parts = divide({"rows": rows})

    assert (kept, [part.value for part in parts]) == ({"rows": {}}, [rows])


def test_the_largest_fields_go_when_none_is_large_but_all_together_are() -> None:
    value = {f"field {size}": "x" * size for size in range(100_000, 120_000, 2_000)}

    kept, parts = divide(value)

    assert [len(part.value) for part in parts] == [118_000]
    assert list(kept) == list(value)


def test_an_output_of_too_many_small_fields_is_refused() -> None:
    with pytest.raises(TooLargeError, match="so many fields"):
        divide({f"field {index}": index for index in range(100_000)})


@pytest.mark.parametrize("size", [MAX_INLINE_BYTES - 2, MAX_INLINE_BYTES - 1])
def test_what_takes_exactly_as_much_as_allowed_stays(size: int) -> None:
    _, parts = divide({"text": "x" * size})

    assert len(parts) == int(size + 2 > MAX_INLINE_BYTES)


@pytest.mark.parametrize("text", ["\x01" * 22_000, '"' * 64_000, "é" * 64_000, "🙂" * 32_000])
def test_a_text_is_weighed_as_json_and_not_by_its_characters(text: str) -> None:
    assert len(divide({"text": [text]})[1]) == 1


def test_what_only_looks_like_a_reference_goes_whatever_its_size() -> None:
    kept, parts = divide({"value": [TEXT, {"a": 1}]})

    assert (kept, parts) == ({"value": [{}, {"a": 1}]}, [Part({}, TEXT)])
    assert divide(TEXT) == ({}, [Part({}, TEXT)])


def test_a_text_of_its_own_goes_only_when_it_is_large() -> None:
    assert divide("x") == ("x", [])
    assert divide(BIG) == ({}, [Part({}, BIG)])


@pytest.mark.parametrize("wide", [1, 3, 100])
def test_a_large_text_deep_down_goes_alone(wide: int) -> None:
    value: Any = BIG
    for _ in range(90):
        value = [value, *({"a": index} for index in range(wide))]

    kept, parts = divide({"value": value})

    assert [part.value for part in parts] == [BIG]
    assert put_back(kept, parts) == {"value": value}


def lists_and_maps(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    short = inner.filter(lambda item: len(to_json(item)) < 1_000)
    return (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.sampled_from(["a", "b", "é", '"', "$blob", ""]), inner, max_size=6)
        | st.lists(short, min_size=1, max_size=1).map(lambda items: items * 700)
    )


def texts(letter: str) -> st.SearchStrategy[str]:
    return st.sampled_from([30_000, 70_000, 130_000]).map(lambda size: letter * size)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.sampled_from(["", "$blob", '"']) | texts("x") | texts("é"),
    lists_and_maps,
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from("abc"), JSON))
def test_whatever_the_output_what_stays_is_small_and_nothing_is_lost(value: dict[str, Any]) -> None:
    kept, parts = divide(value)

    assert put_back(kept, parts) == value
    assert len(to_json(kept)) <= MAX_PAYLOAD_BYTES
    assert all(len(to_json(item)) <= MAX_INLINE_BYTES for item in kept.values())
    assert all(len(to_json(part.value)) > MAX_INLINE_BYTES // 2 for part in parts)


ROOTS: dict[str, Any] = {
    "nodes": {"get": {"body": LIST, "text": TEXT, "again": dict(TEXT), "parts": [TEXT, 1]}},
    "inputs": {"text": "x", "list": [1], "map": {"a": 1}},
}
NEEDS_TO_LOOK = r"^`nodes\.get\.body` is a list of 52,000,000 bytes in blob storage, which an expression cannot"


@pytest.mark.parametrize(
    "text",
    [
        "nodes.get.body[0] == 1",
        "nodes.get.body.first",
        "has(nodes.get.body.first)",
        "nodes.get.body['first']",
        "size(nodes.get.body) > 1",
        "nodes.get.body.size() > 1",
        "nodes.get.body.all(row, true)",
        "nodes.get.body.map(row, row)",
        "1 in nodes.get.body",
        "nodes.get.body + [1]",
        "nodes.get.body == inputs.list",
        "inputs.list != nodes.get.body",
        "string(nodes.get.body)",
        "type(nodes.get.body)",
        "nodes.get.body > 1",
    ],
)
def test_an_expression_that_has_to_look_into_a_stored_value_says_which(text: str) -> None:
    with pytest.raises(ExpressionError, match=NEEDS_TO_LOOK):
        evaluate(parse(text), ROOTS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nodes.get.body", LIST),
        ("[nodes.get.body, 1]", [LIST, 1]),
        ("nodes.get.parts[0]", TEXT),
        ("size(nodes.get.parts)", 2),
        ("has(nodes.get.body)", True),
        ("nodes.get.body != null", True),
        ("nodes.get.body == 1", False),
        ("nodes.get.body == 'x'", False),
        ("nodes.get.body == inputs.text", False),
        ("inputs.text == nodes.get.body", False),
        ("nodes.get.body == inputs.map", False),
        ("nodes.get.text == nodes.get.again", True),
        ("nodes.get.text == nodes.get.body", False),
        ("nodes.get.body in [1, 'x', null]", False),
        ("inputs.text == 'y' ? nodes.get.text : nodes.get.body", LIST),
    ],
)
def test_an_expression_may_pass_a_stored_value_on_and_tell_it_from_what_it_cannot_be(text: str, value: Any) -> None:
    assert evaluate(parse(text), ROOTS) == value


@pytest.mark.parametrize("operation", ["!{}", "-{}", "{} || false", "{} ? 1 : 2"])
def test_the_type_of_a_stored_value_is_told_where_another_is_needed(operation: str) -> None:
    with pytest.raises(ExpressionError, match="a list of 52,000,000 bytes in blob storage"):
        evaluate(parse(operation.format("nodes.get.body")), ROOTS)
