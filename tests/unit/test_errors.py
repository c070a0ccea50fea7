"""Errors of any origin stay small enough to be told."""

import json
from typing import Any

import pytest

from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError, InputError, Issue, NodeError, shortened
from orchestrator.graph.schema import check_schema, problems

MOST_TOLD = 100_000


def told(error: DefinitionError | InputError) -> int:
    """The bytes of what is told of an error."""
    return len(error.message) + len(str(error)) + len(json.dumps(error.details))


def nodes(data: Any) -> dict[str, Any]:
    return {"name": "test", "nodes": [{"id": "a", "type": "DataInput", "config": {"data": data}}]}


def test_a_long_message_loses_its_middle() -> None:
    error = NodeError("begin " + "x" * 5_000 + " end")

    assert len(error.message) == 2_000
    assert str(error) == error.message
    assert error.message.startswith("begin x")
    assert error.message.endswith("x end")
    assert "x … x" in error.message


def test_short_text_is_left_alone() -> None:
    assert shortened("as it is", 8) == "as it is"
    assert shortened("a" * 9, 7) == "aa … aa"


def test_details_beyond_64_kb_leave_only_their_size() -> None:
    assert NodeError("x", details={"a": "b" * 60_000}).details == {"a": "b" * 60_000}
    assert NodeError("x", details={"a": "b" * 70_000}).details == {"omitted": "70009 bytes"}


def test_an_issue_is_cut_wherever_it_is_long() -> None:
    issue = Issue("DEF050", "p" * 9_000, "m" * 9_000, hint="h" * 9_000)

    assert (len(issue.path), len(issue.message), len(issue.hint or "")) == (300, 1_000, 500)
    assert Issue("DEF050", "p", "m").as_dict() == {"code": "DEF050", "path": "p", "message": "m"}


def test_many_problems_under_a_very_long_key_are_told_briefly() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_mapping(nodes({"k" * 100_000: ["{{ x. }}"] * 100}))

    assert told(caught.value) < MOST_TOLD
    assert len(caught.value.issues) == 100
    assert caught.value.details["issues"] == [issue.as_dict() for issue in caught.value.issues]


def test_inputs_with_a_very_long_key_are_refused_briefly() -> None:
    items = {"type": "array", "items": {"type": "integer"}}
    definition = load_mapping({**nodes(1), "inputs": {"o": {"type": "object", "additionalProperties": items}}})

    with pytest.raises(InputError) as caught:
        check_inputs(definition, {"o": {"k" * 150_000: ["x"] * 20}})

    assert told(caught.value) < MOST_TOLD
    assert json.dumps(caught.value.details).count("is not of type") == 20


def test_of_very_many_unknown_inputs_the_first_are_named() -> None:
    with pytest.raises(InputError, match=r"; 980 more are not inputs either$") as caught:
        check_inputs(load_mapping(nodes(1)), {f"x{number}": 1 for number in range(1_000)})

    assert told(caught.value) < MOST_TOLD


def test_the_place_of_a_problem_is_cut_in_the_middle() -> None:
    key = "a" * 500
    schema = {"properties": {key: {"properties": {key: {"type": "integer"}}}}}
    [problem] = problems(schema, {key: {key: "x"}})
    place, _, reason = problem.partition(": ")

    assert len(place) == 100
    assert reason == '"x" is not of type "integer"'


def test_a_large_schema_that_cannot_be_used_is_refused_briefly_with_nothing_behind() -> None:
    with pytest.raises(InputError) as caught:
        check_schema({"type": "x" * 100_000})

    assert told(caught.value) < MOST_TOLD
    assert caught.value.__cause__ is None
