"""What a person would write by hand for the measured graphs: the same activities, payloads, limits and retries."""

import asyncio
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.common import RetryPolicy

from benchmarks.graphs import COUNT, ITEM, SAY, flow_config, node_id, quick_config, reads_of, work_config
from orchestrator.contracts import NodeOutput

__all__ = [
    "HANDWRITTEN",
    "HandwrittenChain",
    "HandwrittenEach",
    "HandwrittenFlow",
    "HandwrittenLoop",
    "HandwrittenParallel",
    "HandwrittenQuickChain",
    "HandwrittenQuickLoop",
    "HandwrittenWaiting",
    "Size",
]

_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
    maximum_attempts=4,
    non_retryable_error_types=["PayloadsTooLarge"],
)


class Size(BaseModel):
    """How many nodes, items or visits, and a number besides where the workflow takes one."""

    model_config = ConfigDict(frozen=True)

    nodes: int
    number: int = 0


async def _work(node: str, config: dict[str, Any], reads: dict[str, Any], visit: int = 1) -> dict[str, Any]:
    result = await workflow.execute_activity(
        "ModelInvoke",
        _call(node, visit, "ModelInvoke", config, reads),
        result_type=NodeOutput,
        start_to_close_timeout=timedelta(seconds=900),
        heartbeat_timeout=timedelta(seconds=30),
        retry_policy=_RETRY,
    )
    return result.output


async def _quick(node: str, config: dict[str, Any], reads: dict[str, Any], visit: int = 1) -> dict[str, Any]:
    result = await workflow.execute_local_activity(
        "Transform",
        _call(node, visit, "Transform", config, reads),
        result_type=NodeOutput,
        start_to_close_timeout=timedelta(seconds=5),
        retry_policy=_RETRY,
    )
    return result.output


def _call(node: str, visit: int, kind: str, config: dict[str, Any], reads: dict[str, Any]) -> dict[str, Any]:
    """A ``NodeCall`` as our workflow sends it: plain, without what is as usual."""
    info = workflow.info()
    call: dict[str, Any] = {
        "node": node,
        "visit": visit,
        "type": kind,
        "config": config,
        "values": reads,
        "first_run_id": info.first_execution_run_id,
    }
    if kind == "ModelInvoke":
        run = info.first_execution_run_id
        call["account"] = {"purse": run, "definition": info.workflow_type, "run_id": info.run_id, "try": 1}
    return call


@workflow.defn
class HandwrittenChain:
    """Work nodes one after the other, each told how the one before it ended."""

    @workflow.run
    async def run(self, size: Size) -> str:
        """Returns how the last one ended."""
        last = ""
        for number in range(size.nodes):
            output = await _work(node_id(number), work_config(number), reads_of(number, "finish_reason", last))
            last = output["finish_reason"]
        return last


@workflow.defn
class HandwrittenParallel:
    """Work nodes side by side."""

    @workflow.run
    async def run(self, size: Size) -> str:
        """Returns how the last one ended."""
        calls = [_work(node_id(number), work_config(number, chained=False), {}) for number in range(size.nodes)]
        return (await asyncio.gather(*calls))[-1]["finish_reason"]


@workflow.defn
class HandwrittenQuickChain:
    """Quick nodes one after the other, as local activities."""

    @workflow.run
    async def run(self, size: Size) -> int:
        """Returns the number that went through all of them."""
        result: Any = {}
        for number in range(size.nodes):
            output = await _quick(node_id(number), quick_config(number), reads_of(number, "result", result))
            result = output["result"]
        return result["n"]


@workflow.defn
class HandwrittenFlow:
    """Tasks of one weight one after the other: each computes the Fibonacci number that ``number`` says."""

    @workflow.run
    async def run(self, size: Size) -> str:
        """Returns what the last one computed."""
        text = ""
        for number in range(size.nodes):
            text = (await _work(node_id(number), flow_config(size.number), {}))["text"]
        return text


@workflow.defn
class HandwrittenEach:
    """A work node for each of some numbers, ``number`` at a time."""

    @workflow.run
    async def run(self, size: Size) -> list[dict[str, Any]]:
        """Returns for each item what our graph does."""
        slots = asyncio.Semaphore(size.number)

        async def one(index: int) -> dict[str, Any]:
            async with slots:
                output = await _work(f"all[{index}].m", ITEM, {"item": index})
            return {"item": index, "index": index, "end": output["finish_reason"]}

        return list(await asyncio.gather(*(one(index) for index in range(size.nodes))))


@workflow.defn
class HandwrittenLoop:
    """A work node again and again, told how often it ran."""

    @workflow.run
    async def run(self, size: Size) -> int:
        """Returns how often."""
        for number in range(size.nodes):
            await _work("count", SAY, {"state": {"n": number}}, number + 1)
        return size.nodes


@workflow.defn
class HandwrittenQuickLoop:
    """A quick node that counts on from where its last visit stood."""

    @workflow.run
    async def run(self, size: Size) -> int:
        """Returns how far it counted."""
        counted = 0
        for visit in range(1, size.nodes + 1):
            counted = (await _quick("count", COUNT, {"state": {"n": counted}}, visit))["result"]
        return counted


@workflow.defn
class HandwrittenWaiting:
    """A work node, and then a question."""

    def __init__(self) -> None:
        self._said = ""

    @workflow.run
    async def run(self, size: Size) -> str:
        """Returns the answer."""
        await _work(node_id(size.nodes), work_config(0), {})
        await workflow.wait_condition(lambda: bool(self._said))
        return self._said

    @workflow.update
    async def submit(self, text: str) -> None:
        """Take the answer."""
        self._said = text


HANDWRITTEN = (
    HandwrittenChain,
    HandwrittenEach,
    HandwrittenFlow,
    HandwrittenLoop,
    HandwrittenParallel,
    HandwrittenQuickChain,
    HandwrittenQuickLoop,
    HandwrittenWaiting,
)
