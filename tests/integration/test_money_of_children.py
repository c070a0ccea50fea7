"""Child runs spend their family's money, each within a cap of its own as well."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.contracts import ParentRun, ResolveRequest, RunRequest
from orchestrator.devserver import DevServer
from orchestrator.encryption import new_key
from orchestrator.settings import Settings
from storage import Standing
from tests.integration.conftest import RunningWorker
from tests.integration.paying import COST, COST_USD, ask, purse_of, standing, talk
from tests.integration.running import Runs
from tests.integration.test_encryption import at_work, with_keys
from tests.unit.loopback import Answer, Web

ONE_USD = COST_USD + 0.0001
"""Enough for one call, and not for a second one."""
Define = Callable[..., None]


def child(node: str, definition: str = "inner") -> dict[str, Any]:
    return {"id": node, "type": "Subworkflow", "config": {"definition": definition, "mode": "child"}}


def in_turn(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    ids = [node["id"] for node in nodes]
    return talk(*nodes, edges=[{"from": one, "to": two} for one, two in pairwise(ids)], **more)


@pytest.fixture
def define(worker_settings: Settings) -> Define:
    """Writes a definition that can be run as a child."""

    def write(name: str, definition: dict[str, Any], cap_usd: float | None = None) -> None:
        limits = {} if cap_usd is None else {"limits": {"cost_usd": cap_usd}}
        text = yaml.safe_dump({**definition, "name": name, **limits})
        (worker_settings.definitions_dir / f"{name}.yaml").write_text(text)

    return write


async def waiting_child(runs: Runs, run_id: str) -> bool:
    return bool((await runs.door.state(run_id)).children)


async def child_of(runs: Runs, run_id: str) -> str:
    """The child run that is parked."""
    found: list[str] = []

    async def parked() -> bool:
        children = (await runs.door.progress(run_id)).children
        found[:] = [it.run for it in children if it.status == "needs_attention"]
        return bool(found)

    await runs.until(parked)
    return found[0]


async def test_each_child_has_its_own_cap_for_what_it_spends_itself(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], define: Define, tmp_path: Path
) -> None:
    define("inner", talk(ask("deep")), ONE_USD)
    async with running_worker(**paid):
        run_id = await runs.start(in_turn(child("one"), child("two"), child("three")))
        result = await runs.result(run_id)

    assert result.status == "completed", result.error
    assert result.cost_usd == pytest.approx(3 * COST_USD)
    assert await standing(tmp_path, await purse_of(runs, run_id)) == Standing(spent=3 * COST, reserved=0)


async def test_the_cap_of_a_run_holds_for_its_children_together(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], define: Define, site: Web
) -> None:
    define("inner", talk(ask("deep"), on_failure="fail"), 1.0)
    graph = in_turn(child("one"), child("two"), child("three"), on_failure="fail", limits={"cost_usd": 2 * ONE_USD})
    async with running_worker(**paid):
        run_id = await runs.start(graph)
        result = await runs.result(run_id)

    assert result.error is not None
    assert result.error.details["error"]["details"]["scope"] == await purse_of(runs, run_id)
    assert len(site.seen) == 2


async def test_a_run_between_has_a_cap_for_its_own_children(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], define: Define, site: Web
) -> None:
    define("inner", talk(ask("deep"), on_failure="fail"))
    define("middle", in_turn(child("one"), child("two"), on_failure="fail"), ONE_USD)
    async with running_worker(**paid):
        run_id = await runs.start(in_turn(ask("before"), child("all", "middle"), on_failure="fail"))
        result = await runs.result(run_id)

    assert result.error is not None
    deep = result.error.details["error"]["details"]["error"]
    assert (deep["code"], deep["details"]["cap_usd"]) == ("BUDGET_EXCEEDED", pytest.approx(ONE_USD))
    assert deep["details"]["scope"] != await purse_of(runs, run_id)
    assert len(site.seen) == 2


async def test_more_money_for_a_child_is_let_through_by_the_runs_around_it(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], define: Define, site: Web
) -> None:
    loop = {"edges": [{"from": "tick", "to": "tick", "when": "true", "max_visits": 30}]}
    define("inner", talk(ask("tick", max_tokens=1), **loop), ONE_USD)
    # The loop goes on in new workflow runs, which must not forget what they were given.
    async with running_worker(**paid, rollover_events=50):
        run_id = await runs.start(in_turn(ask("before"), child("all"), limits={"cost_usd": 2 * ONE_USD}))
        inner = await child_of(runs, run_id)
        await runs.door.resolve(inner, ResolveRequest(action="retry", cost_usd=1.0))
        result = await runs.result(run_id)

    assert result.status == "completed", result.error
    assert len(site.seen) == 31


async def test_what_a_child_took_that_failed_counts_for_its_parent(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], define: Define, site: Web
) -> None:
    define("inner", in_turn(ask("fine"), ask("refused"), on_failure="fail"))
    site.answers = [site.answers[0], Answer(status=400, body={"error": {"message": "no"}})]
    async with running_worker(**paid):
        result = await runs.run(talk(child("one"), on_failure="fail"))

    assert result.status == "failed"
    assert result.usage_by_node["one"].cost_usd == pytest.approx(COST_USD)
    assert result.cost_usd == pytest.approx(COST_USD)


async def test_what_a_child_took_that_was_cancelled_counts_for_its_parent(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], define: Define, tmp_path: Path
) -> None:
    question = {"id": "q", "type": "UserInput", "config": {"question": "?"}}
    define("inner", in_turn(ask("fine"), question))
    async with running_worker(**paid):
        run_id = await runs.start(talk(child("one")))
        await runs.until(lambda: waiting_child(runs, run_id))
        [inner] = (await runs.door.state(run_id)).children
        await runs.waits(inner.run)
        await runs.door.cancel(inner.run)
        await runs.parks(run_id)
        await runs.door.resolve(run_id, ResolveRequest(action="skip"))
        result = await runs.result(run_id)

    assert result.status == "completed"
    assert result.cost_usd == pytest.approx(COST_USD)
    assert await standing(tmp_path, await purse_of(runs, run_id)) == Standing(spent=COST, reserved=0)


async def test_the_caps_of_the_runs_around_it_reach_a_child_also_where_payloads_are_encrypted(
    server: DevServer, worker_settings: Settings, paid: dict[str, Any], define: Define, site: Web
) -> None:
    define("middle", in_turn(child("one"), child("two"), on_failure="fail"), ONE_USD)
    define("inner", talk(ask("deep"), on_failure="fail"), 1.0)
    settings = with_keys(worker_settings.model_copy(update=paid), new_key("key"))
    async with at_work(server, settings) as runs:
        result = await runs.run(talk(child("all", "middle"), on_failure="fail"))

    assert result.error is not None
    deep = result.error.details["error"]["details"]["error"]
    assert deep["details"]["cap_usd"] == pytest.approx(ONE_USD)
    assert len(site.seen) == 1


async def test_nobody_spends_the_money_of_a_run_by_calling_itself_its_child(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], tmp_path: Path
) -> None:
    forged = ParentRun(run="somebody", node="theirs", purse="of-somebody")
    async with running_worker(**paid):
        run_id = await runs.door.start(RunRequest(definition=talk(ask()), parent=forged), "forged")
        await runs.result(run_id)

    assert await standing(tmp_path, "run:of-somebody") == Standing()
    assert await standing(tmp_path, await purse_of(runs, run_id)) == Standing(spent=COST, reserved=0)
