"""Lets somebody look on while a history is replayed, to learn what happened in it. Never changes what a run does."""

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from temporalio import workflow

from orchestrator.graph.plan import EdgeKind

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Observer", "answered", "begun", "closed", "entered", "observing", "opened", "visited"]


class Observer(Protocol):
    """Is told what happens in a run. Paths end with the scope: ``""``, ``items[3].``."""

    def begun(self, state: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
        """A workflow run begins, with the state it was handed (empty at the start of all) and its plan."""
        ...

    def visited(
        self, scope: str, node: str, visit: int, kind: EdgeKind, output: Mapping[str, Any], writes: Mapping[str, Any]
    ) -> None:
        """A visit ended."""
        ...

    def opened(self, scope: str, node: str, visit: int, items: list[Any]) -> None:
        """A ForEach knows its items."""
        ...

    def entered(self, scope: str, inputs: Mapping[str, Any]) -> None:
        """A body begins."""
        ...

    def closed(self, scope: str, outputs: Mapping[str, Any]) -> None:
        """A body ended well."""
        ...

    def answered(self, message: Mapping[str, Any], node: str, visit: int, at: float) -> None:
        """A message became an answer, ``at`` seconds since 1970."""
        ...


_observers: dict[str, Observer] = {}


@contextmanager
def observing(run_id: str, observer: Observer) -> "Generator[None]":
    """Have ``observer`` told what happens in the workflow run ``run_id`` while the block replays it."""
    _observers[run_id] = observer
    try:
        yield
    finally:
        del _observers[run_id]


def _observer() -> Observer | None:
    return _observers.get(workflow.info().run_id) if _observers else None


def begun(state: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    """See ``Observer``."""
    if observer := _observer():
        observer.begun(state, plan)


def visited(
    scope: str, node: str, visit: int, kind: EdgeKind, output: Mapping[str, Any], writes: Mapping[str, Any]
) -> None:
    """See ``Observer``."""
    if observer := _observer():
        observer.visited(scope, node, visit, kind, output, writes)


def opened(scope: str, node: str, visit: int, items: list[Any]) -> None:
    """See ``Observer``."""
    if observer := _observer():
        observer.opened(scope, node, visit, items)


def entered(scope: str, inputs: Mapping[str, Any]) -> None:
    """See ``Observer``."""
    if observer := _observer():
        observer.entered(scope, inputs)


def closed(scope: str, outputs: Mapping[str, Any]) -> None:
    """See ``Observer``."""
    if observer := _observer():
        observer.closed(scope, outputs)


def answered(message: Mapping[str, Any], node: str, visit: int) -> None:
    """See ``Observer``."""
    if observer := _observer():
        observer.answered(message, node, visit, workflow.time())
