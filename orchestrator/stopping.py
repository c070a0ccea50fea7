"""Ends background tasks without losing that whoever ends them is to end as well."""

import asyncio
from typing import Any

__all__ = ["stop"]


async def stop(*tasks: "asyncio.Future[Any] | None") -> None:
    """Cancel tasks, and wait until they have ended, whatever they end with.

    Args:
        tasks: The tasks; none, and those that have ended, are passed over.

    Raises:
        asyncio.CancelledError: Whoever called this is cancelled meanwhile. The tasks have ended all the same.
    """
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    # Awaited one by one, a task's own cancellation could not be told from that of whoever waits for it.
    await asyncio.gather(*begun, return_exceptions=True)
