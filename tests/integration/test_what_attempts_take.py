"""What a run says its attempts have taken, those that fail among them, is what its ledger knows."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from orchestrator.contracts import AttemptUsage, ResolveRequest, RunResult
from orchestrator.models import dollars
from storage import Accounts, Entry, open_storage
from tests.integration.conftest import RunningWorker
from tests.integration.paying import COST_USD, ask, completion, talk
from tests.integration.running import Runs
from tests.unit.loopback import Answer, Web

WORST_USD = ((952 + 32) * 150 + 500 * 600) / 1e9
"""A token for each of 952 characters and 32 for the messages, and all that may be written."""
UNREADABLE = Answer(body="not JSON at all")
"""The provider may have charged for it."""


def again(attempts: int, **config: Any) -> dict[str, Any]:
    return ask(**config) | {"retry": {"max_attempts": attempts, "initial_delay": 0.01}}


async def ledger(folder: Path, runs: Runs, run_id: str) -> list[Entry]:
    """The calls of a run, as its ledger has them."""
    described = (await runs.handle(run_id).describe()).raw_description.workflow_execution_info
    async with open_storage(f"sqlite:///{folder / 'storage.db'}") as storage:
        return await Accounts(storage).entries(described.first_run_id or described.execution.run_id)


async def spent_usd(folder: Path, runs: Runs, run_id: str) -> float:
    entries = await ledger(folder, runs, run_id)
    return float(dollars(sum(entry.reserved if entry.spent is None else entry.spent for entry in entries)))


def told(result: RunResult) -> list[tuple[str, int, int, bool, float | None]]:
    return [(it.node, it.try_number, it.attempt, it.failed, it.cost_usd) for it in result.attempts]


async def test_an_attempt_that_failed_counts_in_the_sum_and_is_told_by_itself(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web, tmp_path: Path
) -> None:
    site.answers = [UNREADABLE, Answer(status=500), Answer(body=completion())]
    async with running_worker(**paid):
        run_id = await runs.start(talk(again(3)))
        result = await runs.result(run_id)
        usage = await runs.handle(run_id).query("usage")
        details = (await runs.handle(run_id).query("__temporal_workflow_metadata")).current_details

    assert result.cost_usd == pytest.approx(WORST_USD + COST_USD)
    assert result.cost_usd == pytest.approx(await spent_usd(tmp_path, runs, run_id))
    assert result.usage_by_node["ask"] == result.usage
    assert result.usage.calls == 2, "one was given back: nothing was charged"
    assert told(result) == [
        ("ask", 1, 1, True, pytest.approx(WORST_USD)),
        ("ask", 1, 2, True, 0.0),
        ("ask", 1, 3, False, pytest.approx(COST_USD)),
    ]
    assert [AttemptUsage.model_validate(it) for it in usage["attempts"]] == list(result.attempts)
    assert "Of the attempts 2 failed, 0.0004 USD" in details


async def test_what_fails_for_good_counts_and_trying_again_adds_to_it(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web, tmp_path: Path
) -> None:
    site.answers = [UNREADABLE, UNREADABLE, Answer(body=completion())]
    async with running_worker(**paid):
        run_id = await runs.start(talk(again(2)))
        await runs.parks(run_id)
        parked = await runs.handle(run_id).query("usage")
        await runs.door.resolve(run_id, ResolveRequest(action="retry"))
        result = await runs.result(run_id)

    assert parked["total"]["cost_usd"] == pytest.approx(2 * WORST_USD)
    assert result.cost_usd == pytest.approx(await spent_usd(tmp_path, runs, run_id))
    assert [(it.try_number, it.attempt, it.failed) for it in result.attempts] == [
        (1, 1, True),
        (1, 2, True),
        (2, 1, False),
    ]


async def test_answers_that_do_not_fit_their_schema_count_as_what_they_took(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], tmp_path: Path
) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    async with running_worker(**paid):
        run_id = await runs.start(talk(ask(answer=schema) | {"on_failure": "fail"}))
        result = await runs.result(run_id)

    assert result.error is not None
    assert result.error.code == "OUTPUT_INVALID"
    assert (result.usage.calls, result.usage.input_tokens) == (2, 2000)
    assert result.cost_usd == pytest.approx(2 * COST_USD)
    assert result.cost_usd == pytest.approx(await spent_usd(tmp_path, runs, run_id))


async def test_an_attempt_that_could_not_tell_is_looked_up_in_the_ledger(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web, tmp_path: Path
) -> None:
    hold = Event()
    site.answers = [UNREADABLE, Answer(hold=hold)]
    try:
        async with running_worker(**paid):
            run_id = await runs.start(talk(again(2) | {"timeout": "1s", "on_failure": "fail"}))
            result = await runs.result(run_id)
    finally:
        hold.set()

    assert result.error is not None
    assert result.error.code == "NODE_TIMED_OUT"
    assert result.cost_usd == pytest.approx(2 * WORST_USD)
    assert result.cost_usd == pytest.approx(await spent_usd(tmp_path, runs, run_id))
    assert [(it.attempt, it.failed) for it in result.attempts] == [(1, True), (2, True)]


async def test_an_output_that_is_refused_was_paid_for_all_the_same(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web
) -> None:
    deep = '{"a":' * 150 + "1" + "}" * 150
    answer = completion()
    answer["choices"][0]["message"]["content"] = deep
    site.answers = [Answer(body=answer)]
    async with running_worker(**paid):
        result = await runs.run(talk(ask(answer={"type": "object"}) | {"on_failure": "fail"}))

    assert result.status == "failed"
    assert result.cost_usd == pytest.approx(len(site.seen) * COST_USD)


async def test_only_the_last_hundred_attempts_are_told_and_the_sum_has_all(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any]
) -> None:
    loop = {"edges": [{"from": "ask", "to": "ask", "when": "true", "max_visits": 120}]}
    async with running_worker(**paid, rollover_events=200):
        run_id = await runs.start(talk(ask(max_tokens=1), **loop))
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)

    assert state.continued > 0
    assert result.cost_usd == pytest.approx(120 * COST_USD)
    assert ([it.visit for it in result.attempts], result.attempts_omitted) == (list(range(21, 121)), 20)
