"""Hands a run's state from one workflow run to the next: in the input, or, where it is too large, in blob storage."""

from orchestrator.contracts import Carry
from orchestrator.graph.carried import Carried, pack, pages, unpack
from orchestrator.workflow.dispatch import Dispatcher

__all__ = ["LIGHT", "load", "store"]

LIGHT = frozenset({"journal", "inbox", "usage", "paused", "children", "shown", "answers", "ended"})
"""What may change while the rest is being stored."""


async def store(dispatcher: Dispatcher, state: Carried) -> tuple[str, ...]:
    """Keep a state in blob storage, all of it but what is ``LIGHT``.

    Args:
        dispatcher: Calls the activity that stores a part.
        state: The state.

    Returns:
        The keys of its parts.

    Raises:
        TooLargeError: It is larger than a run may carry.
    """
    heavy = Carried(**{name: value for name, value in state.items() if name not in LIGHT})  # pyright: ignore[reportArgumentType]
    return tuple([await dispatcher.store_page(part, number) for number, part in enumerate(pages(pack(heavy)))])


async def load(dispatcher: Dispatcher, carry: Carry) -> Carried:
    """The state that a run was handed."""
    state = Carried()
    if carry.pages:
        parts = [await dispatcher.load_page(key, number) for number, key in enumerate(carry.pages)]
        state = unpack("".join(parts))
    if carry.text:
        state.update(unpack(carry.text))
    return state
