"""How a node can end, where it has ways aside: which of its ways are open then, and which fields its output has."""

from dataclasses import replace
from typing import Final

from orchestrator.definition.graph import Flow, Link
from orchestrator.graph.plan import EdgeKind

__all__ = ["Outcomes"]

_GIVEN: Final = "given"
"""The node gave an output of its own kind: it finished well, or somebody said no."""
_ONLY_AFTER: Final = {"error": "error", "expired": "expiry"}


class Outcomes:
    """A graph in which each node that has ways aside leads to one more node for every way in which it can end.

    Exactly one of those follows the node, so that what is certain behind it can be said as of any other graph. The
    nodes of the graph keep their numbers.

    Args:
        flow: The graph.

    Attributes:
        flow: The same with its ends.
        leaves: The mask of those ends that lead nowhere.
    """

    def __init__(self, flow: Flow) -> None:
        sides: dict[str, list[EdgeKind]] = {}
        for link in flow.links:
            if link.kind != "normal" and link.kind not in sides.setdefault(link.source, []):
                sides[link.source].append(link.kind)
        self._starts: dict[tuple[str, str], str] = {}
        ends = [way for name, kinds in sides.items() for way in self._split(name, kinds)]
        ids = [*flow.ids, *(way.target for way in ends)]
        links = [replace(link, source=self._starts.get((link.source, link.kind), link.source)) for link in flow.links]
        self.flow = Flow(ids, [*links, *ends]) if ends else flow
        self.leaves = 0
        for number in range(len(flow.ids), len(self.flow.ids)):
            self.leaves |= (not self.flow.outs[number]) << number

    def _split(self, name: str, kinds: list[EdgeKind]) -> list[Link]:
        ways = [(name, _GIVEN), *((name, kind) for kind in kinds if kind != "reject")]
        self._starts[name, _GIVEN] = self._starts[name, "normal"] = f"{name}!{_GIVEN}"
        for kind in kinds:
            self._starts[name, kind] = f"{name}!{kind}"
        if "reject" in kinds:
            self._starts[name, "normal"] = f"{name}!normal"
            ways += [(f"{name}!{_GIVEN}", "normal"), (f"{name}!{_GIVEN}", "reject")]
        return [Link(source, self._starts[name, end], None, None, exclusive=True, path=()) for source, end in ways]

    def ways(self, name: str) -> frozenset[str]:
        """The ways aside that a node has, by kind."""
        return frozenset(kind for kind in ("error", "expiry", "reject") if (name, kind) in self._starts)

    def having(self, name: str, field: str) -> tuple[int, ...] | None:
        """The numbers of those ends of a node after which its output has ``field``; none when it has it after all."""
        ways = self.ways(name)
        for only, end in _ONLY_AFTER.items():
            if field == only and end in ways:
                return self._numbers(name, (end,))
        every = field == "visits" or (field == "at" and "error" not in ways) or not ways & {"error", "expiry"}
        if every:
            return None
        return self._numbers(name, (_GIVEN, "expiry") if field == "at" else (_GIVEN,))

    def ended(self, name: str, kind: EdgeKind) -> int:
        """The mask of a node, and of its having ended so."""
        mask = 1 << self.flow.numbers[name]
        for number in self._numbers(name, (_GIVEN, kind) if kind in ("normal", "reject") else (kind,)):
            mask |= 1 << number
        return mask

    def _numbers(self, name: str, ends: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(self.flow.numbers[self._starts[name, end]] for end in ends if (name, end) in self._starts)
