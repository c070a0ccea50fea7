"""The child runs of a run: how they stand, and how those ended that it no longer holds by Temporal's own means."""

import asyncio
from typing import Any

from orchestrator.contracts import ChildRun, visit_label

__all__ = ["Kin"]


class Kin:
    """The child runs that visits wait for. Labels are those of the visits."""

    def __init__(self) -> None:
        self.children: dict[str, ChildRun] = {}
        self.ended: dict[str, dict[str, Any]] = {}
        """Results, as JSON, that have been told of and that their visits have not taken note of."""
        self._waiting: dict[str, asyncio.Future[None]] = {}

    @property
    def in_trouble(self) -> bool:
        """Whether something is parked in one of them."""
        return any(child.parked for child in self.children.values())

    def hear(self, child: ChildRun) -> None:
        """A child run tells how it stands; its ``node`` is the label here."""
        known = self.children.get(child.node)
        if known is None:
            return
        if child.result is None:
            self.children[child.node] = known.model_copy(update={"status": child.status, "parked": child.parked})
            return
        self.ended[child.node] = child.result.model_dump(mode="json")
        waiting = self._waiting.pop(child.node, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def end_of(self, label: str) -> asyncio.Future[None]:
        """Resolves when the child run tells of its end."""
        waiting = self._waiting[label] = asyncio.get_running_loop().create_future()
        return waiting

    def forget(self, label: str) -> None:
        """Nobody waits for it any more."""
        self.children.pop(label, None)
        self.ended.pop(label, None)
        self._waiting.pop(label, None)

    def restore(self, children: list[dict[str, Any]], ended: dict[str, dict[str, Any]]) -> None:
        """Take over what an earlier workflow run knew."""
        for child in children:
            known = ChildRun.model_validate(child)
            self.children[visit_label(known.node, known.visit)] = known
        self.ended = dict(ended)
