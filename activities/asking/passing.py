"""Lets a call through to a model: one that is not left alone, and within its rates."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager

from activities.asking.breaker import Breakers
from activities.asking.metrics import waited
from activities.asking.rates import Place, Rates
from orchestrator.models import ModelInfo

__all__ = ["passing"]


@asynccontextmanager
async def passing(model: ModelInfo, breakers: Breakers, rates: Rates) -> AsyncGenerator[None]:
    """A call of ``model`` in the block, once its rates have room; its breaker sees how the block ends.

    Raises:
        ProviderUnavailableError: It is left alone, now or by the time that there is room.
        StorageUnavailableError: See ``Place.take``.
    """
    place = rates.place(model)
    began = time.monotonic()
    try:
        entered = await _entered(model, breakers, place)
    finally:
        if place.is_bounded:
            waited(model, time.monotonic() - began)
    with entered:
        yield


async def _entered(model: ModelInfo, breakers: Breakers, place: Place) -> ExitStack:
    """What the breaker is told by, entered at the same time as the rates.

    The breaker is asked before each look at the rates, so that who is left alone takes no place in them. And nobody
    keeps its trial while waiting: a rate may be long, and the model be well again for all others meanwhile.
    """
    while True:
        with ExitStack() as stack:
            passage = stack.enter_context(breakers.of(model).guarding())
            wait = await place.take()
            if not wait:
                return stack.pop_all()
            passage.asked = False
        await asyncio.sleep(wait)
