"""Runs that pay for model calls: what they cost, and caps that hold."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from activities.budgets import Budget
from orchestrator.contracts import ResolveRequest, RunContext, RunRequest
from orchestrator.errors import RequestError
from orchestrator.settings import load_settings
from storage import Standing
from tests.integration.conftest import RunningWorker
from tests.integration.paying import COST, COST_USD, ask, completion, purse_of, standing, standing_at, talk
from tests.integration.running import Runs
from tests.integration.test_ledger import database_of_its_own
from tests.unit.loopback import Answer, Web


def many(count: int, concurrency: int) -> dict[str, Any]:
    """A question for each of ``count`` items; what is refused is collected."""
    return talk(
        {
            "id": "all",
            "type": "ForEach",
            "config": {
                "items": "inputs.items",
                "concurrency": concurrency,
                "on_item_error": "collect",
                "max_items": count,
                "do": {"nodes": [ask() | {"on_failure": "fail"}], "outputs": {"text": "{{ nodes.ask.text }}"}},
            },
        },
        inputs={"items": {"type": "array", "default": list(range(count))}},
        limits={"max_parallel": concurrency, "steps": 10_000},
    )


async def test_a_result_says_what_the_calls_cost(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], tmp_path: Path
) -> None:
    async with running_worker(**paid):
        run_id = await runs.start(talk(ask("one"), ask("two")))
        result = await runs.result(run_id)

        nodes = (await runs.handle(run_id).query("usage"))["nodes"]
        details = (await runs.handle(run_id).query("__temporal_workflow_metadata")).current_details

    assert result.cost_usd == pytest.approx(2 * COST_USD)
    assert result.usage.input_tokens == 2000
    assert {node: used["cost_usd"] for node, used in nodes.items()} == {"one": COST_USD, "two": COST_USD}
    # To four digits: 0.00045 is 0.0004 or 0.0005 by how it is rounded.
    assert "Cost: `one` 0.000" in details
    assert await standing(tmp_path, await purse_of(runs, run_id)) == Standing(spent=2 * COST, reserved=0)


async def test_a_call_that_might_pass_the_cap_is_not_made_and_the_run_waits_with_the_figures(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web
) -> None:
    async with running_worker(**paid):
        run_id = await runs.start(talk(ask("one"), ask("two", max_tokens=2000), limits={"cost_usd": 0.001}))
        (parked,) = await runs.parks(run_id)
        assert parked.error.code == "BUDGET_EXCEEDED"
        assert parked.node == "two"
        assert parked.error.details["cap_usd"] == 0.001
        assert parked.error.details["asked_usd"] > 0.0012
        assert len(site.seen) <= 1

        await runs.door.resolve(run_id, ResolveRequest(action="retry", config={"max_tokens": 100}))
        result = await runs.result(run_id)

    assert result.status == "completed"
    assert len(site.seen) == 2


async def test_a_run_that_reached_its_cap_can_be_given_more_for_the_rest_of_it(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web
) -> None:
    # The loop goes on in new workflow runs, which must not forget it.
    loop = [ask("tick", max_tokens=1), ask("end")]
    edges = [
        {"from": "tick", "to": "tick", "when": "true", "max_visits": 40},
        {"from": "tick", "to": "end"},
    ]
    async with running_worker(**paid, rollover_events=50):
        run_id = await runs.start(talk(*loop, edges=edges, limits={"cost_usd": 0.0008}))
        await runs.parks(run_id)
        await runs.door.resolve(run_id, ResolveRequest(action="retry", cost_usd=1.0, by="ada"))
        result = await runs.result(run_id)
        events, state = await runs.events(run_id), await runs.door.state(run_id)

    assert result.status == "completed"
    assert state.continued > 0
    assert len(site.seen) == 41
    assert result.cost_usd == pytest.approx(41 * COST_USD)
    [resolved] = [event for event in events if event.type == "RESOLVED"]
    assert resolved.data == {"action": "retry", "by": "ada", "comment": None, "cost_usd": 1.0}


async def test_an_answer_that_is_kept_is_paid_for_once(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web, tmp_path: Path
) -> None:
    storage = SecretStr(f"sqlite:///{tmp_path / 'kept.db'}")
    async with running_worker(**paid, storage_url=storage):
        results = [
            await runs.run(talk(ask() | {"cache": "1h"}) | {"outputs": {"kept": "{{ nodes.ask.cached }}"}})
            for _ in (1, 2)
        ]

    assert [result.outputs["kept"] for result in results] == [False, True]
    assert [result.cost_usd for result in results] == [pytest.approx(COST_USD), None]
    assert len(site.seen) == 1


async def test_more_money_goes_with_trying_again_only(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any]
) -> None:
    async with running_worker(**paid):
        run_id = await runs.start(talk(ask(), limits={"cost_usd": 0.0}))
        await runs.parks(run_id)
        with pytest.raises(RequestError, match="`cost_usd` belong to the action `retry`"):
            await runs.door.resolve(run_id, ResolveRequest(action="skip", cost_usd=1.0))
        await runs.door.resolve(run_id, ResolveRequest(action="skip"))
        await runs.result(run_id)


async def test_a_run_can_end_with_what_it_has_when_its_cap_is_reached(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any]
) -> None:
    last = {"id": "enough", "type": "Format", "config": {"template": "{{ nodes.two.error.code }}"}}
    definition = talk(
        ask("one"),
        ask("two") | {"on_error": "enough"},
        last,
        edges=[{"from": "one", "to": "two"}],
        limits={"cost_usd": 0.0008},
    ) | {
        "outputs": {"text": "{{ nodes.one.text }}", "why": "{{ nodes.enough.text if nodes.enough is defined else '' }}"}
    }
    async with running_worker(**paid):
        result = await runs.result(await runs.start(definition))

    assert result.outputs == {"text": "Hello", "why": "BUDGET_EXCEEDED"}


async def test_a_budget_over_its_soft_limit_is_an_event_and_the_call_is_made(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "budgets.yaml"
    file.write_text("budgets: [{per: tenant, each: day, soft_usd: 0.0008}]\n", encoding="utf-8")
    async with running_worker(**paid, budgets_file=file):
        request = RunRequest(
            definition=talk(ask("one"), ask("two"), edges=[{"from": "one", "to": "two"}]),
            context=RunContext(tenant="acme"),
        )
        run_id = await runs.door.start(request, "soft")
        result = await runs.result(run_id)
        [warning] = [event for event in await runs.events(run_id) if event.type == "BUDGET_WARNING"]

    assert result.status == "completed"
    assert (warning.node, warning.data["scope"].split("/")[0]) == ("two", "tenant:acme")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_two_hundred_calls_at_once_never_pass_a_cap(
    kind: str, runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web, tmp_path: Path
) -> None:
    async with database_of_its_own(kind, tmp_path) as url:
        async with running_worker(**paid, storage_url=SecretStr(url)):
            run_id = await runs.start(many(200, 50), cost_usd=100 * COST_USD)
            result = await runs.result(run_id)
        found = await standing_at(url, await purse_of(runs, run_id))

    served = len(site.seen)
    assert result.status == "completed", result.error
    assert result.cost_usd == pytest.approx(served * COST_USD)
    assert found == Standing(spent=served * COST, reserved=0)
    # Who is refused while others are under way, is refused for what those may cost.
    assert 50 < served <= 100


async def test_a_child_run_spends_its_parents_money(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], worker_settings: Any, site: Web
) -> None:
    (worker_settings.definitions_dir / "inner.yaml").write_text(
        """\
