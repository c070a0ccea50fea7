"""A figure: its samples, its target, and what they say. Pure arithmetic."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Figure", "Pair", "Sample", "flatness", "growth", "ratios"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sample(_Frozen):
    """One timed piece of work. ``wall`` and ``cpu`` (of the worker's process) in seconds."""

    wall: float
    cpu: float


class Pair(_Frozen):
    """The same piece of work by us and by hand, one right after the other."""

    ours: Sample
    by_hand: Sample


class Figure(_Frozen):
    """Something measured. ``target`` is the most that is allowed; none where the figure is only for comparison."""

    measure: str
    """The name for ``--only``."""
    what: str
    unit: str
    samples: tuple[float, ...] = Field(min_length=1)
    target: float | None = None
    by_hand: float | None = None
    """The same figure of the hand-written workflow, where it is not a ratio to it."""
    note: str = ""
    digits: int = 2

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return median(self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest sample."""
        return min(self.samples), max(self.samples)

    @property
    def verdict(self) -> Literal["met", "missed", ""]:
        """Whether the median, as it is shown, is within the target."""
        if self.target is None:
            return ""
        return "met" if round(self.median, self.digits) <= self.target else "missed"


def ratios(pairs: Sequence[Pair], kind: Literal["wall", "cpu"]) -> tuple[float, ...]:
    """Ours to hand-written, pair by pair, so that what slows the machine for a while slows both sides."""
    return tuple(getattr(pair.ours, kind) / getattr(pair.by_hand, kind) for pair in pairs)


def growth(sizes: Sequence[int], totals: Sequence[float]) -> tuple[float, ...]:
    """What each further node adds, between one size and the next."""
    steps = zip(sizes, sizes[1:], totals, totals[1:], strict=False)
    return tuple((total - before) / (size - smaller) for smaller, size, before, total in steps)


def flatness(added: Sequence[float]) -> float:
    """The most that a node adds in proportion to the least: 1 when a node costs the same however many there are."""
    return max(added) / min(added)
