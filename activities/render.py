"""The render activity: fills templates of questions, outputs and writes in from a run's data."""

import asyncio
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.runtime import check_size, translated
from activities.weight import is_long
from orchestrator.contracts import RENDER_ACTIVITY, RenderCall
from orchestrator.graph.plan import Retry
from orchestrator.templating import render_value

__all__ = ["render"]


@activity.defn(name=RENDER_ACTIVITY)
async def render(call: RenderCall) -> Any:
    """``call.value`` with its templates filled in from ``call.values``."""
    try:
        return await asyncio.to_thread(_rendered, call) if is_long(call.value, call.values) else _rendered(call)
    except ApplicationError:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
        raise translated(error, Retry()) from None


def _rendered(call: RenderCall) -> Any:
    rendered = render_value(call.value, call.values)
    check_size(rendered, "what the templates give")
    return rendered
