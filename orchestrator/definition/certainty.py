"""What is certainly finished before a node starts, and when the run ends."""

from functools import cached_property

from orchestrator.definition.graph import Flow, bits

__all__ = ["Certainty"]


class Certainty:
    """Answers for one graph; all masks are over the flow's numbers.

    Args:
        flow: A graph without forward cycles.
        joins_any: The nodes with ``join: any``.
        cancelling: The nodes with ``cancel_others``.
        aside: The nodes that are no part of the graph.
        leaves: The nodes that only stand for an end of another node to which no way leads.
    """

    def __init__(self, flow: Flow, joins_any: int, cancelling: int, aside: int = 0, leaves: int = 0) -> None:
        self._flow = flow
        self._aside = aside
        self._leaves = leaves
        self._joins_any = joins_any
        self._cancelling = cancelling

    @cached_property
    def _doomed(self) -> dict[int, list[int]]:
        """For each node that others may cancel, those others: all its ways out lead to them, not all theirs from it."""
        doomed: dict[int, list[int]] = {}
        for target in [number for number in self._flow.order if self._cancelling >> number & 1]:
            mask = 1 << target
            for number in reversed(self._flow.order[: self._flow.order.index(target)]):
                targets = [self._flow.ends[index][1] for index in self._flow.outs[number]]
                targets = [other for other in targets if not self._leaves >> other & 1]
                if targets and all(mask >> other & 1 for other in targets):
                    mask |= 1 << number
                    if not self._passed[target] >> number & 1:
                        doomed.setdefault(number, []).append(target)
        return doomed

    @cached_property
    def _passed(self) -> list[int]:
        """For each node, what every way to it passes through."""
        flow, found = self._flow, [0] * len(self._flow.ids)
        for number in flow.order:
            sources = [flow.ends[index][0] for index in flow.ins[number]]
            if sources and not self._entered_aside >> number & 1:
                found[number] = _common([1 << source | found[source] for source in sources])
        return found

    @cached_property
    def _entered_aside(self) -> int:
        """Heads of loops that can be entered past them: a way back may start such a head though no way in was taken."""
        found = 0
        for loop in self._flow.loops:
            inner = loop.body & ~(1 << loop.head)
            ends = (self._flow.ends[index] for number in bits(inner) for index in self._flow.ins[number])
            if any(not loop.body >> source & 1 for source, _ in ends):
                found |= 1 << loop.head
        return found

    @cached_property
    def follows(self) -> tuple[int, ...]:
        """For each node, what certainly finishes sooner or later once it has finished; itself included."""
        found = [0] * len(self._flow.ids)
        for number in reversed(self._flow.order):
            mask = 1 << number
            ways: list[int] = []
            for index in self._flow.outs[number]:
                link, target = self._flow.links[index], self._flow.ends[index][1]
                started = self._if_started(target, found)
                if link.exclusive:
                    ways.append(started)
                elif link.when is None:
                    mask |= started
            if ways:
                common = ways[0]
                for way in ways[1:]:
                    common &= way
                mask |= common
            found[number] = mask
        return tuple(found)

    def _if_started(self, number: int, follows: list[int]) -> int:
        mask = follows[number]
        for target in self._doomed.get(number, ()):
            mask &= follows[target]
        return mask

    @cached_property
    def before(self) -> tuple[int, ...]:
        """For each node, what has certainly finished before it starts for the first time."""
        flow = self._flow
        settled, done = [0] * len(flow.ids), [0] * len(flow.ids)
        for number in flow.order:
            sources = [flow.ends[index][0] for index in flow.ins[number]]
            if not sources:
                continue
            ends = [1 << source | settled[source] for source in sources]
            taken = [1 << source | done[source] for source in sources]
            settled[number] = _common(ends) if self._joins_any >> number & 1 else _union(ends)
            certain = 0 if self._entered_aside >> number & 1 else _common(taken)
            certain |= self.at_the_end & settled[number]
            done[number] = certain | self._closed(certain, settled[number])
        return tuple(done)

    def _closed(self, certain: int, settled: int) -> int:
        """What of the settled nodes must have finished, given that ``certain`` have."""
        if not settled & ~certain:
            return 0
        found, left = 0, certain
        while left:
            found |= self.follows[(left & -left).bit_length() - 1]
            left &= ~found
        return found & settled

    @cached_property
    def at_the_end(self) -> int:
        """What has certainly finished when the run completes."""
        found = 0
        for number in self._flow.order:
            if not self._flow.ins[number] and not self._aside >> number & 1:
                found |= self._if_started(number, list(self.follows))
        return found


def _union(masks: list[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _common(masks: list[int]) -> int:
    found = masks[0]
    for mask in masks[1:]:
        found &= mask
    return found
