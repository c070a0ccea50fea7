"""A worker has one pool of connections to its storage, for money and for kept answers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from temporalio.testing import ActivityEnvironment

import worker
from orchestrator.contracts import Account, NodeOutput
from orchestrator.models import find_model
from orchestrator.settings import Settings
from storage import Storage, open_storage
from tests.unit.loopback import call


async def test_money_and_kept_answers_share_one_pool_that_is_closed_once(
    worker_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def opening(url: str) -> AsyncGenerator[Storage]:
        told.append("opened")
        async with open_storage(url) as storage:
            yield storage
        told.append("closed")

    async def answer() -> NodeOutput:
        return NodeOutput(output={"text": "fine"})

    visit = call("ModelInvoke", {}, account=Account(purse="first", run_id="run"), cache=60.0)
    monkeypatch.setattr(worker, "open_storage", opening)
    async with worker.open_dependencies(worker_settings) as dependencies:
        purse, cache = dependencies.purse, dependencies.cache
        assert cache is not None

        async def work() -> None:
            async with purse.paying(find_model("gpt-4o-mini"), ["Hi"], 10, visit):
                await cache.through(visit, "q", answer)

        await ActivityEnvironment().run(work)
        assert (await cache.through(visit, "q", answer))[1]
        assert told == ["opened"]
    assert told == ["opened", "closed"]
