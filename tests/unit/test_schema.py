"""JSON Schema checks take bounded time, whatever the schema."""

import random
import time
from typing import Any

import pytest

from orchestrator.errors import InputError
from orchestrator.graph.schema import check_schema, problems


def chain(length: int, times: int) -> dict[str, Any]:
    """Definitions of which each holds the next one ``times`` times."""
    definitions: dict[str, Any] = {
        f"d{index}": {"allOf": [{"$ref": f"#/$defs/d{index + 1}"}] * times} for index in range(length)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{length}": {"type": "string"}}}


def test_a_schema_that_expands_without_end_is_refused_at_once() -> None:
    begun = time.perf_counter()
    with pytest.raises(InputError, match=r"more than 10,000 subschemas"):
        check_schema(chain(20, 2))
    with pytest.raises(InputError, match=r"not a usable JSON Schema"):
        check_schema(chain(40, 2))
    assert time.perf_counter() - begun < 3


def test_a_long_chain_of_references_is_refused_before_it_fills_the_stack() -> None:
    with pytest.raises(InputError, match="levels deep"):
        check_schema(chain(5_000, 1))
    backwards = chain(5_000, 1)
    backwards["$defs"] = dict(reversed(backwards["$defs"].items()))
    with pytest.raises(InputError, match="levels deep"):
        check_schema({"$defs": backwards["$defs"], "$ref": "#/$defs/d0"})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"properties": {"next": {"$ref": "#"}}},
        {"$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}}},
        {"$defs": {"a b": {"items": {"$ref": "#/%24defs/a%20b"}}}, "$ref": "#/$defs/a%20b"},
    ],
)
def test_a_schema_that_refers_to_itself_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="a schema that refers to itself is not supported"):
        check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "#name", "$defs": {"a": {"$anchor": "name"}}}, "not supported"),
        ({"$defs": {"a": {"$anchor": "name"}}}, r"`\$anchor` is not supported"),
        ({"$dynamicRef": "#"}, r"`\$dynamicRef` is not supported"),
        ({"$defs": {"a": {"$id": "json-schema:///"}}}, r"`\$id` is not supported"),
        ({"$ref": "#/$defs/missing"}, "is not there"),
        ({"$ref": "https://example.com/other"}, "another document"),
    ],
)
def test_a_reference_that_is_not_a_place_in_the_schema_is_refused(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_schema(schema)


def test_references_to_places_work_and_data_is_not_read_as_a_schema() -> None:
    schema = {
        "$id": "https://example.com/mine",
        "$defs": {"a/b": {"type": "integer"}},
        "properties": {
            "$ref": {"$ref": "#/$defs/a~1b"},
            "$anchor": {"type": "string", "default": {"$ref": "#"}},
            "enum": {"enum": [{"$ref": "#"}], "const": {"$ref": "#"}, "examples": [{"$anchor": "x"}]},
        },
        "anyOf": [{"$ref": "#/$defs/a~1b"}, {"$ref": "#/properties/$ref"}, {"type": "object"}],
    }
    assert problems(schema, {"$ref": 1, "$anchor": "x", "enum": {"$ref": "#"}}) == []
    assert problems(schema, {"$ref": "one"}) != []


def test_a_schema_of_many_properties_is_accepted() -> None:
    check_schema({"properties": {f"p{index}": {"$ref": "#/$defs/a"} for index in range(3_000)}, "$defs": {"a": {}}})


@pytest.mark.parametrize(
    "pattern",
    ["^(?:(?:(?:a{1,30}){1,30}){1,30}){1,5}$", "a" * 1_001, r"^\p{L}{1,10000}$"],
)
def test_a_pattern_that_is_too_large_is_refused(pattern: str) -> None:
    schemas: tuple[dict[str, Any], ...] = ({"pattern": pattern}, {"patternProperties": {pattern: {}}})
    for schema in schemas:
        with pytest.raises(InputError, match="not a usable JSON Schema"):
            check_schema(schema)


@pytest.mark.parametrize(
    "pattern", [r"^.{1,20}$", r"^[\p{L} ]+$", r"^[A-Za-z0-9_.-]{1,200}$", r"^[^@\s]+@[^@\s]+\.[^@\s]+$"]
)
def test_usual_patterns_are_accepted(pattern: str) -> None:
    check_schema({"type": "string", "pattern": pattern})


def test_a_hard_pattern_on_a_long_text_takes_no_long_time() -> None:
    text = "".join(random.Random(1).choices("ab", k=100_000))  # noqa: S311 - any mix will do
    begun = time.perf_counter()
    problems({"pattern": "^(?:[ab]*a[ab]{0,15}b){20}[ab]*$"}, text)
    assert time.perf_counter() - begun < 3
