"""Graphs whose nodes cost money, what they cost, and the ledger that knows it."""

from pathlib import Path
from typing import Any

from storage import Ledger, Standing, open_storage
from tests.integration.running import Runs

__all__ = ["COST", "COST_USD", "ask", "completion", "purse_of", "standing", "standing_at", "talk"]

# 1,000 tokens in and 500 out of gpt-4o-mini cost 0.15 $ and 0.60 $ a million: 0.00045 $.
COST_USD = 0.00045
COST = 450_000


def completion(prompt: int = 1000, answer: int = 500) -> dict[str, Any]:
    return {
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer},
    }


def ask(node: str = "ask", **config: Any) -> dict[str, Any]:
    usual = {"model": "gpt-4o-mini", "prompt": "x" * 952, "max_tokens": 500}
    return {"id": node, "type": "ModelInvoke", "config": {**usual, **config}, "retry": {"max_attempts": 1}}


def talk(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "talk", "nodes": list(nodes), "outputs": {}, **more}


async def standing(folder: Path, scope: str) -> Standing:
    return await standing_at(f"sqlite:///{folder / 'storage.db'}", scope)


async def standing_at(url: str, scope: str) -> Standing:
    async with open_storage(url) as storage:
        return await Ledger(storage).standing(scope)


async def purse_of(runs: Runs, run_id: str) -> str:
    description = await runs.handle(run_id).describe()
    return f"run:{description.raw_description.workflow_execution_info.first_run_id or description.run_id}"