name: inner
on_failure: fail
nodes:
  - {id: ask, type: ModelInvoke, config: {model: gpt-4o-mini, prompt: "Hello?", max_tokens: 500}}
outputs: {}
"""
    )
    child = {"id": "child", "type": "Subworkflow", "config": {"definition": "inner", "mode": "child"}}
    definition = talk(
        ask("one"),
        child | {"on_failure": "fail"},
        edges=[{"from": "one", "to": "child"}],
        limits={"cost_usd": COST_USD + 0.0001},
    )
    async with running_worker(**paid):
        result = await runs.run(definition)

    assert result.error is not None
    assert "the budget of run:" in result.error.message
    assert len(site.seen) == 1


@pytest.mark.parametrize(
    ("answer", "spent"),
    [
        (Answer(status=429, body={"error": {"message": "slow down"}}), 0),
        (Answer(status=500), 0),
        (Answer(body="not JSON at all"), None),
        (Answer(body={**completion(), "usage": None}), None),
    ],
    ids=["too many", "a fault", "unreadable", "usage unknown"],
)
async def test_what_may_have_been_charged_is_booked_and_the_rest_given_back(
    runs: Runs,
    running_worker: RunningWorker,
    paid: dict[str, Any],
    site: Web,
    tmp_path: Path,
    answer: Answer,
    spent: int | None,
) -> None:
    site.answers = [answer]
    async with running_worker(**paid):
        run_id = await runs.start(talk(ask(), on_failure="fail"))
        await runs.result(run_id)

    found = await standing(tmp_path, await purse_of(runs, run_id))
    # The worst case: a token for each of 952 characters and 32 for the messages, and all that may be written.
    assert found == Standing(spent=(952 + 32) * 150 + 500 * 600 if spent is None else spent, reserved=0)


async def test_a_tenants_day_has_a_cap_of_its_own(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web, tmp_path: Path
) -> None:
    budgets = tmp_path / "budgets.yaml"
    budgets.write_text(f"budgets: [{{per: tenant, each: day, hard_usd: {COST_USD + 0.0001}}}]\n")

    async def run(tenant: str) -> str | None:
        request = RunRequest(definition=talk(ask(), on_failure="fail"), context=RunContext(tenant=tenant))
        result = await runs.result(await runs.door.start(request, f"{runs.task_queue}-{tenant}-{len(site.seen)}"))
        return result.error.code if result.error else None

    async with running_worker(**paid, budgets_file=budgets):
        assert [await run("acme"), await run("acme"), await run("other")] == [None, "BUDGET_EXCEEDED", None]


async def test_without_a_price_a_cap_refuses_and_no_cap_says_that_the_cost_is_not_known(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any]
) -> None:
    unknown = talk(ask(model="openai/of-our-own"), on_failure="fail")
    async with running_worker(**paid):
        free = await runs.run(unknown)
        capped = await runs.run(unknown, cost_usd=1.0)
    assert (free.status, free.cost_usd) == ("completed", None)
    assert capped.error is not None
    assert capped.error.code == "PRICE_UNKNOWN"
    assert "ORCHESTRATOR_UNKNOWN_PRICE" in capped.error.message

    async with running_worker(**paid, unknown_price=load_settings(unknown_price="1/2").unknown_price):
        priced = await runs.run(unknown, cost_usd=1.0)
    assert priced.cost_usd == pytest.approx(0.002)


async def test_without_its_ledger_nothing_is_spent(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web
) -> None:
    async with running_worker(**paid, storage_url=SecretStr("postgresql://root:hidden@127.0.0.1:1/away")):
        result = await runs.run(talk(ask(), on_failure="fail"))

    assert result.error is not None
    assert result.error.code == "STORAGE_UNAVAILABLE"
    assert "hidden" not in result.error.message
    assert site.seen == []


def test_a_budget_has_to_cap_something() -> None:
    with pytest.raises(ValueError, match="give hard_usd, soft_usd or both"):
        Budget(per="tenant")
