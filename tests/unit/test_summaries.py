"""What is asked of the server's index for each status."""

from typing import get_args

import pytest

from orchestrator.errors import RequestError
from orchestrator.statuses import ListedStatus
from orchestrator.summaries import list_query


@pytest.mark.parametrize("status", get_args(ListedStatus))
def test_every_status_can_be_asked_for(status: str) -> None:
    assert "WorkflowType = 'GraphWorkflow'" in list_query(status, None)


def test_running_is_open_and_nothing_else_that_an_open_run_says_of_itself() -> None:
    assert list_query("running", None).endswith(
        "ExecutionStatus = 'Running' AND (RunStatus IS NULL OR "
        "RunStatus NOT IN ('awaiting_input', 'needs_attention', 'paused', 'cancelling'))"
    )


@pytest.mark.parametrize("status", ["awaiting_input", "needs_attention", "paused", "cancelling"])
def test_what_an_open_run_says_of_itself_counts_only_while_it_is_open(status: str) -> None:
    assert list_query(status, None).endswith(f"ExecutionStatus = 'Running' AND RunStatus = '{status}'")


def test_a_run_that_went_on_in_a_new_workflow_run_is_listed_once() -> None:
    assert "ExecutionStatus != 'ContinuedAsNew'" in list_query(None, None)


def test_a_name_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(RequestError, match="not a name"):
        list_query("paused", "x' OR 'a'='a")
