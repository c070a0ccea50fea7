"""What an estimate says: of the whole run, of each node that pays, and of what is not known. Money in nano-dollars."""

from dataclasses import dataclass

__all__ = ["Estimate", "NodeEstimate", "NotKnown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEstimate:
    """What one node can cost, all its visits together.

    ``node`` is its path without items (``items.answer``). ``models`` are those it may ask, as far as they are known.
    ``most`` is none where that is not known.
    """

    node: str
    type: str
    models: tuple[str, ...]
    least_visits: int
    most_visits: int
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Why nobody can say what a node may cost; ``model`` is none where it is not for a model."""

    node: str
    model: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run can cost.

    ``most`` is none where that is not known; where the run has a ``cap``, it is never more than that. ``nodes`` are
    those that pay. The sum of their ``most`` may be more: ``limits.steps`` and the cap are for all of them together.
    """

    definition: str
    version: str
    least: int
    most: int | None
    cap: int | None
    nodes: tuple[NodeEstimate, ...]
    unknown: tuple[NotKnown, ...]

    @property
    def over_cap(self) -> bool:
        """Whether even the least is more than the run may cost."""
        return self.cap is not None and self.least > self.cap
