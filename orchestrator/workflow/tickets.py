"""What passes between a run and the visits in it: what they take up, how they fail, what they leave to be done."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.contracts import ErrorInfo

if TYPE_CHECKING:
    from orchestrator.workflow.run import Run

__all__ = ["Aside", "NodeFailure", "Ticket"]


class NodeFailure(Exception):  # noqa: N818 - it carries the outcome of a node, it is not the error itself
    """A visit failed for good, and nobody around it takes care of that."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


@dataclass(frozen=True, slots=True)
class Aside:
    """A visit of a node that stands aside of the graph, and all it needs to know. ``values`` is JSON."""

    path: str
    """What its activity and its side effects are known by: ``cleanup``, ``cancel:book#2``."""
    node: str
    body: str | None
    """Key of the plan that the node stands in; none for the root."""
    values: dict[str, Any]
    undoes: str | None = None
    """The visit that it undoes."""


class Ticket:
    """What something under way takes up. Resting, it can go on in another workflow run as it is.

    Args:
        run: The run.
        works: It is a quick or work node.
        visit: The scope's path, the node's id and the number of the visit; none for what is no visit.
    """

    def __init__(self, run: "Run", *, works: bool, visit: tuple[str, str, int] | None = None) -> None:
        self.visit = visit
        self._run = run
        self._works = works
        self._busy = True
        self._era = run.era
        run.busy += 1
        run.working += works
        if visit is not None:
            run.visiting[self] = None

    def rest(self) -> None:
        """From now on it only waits."""
        if self._busy and self._era == self._run.era:
            self._busy = False
            self._run.busy -= 1
            self._run.working -= self._works
            self._run.rested()

    def wake(self) -> None:
        """It has something to do again."""
        if not self._busy and self._era == self._run.era:
            self._busy = True
            self._run.busy += 1
            self._run.working += self._works

    def give_back(self) -> None:
        """It is over."""
        self._run.visiting.pop(self, None)
        self.rest()
