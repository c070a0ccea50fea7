"""Lets a visit that fails tell what it has taken: what was paid for counts, whatever became of it."""

from collections.abc import Callable
from contextvars import ContextVar

from orchestrator.contracts import NodeCall, Taken

__all__ = ["begin", "tell", "told"]

_telling: ContextVar[Callable[[], Taken] | None] = ContextVar("telling", default=None)


def begin() -> None:
    """Note that an attempt begins: what another told counts no more."""
    _telling.set(None)


def tell(taken: Callable[[], Taken]) -> None:
    """Have what the attempt under way has taken asked of ``taken``, should it fail."""
    _telling.set(taken)


def told(call: NodeCall, attempt: int) -> Taken | None:
    """What the attempt that has failed, and those before it, have taken; none where it can not be told from here."""
    telling = _telling.get()
    if telling is not None:
        return telling()
    # It failed before anything was asked, so only an earlier attempt can have taken something.
    return Taken() if call.account is not None and attempt == 1 else None
