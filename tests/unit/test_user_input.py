"""UserInput: its configuration."""

import pytest
from pydantic import ValidationError

from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.user_input import UserInputConfig


def test_it_is_performed_by_the_workflow_and_says_what_came_in() -> None:
    user_input = NODE_TYPES["UserInput"]
    assert user_input.activity is None
    assert user_input.outputs == ("value", "text", "values", "message_id", "at")


def test_a_question_alone_takes_any_answer() -> None:
    assert UserInputConfig.model_validate({"question": "Which order?"}).answer is None


@pytest.mark.parametrize("config", [{}, {"question": ""}, {"question": "Which?", "anwser": {}}])
def test_no_question_and_misspelt_fields_are_refused(config: object) -> None:
    with pytest.raises(ValidationError):
        UserInputConfig.model_validate(config)
