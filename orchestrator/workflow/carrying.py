"""Hands a run's state from one workflow run to the next: in the input, or, where it is too large, in blob storage."""

from orchestrator.contracts import Carry, Continuation
from orchestrator.graph.carried import Carried, pack, unpack
from orchestrator.workflow.dispatch import Dispatcher

__all__ = ["continuation", "load"]

_MOST_TEXT = 900_000


async def continuation(dispatcher: Dispatcher, state: Carried, definition: str) -> Continuation:
    """What the next workflow run is started with.

    Args:
        dispatcher: Stores the parts of what is too large.
        state: The run's state.
        definition: ``name@version``, for people.

    Raises:
        TooLargeError: The state is larger than a run may carry.
    """
    text = pack(state)
    carry = Carry(text=text)
    if len(text) > _MOST_TEXT:
        parts = [text[start : start + _MOST_TEXT] for start in range(0, len(text), _MOST_TEXT)]
        carry = Carry(pages=tuple([await dispatcher.store_page(part, n) for n, part in enumerate(parts)]))
    return Continuation(continues=carry, definition=definition, continued=state.get("continued", 0))


async def load(dispatcher: Dispatcher, carry: Carry) -> Carried:
    """The state that a run was handed."""
    if not carry.pages:
        return unpack(carry.text)
    return unpack("".join([await dispatcher.load_page(key, n) for n, key in enumerate(carry.pages)]))
