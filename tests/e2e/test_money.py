"""Workers that are killed while their runs pay for model calls."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from orchestrator.client import Orchestrator
from orchestrator.contracts import RunRequest
from storage import Ledger, open_storage
from tests.e2e.kills.driver import Stage
from tests.unit.loopback import Answer, web

COST = 450_000  # 1,000 tokens in at 0.15 $ a million and 500 out at 0.60 $, in nano-dollars
COMPLETION: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
}
ASK: dict[str, Any] = {
    "id": "ask",
    "type": "ModelInvoke",
    "config": {"model": "gpt-4o-mini", "prompt": "x" * 968, "max_tokens": 500},
    "on_failure": "fail",
}
MANY: dict[str, Any] = {
    "name": "many",
    "nodes": [
        {
            "id": "all",
            "type": "ForEach",
            "config": {
                "items": "inputs.items",
                "concurrency": 20,
                "on_item_error": "collect",
                "do": {"nodes": [ASK], "outputs": {"text": "{{ nodes.ask.text }}"}},
            },
        }
    ],
    "inputs": {"items": {"type": "array", "default": list(range(200))}},
    "limits": {"cost_usd": 100 * COST / 1e9, "max_parallel": 20},
    "outputs": {},
}


@pytest.mark.timeout(300)
async def test_workers_that_are_killed_lose_no_money_and_pass_no_cap(
    stage: Stage, client: Client, tmp_path: Path
) -> None:
    queue = "money"
    with web() as site:
        site.answers = [Answer(body=COMPLETION)]
        url = f"sqlite:///{tmp_path / 'storage.db'}"
        settings = {
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": f"{site.url}/v1",
            "ORCHESTRATOR_STORAGE_URL": url,
        }
        worker = await stage.worker(queue, settings)
        door = Orchestrator(client, queue)
        run_id = await door.start(RunRequest(definition=MANY), "money-1")
        ending = asyncio.create_task(door.result(run_id))
        for seen in (10, 30, 50):
            while len(site.seen) < seen:  # noqa: ASYNC110 - the far side is a server in a thread: it can only be asked
                await asyncio.sleep(0.005)
            await worker.kill()
            worker = await stage.worker(queue, settings)
        result = await ending
        await worker.kill()
        description = await client.get_workflow_handle(run_id).describe()
        async with open_storage(url) as storage:
            ledger = Ledger(storage)
            found = await ledger.standing(f"run:{description.run_id}")
            left = await ledger.open_entries()

    assert result.status == "completed", result.error
    assert found.spent + found.reserved <= 100 * COST
    assert sum(entry.reserved for entry in left) == found.reserved
    # Each call that was served is booked, or still set aside because its worker died before it could book.
    settled = found.spent // COST
    assert settled <= len(site.seen) <= settled + len(left)
    # And the run says the same, of the attempts too that their worker did not live to end.
    assert result.cost_usd == pytest.approx((found.spent + found.reserved) / 1e9)
