"""The render activity: fills templates of questions, outputs and writes in from a run's data."""

from typing import Any

from temporalio import activity

from activities.runtime import check_size, translated
from orchestrator.contracts import RENDER_ACTIVITY, RenderCall
from orchestrator.graph.plan import Retry
from orchestrator.templating import render_value

__all__ = ["render"]


@activity.defn(name=RENDER_ACTIVITY)
async def render(call: RenderCall) -> Any:
    """``call.value`` with its templates filled in from ``call.values``."""
    try:
        rendered = render_value(call.value, call.values)
        check_size(rendered, "what the templates give")
    except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
        raise translated(error, Retry()) from None
    return rendered
