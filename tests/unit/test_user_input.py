"""UserInput: its configuration."""

import pytest
from pydantic import ValidationError

from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.user_input import UserInputConfig


def test_it_is_performed_by_the_workflow_and_says_what_came_in() -> None:
    user_input = NODE_TYPES["UserInput"]
    assert user_input.activity is None
    assert user_input.outputs == ("value", "text", "values", "message_id", "at", "by")
    assert user_input.asides == {"on_expiry": "expiry"}


def test_a_question_alone_takes_any_answer() -> None:
    assert UserInputConfig.model_validate({"question": "Which order?"}).answer is None


def test_a_question_may_expire_and_remind_people_before() -> None:
    given = {"question": "?", "assignees": ["ada"], "expires": "1d", "on_expiry": "late", "reminders": ["1h", 7200]}
    config = UserInputConfig.model_validate(given)

    assert (config.assignees, config.expires, config.on_expiry) == (("ada",), 86_400, "late")
    assert config.reminders == (3_600, 7_200)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"on_expiry": "late"}, "no `expires`"),
        ({"reminders": ["2h", "1h"]}, "ascending"),
        ({"reminders": ["1h", "60m"]}, "ascending"),
        ({"reminders": ["1h"], "expires": "1h"}, "only when the question has expired"),
        ({"reminders": ["soon"]}, "must be a duration"),
        ({"expires": "0s"}, "longer than nothing"),
        ({"assignees": []}, "at least 1 item"),
    ],
)
def test_times_that_make_no_sense_are_refused(more: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        UserInputConfig.model_validate({"question": "?", **more})


@pytest.mark.parametrize("config", [{}, {"question": ""}, {"question": "Which?", "anwser": {}}])
def test_no_question_and_misspelt_fields_are_refused(config: object) -> None:
    with pytest.raises(ValidationError):
        UserInputConfig.model_validate(config)
