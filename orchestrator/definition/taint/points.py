"""Where text may stand while a definition runs, how it gets from one place to the next, and where it acts."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from orchestrator.errors import Issue
from orchestrator.graph.plan import Path

__all__ = ["Asked", "Moment", "Network", "Point", "Report", "Use"]

Point = tuple[str, str, str, str]
"""A scope, what sort of place it is (``out``, ``input``, ``state``, ``item``), its name, and its field."""
Moment = tuple[str, str, str]
"""A scope, a node, and a moment of its visit: ``begins``, or ``ends`` well."""
Report = Callable[[str, Path, str, str], Issue]
"""Makes an issue: code, path, message, hint."""


@dataclass(frozen=True, slots=True)
class Use:
    """A field that decides what an action does, and what flows into it."""

    points: tuple[Point, ...]
    at: Moment
    path: Path
    sentence: str
    argument: bool
    address: bool
    report: Report


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody is asked to approve what flows into ``points``."""

    points: tuple[Point, ...]
    at: Moment
    name: str


@dataclass(slots=True)
class Network:
    """Places, and the ways of text between them; moments, and the ways of the run between them."""

    ways: dict[Point, dict[Point, None]] = field(default_factory=dict[Point, dict[Point, None]])
    origins: dict[Point, tuple[str, Moment]] = field(default_factory=dict[Point, tuple[str, Moment]])
    """Where untrusted text comes in: in words, and when."""
    words: dict[Point, str] = field(default_factory=dict[Point, str])
    uses: list[Use] = field(default_factory=list[Use])
    asked: list[Asked] = field(default_factory=list[Asked])
    steps: dict[Moment, dict[Moment, None]] = field(default_factory=dict[Moment, dict[Moment, None]])

    def flow(self, sources: Iterable[Point], target: Point) -> None:
        """Text gets from each of ``sources`` to ``target``."""
        for source in sources:
            if source != target:
                self.ways.setdefault(source, {})[target] = None

    def step(self, before: Moment, after: Moment) -> None:
        """The run may go from one moment to another."""
        self.steps.setdefault(before, {})[after] = None

    def spread(self) -> dict[Point, int]:
        """The origins that reach each place, as a mask of their numbers in ``origins``."""
        found = {point: 1 << number for number, point in enumerate(self.origins)}
        waiting = deque(found)
        while waiting:
            point = waiting.popleft()
            mask = found[point]
            for target in self.ways.get(point, ()):
                known = found.get(target, 0)
                if mask & ~known:
                    found[target] = known | mask
                    waiting.append(target)
        return found

    def reached(self, start: Moment, without: frozenset[Moment]) -> set[Moment]:
        """Every moment that the run may come to from ``start`` without passing one of ``without``."""
        seen, waiting = {start}, deque([start])
        while waiting:
            for after in self.steps.get(waiting.popleft(), ()):
                if after not in seen and after not in without:
                    seen.add(after)
                    waiting.append(after)
        return seen

    def way(self, origin: Point, ends: Iterable[Point]) -> list[Point]:
        """The shortest way of text from ``origin`` to one of ``ends``, both included."""
        wanted, came = set(ends), dict[Point, Point | None]({origin: None})
        waiting = deque([origin])
        while waiting:
            point: Point | None = waiting.popleft()
            if point in wanted:
                trail: list[Point] = []
                while point is not None:
                    trail.append(point)
                    point = came[point]
                return trail[::-1]
            for target in self.ways.get(point, ()):
                if target not in came:
                    came[target] = point
                    waiting.append(target)
        return [origin]
