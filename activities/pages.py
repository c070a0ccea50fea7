"""Keeps in blob storage, in pages, what a workflow makes and cannot carry: its state, or the results of a ForEach."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_core import from_json, to_json
from temporalio import activity

from activities.blobs import BlobStore
from activities.blobs.moving import MAX_VALUE_BYTES, Part, bring_in, move_out
from activities.runtime import heartbeat, translated
from orchestrator.contracts import (
    JOIN_PAGES_ACTIVITY,
    LOAD_PAGE_ACTIVITY,
    MAX_PAYLOAD_BYTES,
    STORE_PAGE_ACTIVITY,
    JoinPagesCall,
    LoadPageCall,
    StorePageCall,
)
from orchestrator.errors import NodeError, TooLargeError
from orchestrator.graph.carried import unpacked
from orchestrator.graph.plan import Retry

__all__ = ["page_activities"]


def page_activities(blobs: BlobStore) -> list[Callable[..., Awaitable[Any]]]:
    """The activities that keep a page in ``blobs``, give it back, and make one value of several."""

    @activity.defn(name=STORE_PAGE_ACTIVITY)
    async def store_page(call: StorePageCall) -> dict[str, str]:
        """Keep ``call.text``; gives its ``key``."""
        try:
            return {"key": await blobs.put(to_json(_checked(call.text)))}
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
            raise translated(error, Retry()) from None

    @activity.defn(name=LOAD_PAGE_ACTIVITY)
    async def load_page(call: LoadPageCall) -> dict[str, str]:
        """The ``text`` of the page ``call.key``."""
        try:
            return {"text": _checked(from_json(await blobs.get(call.key)))}
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
            raise translated(error, Retry()) from None

    @activity.defn(name=JOIN_PAGES_ACTIVITY)
    async def join_pages(call: JoinPagesCall) -> dict[str, Any]:
        """Keep the value whose packed text is in ``call.keys`` as one; gives the ``reference`` to it."""
        try:
            async with heartbeat():
                return {"reference": await _joined(call, blobs)}
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
            raise translated(error, Retry()) from None

    return [store_page, load_page, join_pages]


async def _joined(call: JoinPagesCall, blobs: BlobStore) -> dict[str, Any]:
    pages = [_checked(from_json(await blobs.get(key))) for key in call.keys]
    value = await asyncio.to_thread(lambda: unpacked("".join(pages)))
    # No blob refers to another.
    whole = (await bring_in({"value": value}, blobs, call.what))["value"]
    size = len(await asyncio.to_thread(to_json, whole))
    if size > MAX_VALUE_BYTES:
        raise TooLargeError(
            f"{call.what} takes {size:,} bytes; at most {MAX_VALUE_BYTES:,} are allowed",
            details={"bytes": size, "limit": MAX_VALUE_BYTES},
        )
    part = Part({}, whole)
    await move_out([part], blobs, call.what)
    return part.reference


def _checked(text: Any) -> str:
    if not isinstance(text, str) or not text.isascii():
        raise NodeError("a page of a run's state must be ASCII text")
    if len(text) > MAX_PAYLOAD_BYTES:
        raise TooLargeError(
            f"a page of a run's state takes {len(text):,} bytes; at most {MAX_PAYLOAD_BYTES:,} are allowed",
            details={"bytes": len(text), "limit": MAX_PAYLOAD_BYTES},
        )
    return text
