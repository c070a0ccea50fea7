"""What a visit that fails tells of what it took, and what it tells where the ledger is away."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.lazily import Lazily
from activities.spending import Purse
from orchestrator.contracts import Account, NodeOutput
from storage import open_storage
from tests.unit.loopback import call, perform

ACCOUNT = Account(purse="first", run_id="run", definition="talk")
NEVER: dict[str, Any] = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"], "minProperties": 9}
"""No answer fits it."""


@pytest.fixture
async def away() -> AsyncGenerator[Purse]:
    """Money whose ledger cannot be reached."""
    storage = Lazily(lambda: open_storage("postgresql://root:hidden@127.0.0.1:1/away"))
    yield Purse(storage)
    await storage.close()


async def asked(attempt: int, purse: Purse | None = None, **config: Any) -> NodeOutput:
    """What a node gives whose model is simulated."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt)
    node = call("ModelInvoke", {"model": "simulated", "prompt": "Hi", **config}, account=ACCOUNT)
    return await perform(node, environment=environment, purse=purse)


async def failed(attempt: int, purse: Purse | None = None, **config: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await asked(attempt, purse, **config)
    return caught.value


async def test_what_costs_nothing_needs_no_ledger_at_any_attempt(away: Purse) -> None:
    assert [(await asked(attempt, away)).output["simulated"] for attempt in (1, 2)] == [True, True]


async def test_an_attempt_that_fails_tells_what_it_took_behind_its_details() -> None:
    error = await failed(1, answer=NEVER)

    assert error.type == "OUTPUT_INVALID"
    _, taken = error.details
    assert (taken["usage"]["calls"], taken["usage"]["simulated"]) == (2, 2)
    [own] = taken["attempts"]
    assert (own["node"], own["failed"]) == ("node", True)


async def test_where_earlier_attempts_are_not_known_nothing_is_told_so_that_somebody_asks(away: Purse) -> None:
    error = await failed(2, away, answer=NEVER)

    assert len(error.details) == 1


@pytest.mark.parametrize(("attempt", "told"), [(1, 1), (2, 0)])
async def test_before_anything_is_asked_only_an_earlier_attempt_can_have_taken_something(
    attempt: int, told: int
) -> None:
    error = await failed(attempt, max_tokens="many")

    assert list(error.details[1:]) == [{}] * told
