"""The shape of a definition: order, loops, what leads where. Sets of nodes are int bitmasks: fast at 2,000 nodes."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from orchestrator.graph.plan import EdgeKind, Path

__all__ = ["Flow", "Link", "Loop", "bits"]


@dataclass(frozen=True, slots=True)
class Link:
    """A way from one node to another: an edge, or a way that a node's config declares (``exclusive``).

    ``path`` is where it stands in the definition. A ``kind`` that is not normal makes it a way aside: it is open only
    when a visit of the node ended so, and the node's other ways are closed then.
    """

    source: str
    target: str
    when: str | None
    max_visits: int | None
    exclusive: bool
    path: Path
    kind: EdgeKind = "normal"

    @property
    def ends(self) -> tuple[str, str]:
        """Where it comes from, and where it leads."""
        return self.source, self.target


@dataclass(frozen=True, slots=True)
class Loop:
    """Loops with the same head, merged. ``back`` are indexes of links; ``body`` a mask that has the head in it."""

    head: int
    back: tuple[int, ...]
    natural: int
    body: int


def bits(mask: int) -> Iterator[int]:
    """The numbers in a mask, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Flow:
    """A graph by number; numbers follow the author's order.

    Args:
        ids: Node ids, each once.
        links: Ways between them; both ends must be among ``ids``.
    """

    def __init__(self, ids: Sequence[str], links: Sequence[Link]) -> None:
        self.ids = tuple(ids)
        self.links = tuple(links)
        self.numbers = {name: number for number, name in enumerate(self.ids)}
        self.ends = tuple((self.numbers[link.source], self.numbers[link.target]) for link in links)
        self.outs: list[list[int]] = [[] for _ in self.ids]
        self.ins: list[list[int]] = [[] for _ in self.ids]
        self._predecessors = [0] * len(self.ids)
        for index, (source, target) in enumerate(self.ends):
            self._predecessors[target] |= 1 << source
            if links[index].max_visits is None:
                self.outs[source].append(index)
                self.ins[target].append(index)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Topological order of the forward links; the author's among what is ready. Short when there is a cycle."""
        waiting = [len(links) for links in self.ins]
        ready = [number for number, count in enumerate(waiting) if count == 0]
        done: list[int] = []
        while ready:
            number = heapq.heappop(ready)
            done.append(number)
            for index in self.outs[number]:
                target = self.ends[index][1]
                waiting[target] -= 1
                if waiting[target] == 0:
                    heapq.heappush(ready, target)
        return tuple(done)

    @property
    def acyclic(self) -> bool:
        """Whether the forward links close no cycle."""
        return len(self.order) == len(self.ids)

    def cycle(self) -> tuple[int, ...]:
        """The links of one cycle of forward links, in order; empty when there is none."""
        left = set(range(len(self.ids))) - set(self.order)
        if not left:
            return ()
        number, seen, trail = min(left), dict[int, int](), list[int]()
        while number not in seen:
            seen[number] = len(trail)
            index = next(i for i in self.ins[number] if self.ends[i][0] in left)
            trail.append(index)
            number = self.ends[index][0]
        return tuple(reversed(trail[seen[number] :]))

    @cached_property
    def reach(self) -> tuple[int, ...]:
        """For each node, itself and all that forward links lead to from it."""
        found = [0] * len(self.ids)
        for number in reversed(self.order):
            mask = 1 << number
            for index in self.outs[number]:
                mask |= found[self.ends[index][1]]
            found[number] = mask
        return tuple(found)

    def closes_loop(self, index: int) -> bool:
        """Whether the target of a link leads to its source."""
        source, target = self.ends[index]
        return bool(self.reach[target] >> source & 1)

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The loops, outer before inner."""
        back: dict[int, list[int]] = {}
        for index, link in enumerate(self.links):
            if link.max_visits is not None and self.closes_loop(index):
                back.setdefault(self.ends[index][1], []).append(index)
        natural = {head: self._natural(head, indexes) for head, indexes in back.items()}
        after = self._after(back, natural)
        loops = [
            Loop(head, tuple(indexes), natural[head], self._extended(head, natural[head], after[head]))
            for head, indexes in back.items()
        ]
        return tuple(sorted(loops, key=lambda loop: -loop.body.bit_count()))

    def _natural(self, head: int, back: list[int]) -> int:
        """The head, and all it leads to that leads to a latch without passing the head again."""
        inside, body = self.reach[head], 1 << head
        todo = [self.ends[index][0] for index in back]
        while todo:
            number = todo.pop()
            if body >> number & 1:
                continue
            body |= 1 << number
            todo.extend(bits(self._predecessors[number] & inside & ~body))
        return body

    def _after(self, back: dict[int, list[int]], natural: dict[int, int]) -> dict[int, int]:
        """For each head, what the latches of its loop and of the loops around it lead to."""
        heads = 0
        for head in back:
            heads |= 1 << head
        after = dict.fromkeys(back, 0)
        for outer, indexes in back.items():
            led = 0
            for index in indexes:
                led |= self.reach[self.ends[index][0]]
            for head in bits(natural[outer] & heads):
                after[head] |= led
        return after

    def _extended(self, head: int, body: int, after: int) -> int:
        """The body with its side branches: what only the body leads to, and no latch, so that it is of one visit."""
        if not self.reach[head] & ~(body | after):
            return body
        for number in self.order:
            if (body | after) >> number & 1 or not self.ins[number]:
                continue
            if all(body >> self.ends[index][0] & 1 for index in self.ins[number]):
                body |= 1 << number
        return body
