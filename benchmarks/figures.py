"""A figure: its samples, its target, and what they say. Pure arithmetic."""

from collections.abc import Sequence
from statistics import median
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["Figure", "Pair", "Sample", "flatness", "growth", "ratios", "timed"]


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
    """Something measured. ``target`` is the most that is allowed; none where the figure is only for comparison.

    One that could not be measured has no samples, and says in ``absent`` why.
    """

    measure: str
    """The name for ``--only``."""
    what: str
    unit: str
    samples: tuple[float, ...]
    target: float | None = None
    by_hand: float | None = None
    """The same figure of the hand-written workflow, where it is not a ratio to it."""
    note: str = ""
    digits: int = 2
    absent: str = ""
    broken: bool = False
    """It is absent because its measure broke, and not because something is not installed here."""

    @model_validator(mode="after")
    def _has_samples_or_a_reason(self) -> Self:
        if bool(self.samples) == bool(self.absent):
            raise ValueError("a figure has samples, or says in `absent` why it has none")
        return self

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
        if self.target is None or self.absent:
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


def timed(measure: str, what: str, pairs: Sequence[Pair], parts: int, *, unit: Literal["ms", "s"] = "ms") -> Figure:
    """How long one of ``parts`` equal parts of the work takes, by us and by hand."""
    scale = (1000 if unit == "ms" else 1) / parts
    return Figure(
        measure=measure,
        what=what,
        unit=unit,
        samples=tuple(scale * pair.ours.wall for pair in pairs),
        by_hand=median(scale * pair.by_hand.wall for pair in pairs),
        note=f"{median(ratios(pairs, 'wall')):.2f} times by hand, of CPU {median(ratios(pairs, 'cpu')):.2f} times",
    )
