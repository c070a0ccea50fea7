"""What an item of a ForEach and a visit of a loop take: time, events and bytes, beside the same by hand."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from temporalio.client import WorkflowHandle

from benchmarks.figures import Figure, growth, timed
from benchmarks.graphs import for_each, quick_loop, work_loop
from benchmarks.handwritten import HandwrittenEach, HandwrittenLoop, HandwrittenQuickLoop
from benchmarks.lab import Lab

__all__ = ["ITEM_DEFINITIONS", "REPEATED", "Repeated", "items"]

_FEW, _MANY, _CONCURRENCY = 50, 250, 10
_MEASURE = "items"
Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True, slots=True)
class Repeated:
    """Something that is repeated: its definitions begin with ``name``."""

    name: str
    what: str
    by_hand: type
    number: int = 0

    def definition(self, size: int) -> dict[str, Any]:
        name = f"{self.name}-{size}"
        if self.name == "each":
            return for_each(name, size, self.number)
        return (work_loop if self.name == "loop" else quick_loop)(name, size)

    def ours(self, lab: Lab, size: int) -> Awaitable[Handle]:
        inputs = {"items": list(range(size))} if self.name == "each" else None
        return lab.ours(f"{self.name}-{size}", inputs)

    def handwritten(self, lab: Lab, size: int) -> Awaitable[Handle]:
        return lab.by_hand(self.by_hand, size, self.number)


REPEATED = (
    Repeated("each", f"ForEach of {_MANY} items at concurrency {_CONCURRENCY}", HandwrittenEach, _CONCURRENCY),
    Repeated("loop", f"loop of {_MANY} visits of a work node", HandwrittenLoop),
    Repeated("quickloop", f"loop of {_MANY} visits of a quick node", HandwrittenQuickLoop),
)
ITEM_DEFINITIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {f"{part.name}-{size}": part.definition(size) for part in REPEATED for size in (_FEW, _MANY)}
)
"""What the measure runs, by name."""


async def items(lab: Lab) -> list[Figure]:
    """The figures of all of them."""
    return [figure for part in REPEATED for figure in await _figures(lab, part)]


async def _figures(lab: Lab, part: Repeated) -> list[Figure]:
    pairs = await lab.compare(part.what, lambda: part.ours(lab, _MANY), lambda: part.handwritten(lab, _MANY))
    events, bytes_ = await _added(lambda size: part.ours(lab, size))
    events_by_hand, bytes_by_hand = await _added(lambda size: part.handwritten(lab, size))
    return [
        timed(_MEASURE, f"{part.what}: time an item", pairs, _MANY),
        Figure(
            measure=_MEASURE,
            what=f"{part.what}: history events that an item adds",
            unit="events",
            samples=events,
            by_hand=events_by_hand[0],
            note=f"between {_FEW} and {_MANY} of them",
        ),
        Figure(
            measure=_MEASURE,
            what=f"{part.what}: history bytes that an item adds",
            unit="bytes",
            samples=bytes_,
            by_hand=bytes_by_hand[0],
            digits=0,
        ),
    ]


async def _added(run: Callable[[int], Awaitable[Handle]]) -> list[tuple[float, ...]]:
    """Events and bytes that an item adds to a history."""
    sizes = _FEW, _MANY
    grown: list[tuple[int, int]] = []
    for size in sizes:
        info = (await (await run(size)).describe()).raw_description.workflow_execution_info
        grown.append((info.history_length, info.history_size_bytes))
    return [growth(sizes, column) for column in zip(*grown, strict=True)]
