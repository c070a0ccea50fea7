"""What becomes of a worker that ends by itself."""

import asyncio

import pytest
from temporalio.bridge.proto.activity_task import ActivityTask
from temporalio.bridge.worker import Worker as BridgeWorker
from temporalio.client import Client

from orchestrator import __version__
from orchestrator.settings import Settings
from worker import build_worker, open_dependencies, run_until


async def test_what_ends_a_worker_under_way_is_no_wrong_setting(
    client: Client, worker_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server's refusals while a worker polls the SDK tries again for minutes: only its own poll can be made to fail.
    poll, failures = BridgeWorker.poll_activity_task, iter([RuntimeError("Poll failure: disk on fire")])

    async def fail_once(worker: BridgeWorker) -> ActivityTask:
        for failure in failures:
            raise failure
        return await poll(worker)

    monkeypatch.setattr(BridgeWorker, "poll_activity_task", fail_once)
    async with open_dependencies(worker_settings) as dependencies, asyncio.timeout(20):
        worker = build_worker(client, worker_settings, dependencies=dependencies)

        with pytest.raises(RuntimeError, match="worker failed"):
            await run_until(asyncio.Event(), worker)


async def test_what_a_worker_runs_is_named_by_our_version_not_by_a_hash_of_all_modules(
    client: Client, worker_settings: Settings
) -> None:
    async with open_dependencies(worker_settings) as dependencies:
        worker = build_worker(client, worker_settings, dependencies=dependencies)

    assert dict(worker.config())["build_id"] == f"orchestrator-{__version__}"
