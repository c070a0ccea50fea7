"""Keeps parts of a run's state in blob storage while it goes on in a new workflow run."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_core import from_json, to_json
from temporalio import activity

from activities.blobs import BlobStore
from activities.runtime import translated
from orchestrator.contracts import (
    LOAD_PAGE_ACTIVITY,
    MAX_PAYLOAD_BYTES,
    STORE_PAGE_ACTIVITY,
    LoadPageCall,
    StorePageCall,
)
from orchestrator.errors import NodeError, TooLargeError
from orchestrator.graph.plan import Retry

__all__ = ["page_activities"]


def page_activities(blobs: BlobStore) -> list[Callable[..., Awaitable[Any]]]:
    """The activities that keep a page in ``blobs``, and give it back."""

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

    return [store_page, load_page]


def _checked(text: Any) -> str:
    if not isinstance(text, str) or not text.isascii():
        raise NodeError("a page of a run's state must be ASCII text")
    if len(text) > MAX_PAYLOAD_BYTES:
        raise TooLargeError(
            f"a page of a run's state takes {len(text):,} bytes; at most {MAX_PAYLOAD_BYTES:,} are allowed",
            details={"bytes": len(text), "limit": MAX_PAYLOAD_BYTES},
        )
    return text
