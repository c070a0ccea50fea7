"""The shape of flow that other engines publish figures of: light, long and many light tasks, one after the other.

A task computes a Fibonacci number the naive way: of 10 in a light one, of 33 in a long one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from benchmarks.figures import Figure, timed
from benchmarks.graphs import flow
from benchmarks.handwritten import HandwrittenFlow
from benchmarks.lab import Lab

__all__ = ["FLOW_DEFINITIONS", "flows"]


@dataclass(frozen=True, slots=True)
class _Flow:
    what: str
    tasks: int
    number: int

    @property
    def name(self) -> str:
        return f"flow-{self.number}-{self.tasks}"


_FLOWS = (_Flow("light", 40, 10), _Flow("long", 10, 33), _Flow("light", 400, 10))
FLOW_DEFINITIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {kind.name: flow(kind.name, kind.tasks, kind.number) for kind in _FLOWS}
)
"""What the measure runs, by name."""


async def flows(lab: Lab) -> list[Figure]:
    """The time of each whole flow."""
    return [await _figure(lab, kind) for kind in _FLOWS]


async def _figure(lab: Lab, kind: _Flow) -> Figure:
    what = f"flow of {kind.tasks} {kind.what} tasks, Fibonacci of {kind.number} each"
    pairs = await lab.compare(
        what, lambda: lab.ours(kind.name), lambda: lab.by_hand(HandwrittenFlow, kind.tasks, kind.number)
    )
    return timed("flows", what, pairs, 1, unit="s")
