"""Answers against the schema of their question."""

from typing import Any

import pytest

from orchestrator.errors import AnswerError
from orchestrator.graph.answers import read_answer


@pytest.mark.parametrize(
    ("schema", "text", "values", "expected"),
    [
        (None, "anything", None, "anything"),
        (None, None, {"a": 1}, {"a": 1}),
        ({"type": "string"}, "42", None, "42"),
        ({"type": "integer"}, " 42 ", None, 42),
        ({"type": "number", "minimum": 1}, "1.5", None, 1.5),
        ({"type": "boolean"}, "true", None, True),
        ({"type": ["string", "integer"]}, "42", None, "42"),
        ({"enum": ["yes", "no"]}, "yes", None, "yes"),
        ({"type": "object", "required": ["id"]}, "ignored", {"id": 1}, {"id": 1}),
    ],
)
def test_an_answer_becomes_the_value_that_was_asked_for(
    schema: dict[str, Any] | None, text: str | None, values: Any, expected: Any
) -> None:
    assert read_answer(schema, text, values) == expected


@pytest.mark.parametrize(
    ("schema", "text", "values", "reason"),
    [
        (None, None, None, "the answer is empty"),
        ({"type": "integer"}, "many", None, 'is not of type "integer"'),
        ({"type": "integer"}, "1e400", None, "the answer does not fit"),
        ({"type": "object", "required": ["id"]}, None, {}, '"id" is a required property'),
        ({"type": "string", "pattern": "^[A-Z]{2}$"}, "abc", None, "does not match"),
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 50_000 + "!", None, "does not match"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_the_reason(
    schema: dict[str, Any] | None, text: str | None, values: Any, reason: str
) -> None:
    with pytest.raises(AnswerError, match=reason):
        read_answer(schema, text, values)
