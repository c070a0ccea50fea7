"""What a person would write by hand for the measured graphs: the same activities, payloads, limits and retries."""

import asyncio
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.common import RetryPolicy

from benchmarks.graphs import node_id, quick_config, reads_of, work_config
from orchestrator.contracts import NodeOutput

__all__ = ["HANDWRITTEN", "HandwrittenChain", "HandwrittenParallel", "HandwrittenQuickChain", "Size"]

_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
    maximum_attempts=4,
    non_retryable_error_types=["PayloadsTooLarge"],
)


class Size(BaseModel):
    """How many nodes."""

    model_config = ConfigDict(frozen=True)

    nodes: int


async def _work(number: int, config: dict[str, Any], reads: dict[str, Any]) -> dict[str, Any]:
    result = await workflow.execute_activity(
        "ModelInvoke",
        _call(number, "ModelInvoke", config, reads),
        result_type=NodeOutput,
        start_to_close_timeout=timedelta(seconds=120),
        heartbeat_timeout=timedelta(seconds=30),
        retry_policy=_RETRY,
    )
    return result.output


async def _quick(number: int, config: dict[str, Any], reads: dict[str, Any]) -> dict[str, Any]:
    result = await workflow.execute_local_activity(
        "Transform",
        _call(number, "Transform", config, reads),
        result_type=NodeOutput,
        start_to_close_timeout=timedelta(seconds=5),
        retry_policy=_RETRY,
    )
    return result.output


def _call(number: int, kind: str, config: dict[str, Any], reads: dict[str, Any]) -> dict[str, Any]:
    """A ``NodeCall`` as our workflow sends it: plain, without what is as usual."""
    return {
        "node": node_id(number),
        "visit": 1,
        "type": kind,
        "config": config,
        "values": reads,
        "first_run_id": workflow.info().first_execution_run_id,
    }


@workflow.defn
class HandwrittenChain:
    """Work nodes one after the other, each told how the one before it ended."""

    @workflow.run
    async def run(self, size: Size) -> str:
        """Returns how the last one ended."""
        last = ""
        for number in range(size.nodes):
            output = await _work(number, work_config(number), reads_of(number, "finish_reason", last))
            last = output["finish_reason"]
        return last


@workflow.defn
class HandwrittenParallel:
    """Work nodes side by side."""

    @workflow.run
    async def run(self, size: Size) -> str:
        """Returns how the last one ended."""
        calls = [_work(number, work_config(number, chained=False), {}) for number in range(size.nodes)]
        return (await asyncio.gather(*calls))[-1]["finish_reason"]


@workflow.defn
class HandwrittenQuickChain:
    """Quick nodes one after the other, as local activities."""

    @workflow.run
    async def run(self, size: Size) -> int:
        """Returns the number that went through all of them."""
        result: Any = {}
        for number in range(size.nodes):
            output = await _quick(number, quick_config(number), reads_of(number, "result", result))
            result = output["result"]
        return result["n"]


HANDWRITTEN = (HandwrittenChain, HandwrittenParallel, HandwrittenQuickChain)
