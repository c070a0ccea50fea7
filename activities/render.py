"""The render activity: fills templates of questions, outputs and writes in from a run's data."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_core import to_json
from temporalio import activity

from activities.blobs import BlobStore
from activities.runtime import heartbeat, kept_small, translated, with_large_values
from activities.weight import is_long
from orchestrator.contracts import MAX_PAYLOAD_BYTES, RENDER_ACTIVITY, RenderCall
from orchestrator.errors import TooLargeError
from orchestrator.graph.expressions import Program
from orchestrator.graph.plan import Retry
from orchestrator.templating import render_value

__all__ = ["render_activity"]


def render_activity(blobs: BlobStore) -> Callable[[RenderCall], Awaitable[Any]]:
    """The activity that renders; it looks into the values in ``blobs``, and keeps there what comes out too large."""

    async def rendered(call: RenderCall) -> Any:
        if not is_long(call.value, call.values):
            return render_value(call.value, call.values)
        values = await with_large_values(call.values, f"the template of {activity.info().activity_id!r}", blobs)
        return await asyncio.to_thread(render_value, call.value, values)

    async def evaluated(call: RenderCall) -> Any:
        what = f"the expression of {activity.info().activity_id!r}"
        values = await with_large_values(call.values, what, blobs)
        found = await asyncio.to_thread(Program(call.expression).evaluate, values)
        if (size := len(to_json(found))) > MAX_PAYLOAD_BYTES:
            raise TooLargeError(f"{what} gives {size:,} bytes; at most {MAX_PAYLOAD_BYTES:,} are allowed")
        return found

    @activity.defn(name=RENDER_ACTIVITY)
    async def render(call: RenderCall) -> Any:
        """``call.value`` with its templates filled in from ``call.values``, or the value of ``call.expression``."""
        try:
            async with heartbeat():
                if call.expression is not None:
                    return await evaluated(call)
                return await kept_small(await rendered(call), "what the templates give", blobs)
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
            raise translated(error, Retry()) from None

    return render
