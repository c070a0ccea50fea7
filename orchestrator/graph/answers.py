"""Reads answers: against the schema of their question, or as what becomes of an approval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pydantic_core import from_json

from orchestrator.errors import AnswerError
from orchestrator.graph.schema import problems

__all__ = ["Verdict", "read_answer", "read_verdict"]

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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody decided. ``values`` is the changed proposal of a ``modify``; ``until`` is of a ``defer``."""

    decision: str
    values: Any = None
    until: str | None = None


class _Decided(Protocol):
    @property
    def text(self) -> str | None: ...
    @property
    def values(self) -> Any: ...
    @property
    def decision(self) -> str | None: ...
    @property
    def until(self) -> str | None: ...


def read_verdict(decisions: Sequence[str], form: Mapping[str, Any] | None, message: _Decided) -> Verdict:
    """What a message decides.

    Args:
        decisions: Those that may be taken.
        form: JSON Schema of a changed proposal; none takes any.
        message: Its ``decision``, or a ``text`` that is one; and what belongs to it.

    Raises:
        AnswerError: It decides nothing, or something that may not be decided here; says what may.
    """
    allowed = ", ".join(decisions)
    decision = message.decision or (message.text or "").strip().lower()
    if not decision:
        raise AnswerError(f"say what you decide: {allowed}")
    if decision not in decisions:
        raise AnswerError(f"{decision[:50]!r} cannot be decided here; these can: {allowed}")
    if message.until is not None and decision != "defer":
        raise AnswerError("`until` belongs to the decision `defer`")
    if decision != "modify":
        if message.values is not None:
            raise AnswerError(f"`values` belong to the decision `modify`, not to `{decision}`")
        return Verdict(decision, until=message.until)
    if message.values is None:
        raise AnswerError("`modify` needs `values`: the changed proposal")
    if form is not None and (wrong := problems(dict(form), message.values)):
        raise AnswerError(f"the changed proposal does not fit: {'; '.join(wrong)}", details={"problems": wrong})
    return Verdict(decision, values=message.values)
