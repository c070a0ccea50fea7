"""Wait: its configuration."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.wait import WaitConfig
from tests.unit.test_rules import found, issues

MOMENT = "2027-01-31T09:00:00+01:00"


def wait(**config: Any) -> dict[str, Any]:
    return {"id": "a", "type": "Wait", "config": config}


def test_it_is_performed_by_the_workflow_and_says_when_it_was_over() -> None:
    assert (NODE_TYPES["Wait"].activity, NODE_TYPES["Wait"].outputs) == (None, ("at",))


def test_it_takes_a_duration_or_a_moment() -> None:
    assert WaitConfig.model_validate({"for": "1h30m"}).for_ == 5_400
    assert WaitConfig.model_validate({"until": MOMENT}).until == MOMENT


@pytest.mark.parametrize(
    "config", [{}, {"for": 1, "until": MOMENT}, {"for": None}, {"for": "{{ x }}", "until": MOMENT}]
)
def test_it_takes_exactly_one_of_them(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="needs either `for` or `until`"):
        WaitConfig.model_validate(config)


@pytest.mark.parametrize(
    ("config", "place", "message"),
    [
        ({"for": "soon"}, "nodes[0].config.for", "`for` of `a` must be a duration"),
        ({"for": 0}, "nodes[0].config.for", "`for` of `a` must be longer than nothing"),
        ({"until": "tomorrow"}, "nodes[0].config.until", "`until` of `a` must be a date with time and offset"),
        (
            {"until": "2027-01-31T09:00:00"},
            "nodes[0].config.until",
            "`until` of `a` must be a date with time and offset",
        ),
        ({"until": "2027-01-31"}, "nodes[0].config.until", "`until` of `a` must be a date with time and offset"),
        ({}, "nodes[0].config", "`config` of `a` needs either `for` or `until`"),
    ],
)
def test_a_literal_that_is_none_is_refused_at_its_place(config: dict[str, Any], place: str, message: str) -> None:
    [issue] = issues([wait(**config)])

    assert (issue.code, issue.path) == ("DEF021", place)
    assert issue.message.startswith(message)


@pytest.mark.parametrize("config", [{"for": "{{ inputs.x }}"}, {"until": "{{ inputs.x }}T09:00:00Z"}])
def test_a_template_may_give_either(config: dict[str, Any]) -> None:
    assert found([wait(**config)], inputs={"x": {}}) == []
