"""Lets somebody look on while a history is replayed, to learn what happened in it. Never changes what a run does."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from temporalio import workflow

from orchestrator.graph.happenings import Happening

__all__ = ["Begun", "Happened", "begun", "happened", "observed", "observing"]

Begun = Callable[[Mapping[str, Any], Mapping[str, Any]], None]
"""Called with the state that a workflow run was handed (empty at the start of all), and what it is pinned to."""
Happened = Callable[[Happening], None]

_observers: dict[str, tuple[Begun, Happened]] = {}


@contextmanager
def observing(run_id: str, begun: Begun, happened: Happened) -> Generator[None]:
    """Have somebody told what happens in the workflow run ``run_id`` while the block replays it."""
    _observers[run_id] = (begun, happened)
    try:
        yield
    finally:
        del _observers[run_id]


def observed() -> bool:
    """Whether somebody looks on: otherwise there is no need to say anything."""
    return bool(_observers) and workflow.info().run_id in _observers


def begun(state: Mapping[str, Any], resolved: Mapping[str, Any]) -> None:
    """Tell that a workflow run has begun."""
    if observed():
        _observers[workflow.info().run_id][0](state, resolved)


def happened(happening: Happening) -> None:
    """Tell what has happened."""
    if observed():
        _observers[workflow.info().run_id][1](happening)
