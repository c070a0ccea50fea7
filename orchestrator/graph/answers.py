"""Reads an answer against the schema of its question."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import from_json

from orchestrator.errors import AnswerError
from orchestrator.graph.schema import problems

__all__ = ["read_answer"]

_READ_FROM_TEXT = frozenset({"integer", "number", "boolean", "null"})


def read_answer(schema: Mapping[str, Any] | None, text: str | None, values: Any) -> Any:
    """The answer as the value that the question asked for.

    Args:
        schema: JSON Schema of the answer; none takes anything.
        text: What somebody typed, if anything. Read as a number, truth value or null where the schema asks for one.
        values: A JSON value, if any; comes before ``text``.

    Returns:
        A JSON value that fits ``schema``.

    Raises:
        AnswerError: Nothing was sent, or it does not fit; says what is wrong.
    """
    if values is None and text is None:
        raise AnswerError("the answer is empty: send `text`, `values`, or both")
    value = values if values is not None else text
    if schema is None:
        return value
    if values is None and text is not None:
        value = _read(text, schema)
    if wrong := problems(dict(schema), value):
        raise AnswerError(f"the answer does not fit: {'; '.join(wrong)}", details={"problems": wrong})
    return value


def _read(text: str, schema: Mapping[str, Any]) -> Any:
    named = schema.get("type")
    types = cast("list[str]", named) if isinstance(named, list) else [named]
    if "string" in types or not _READ_FROM_TEXT.intersection(str(item) for item in types):
        return text
    try:
        return from_json(text.strip())
    except ValueError:
        return text
