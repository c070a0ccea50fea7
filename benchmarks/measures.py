"""What the engine costs: each measure does its work in the laboratory and gives figures."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from benchmarks.figures import Figure, Pair, Sample, flatness, growth, ratios
from benchmarks.graphs import conditional_chain, parallel, quick_chain, work_chain
from benchmarks.handwritten import HANDWRITTEN, HandwrittenChain, HandwrittenParallel, HandwrittenQuickChain
from benchmarks.lab import Lab
from orchestrator.workflow.interpreter import GraphWorkflow

__all__ = ["CORE", "CORE_DEFINITIONS", "REPLAYED", "Measure", "histories"]

SIZES = (10, 50, 100, 500)
CHAIN, WIDTH, RUNS, RUN_LENGTH, REPLAYED = 100, 200, 200, 3, 500
_WALL, _CPU, _REPLAY, _FLAT = 1.15, 1.3, 1.3, 1.1

CORE_DEFINITIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {f"work-{size}": work_chain(f"work-{size}", size) for size in (RUN_LENGTH, *SIZES)}
    | {f"quick-{size}": quick_chain(f"quick-{size}", size) for size in SIZES}
    | {f"parallel-{WIDTH}": parallel(f"parallel-{WIDTH}", WIDTH)}
    | {f"conditional-{CHAIN}": conditional_chain(f"conditional-{CHAIN}", CHAIN)}
)
"""Everything the measures run, by name."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that can be measured, in words, and how."""

    about: str
    take: Callable[[Lab], Awaitable[list[Figure]]]


async def _chain(lab: Lab) -> list[Figure]:
    pairs = await lab.compare("chain", lambda: lab.ours(f"work-{CHAIN}"), lambda: lab.by_hand(HandwrittenChain, CHAIN))
    return _compared("chain", f"chain of {CHAIN} work nodes", pairs, CHAIN, "a node")


async def _parallel(lab: Lab) -> list[Figure]:
    pairs = await lab.compare(
        "parallel", lambda: lab.ours(f"parallel-{WIDTH}"), lambda: lab.by_hand(HandwrittenParallel, WIDTH)
    )
    return _compared("parallel", f"{WIDTH} parallel work nodes", pairs, 1, "together")


async def _runs(lab: Lab) -> list[Figure]:
    pairs = await lab.compare(
        "runs",
        lambda: asyncio.gather(*(lab.ours(f"work-{RUN_LENGTH}") for _ in range(RUNS))),
        lambda: asyncio.gather(*(lab.by_hand(HandwrittenChain, RUN_LENGTH) for _ in range(RUNS))),
    )
    return _compared("runs", f"{RUNS} concurrent runs of {RUN_LENGTH} work nodes", pairs, RUNS, "a run")


async def _quick(lab: Lab) -> list[Figure]:
    def by_hand() -> Awaitable[WorkflowHandle[Any, Any]]:
        return lab.by_hand(HandwrittenQuickChain, CHAIN)

    plain = await lab.compare("quick", lambda: lab.ours(f"quick-{CHAIN}"), by_hand)
    conditional = await lab.compare("quick, conditions", lambda: lab.ours(f"conditional-{CHAIN}"), by_hand)
    what = f"chain of {CHAIN} quick nodes"
    return [
        _per_node(f"{what}: time a node", plain, 2.0),
        _per_node(f"{what}, a condition on each edge: time a node", conditional, 2.5),
    ]


async def _history(lab: Lab) -> list[Figure]:
    return [
        *await _grown(lab, "work", HandwrittenChain, 6.0),
        *await _grown(lab, "quick", HandwrittenQuickChain, 1.2),
    ]


async def _replay(lab: Lab) -> list[Figure]:
    ours, by_hand = await histories(lab)
    await _replayed(ours)
    await _replayed(by_hand)
    pairs: list[Pair] = []
    for number in range(lab.pairs):
        lab.told(f"replay: pair {number + 1} of {lab.pairs}")
        pairs.append(Pair(ours=await _replayed(ours), by_hand=await _replayed(by_hand)))
    events = f"for {len(ours.events):,} and {len(by_hand.events):,} events"
    return _compared("replay", f"replay of {REPLAYED} work nodes", pairs, 1, events, _REPLAY)


CORE: Mapping[str, Measure] = MappingProxyType(
    {
        "chain": Measure("work nodes one after the other", _chain),
        "parallel": Measure("work nodes side by side", _parallel),
        "runs": Measure("many short runs at once", _runs),
        "quick": Measure("quick nodes one after the other, without and with conditions", _quick),
        "history": Measure("events and bytes of history per node", _history),
        "replay": Measure("replay of a long history", _replay),
    }
)
"""Measures of the engine beside workflows written by hand, by the names that ``--only`` takes."""


async def histories(lab: Lab) -> tuple[WorkflowHistory, WorkflowHistory]:
    """The history of a long chain of work nodes: ours, and by hand."""
    lab.told(f"recording runs of {REPLAYED} nodes")
    ours = await lab.ours(f"work-{REPLAYED}")
    by_hand = await lab.by_hand(HandwrittenChain, REPLAYED)
    return await ours.fetch_history(), await by_hand.fetch_history()


async def _replayed(history: WorkflowHistory) -> Sample:
    replayer = Replayer(
        workflows=[GraphWorkflow, *HANDWRITTEN],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    await replayer.replay_workflow(history)
    return Sample(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


async def _grown(lab: Lab, tier: str, kind: type, most_events: float) -> list[Figure]:
    ours: list[tuple[int, int]] = []
    by_hand: list[tuple[int, int]] = []
    for size in SIZES:
        lab.told(f"history: {size} {tier} nodes")
        ours.append(await _measured(await lab.ours(f"{tier}-{size}")))
        by_hand.append(await _measured(await lab.by_hand(kind, size)))
    events, bytes_ = (growth(SIZES, column) for column in zip(*ours, strict=True))
    events_by_hand, bytes_by_hand = (growth(SIZES, column) for column in zip(*by_hand, strict=True))
    totals = ", ".join(f"{total / size:,.0f} at {size}" for size, (_, total) in zip(SIZES, ours, strict=True))
    return [
        Figure(
            measure="history",
            what=f"history events that a {tier} node adds",
            unit="events",
            samples=events,
            target=most_events,
            by_hand=median(events_by_hand),
            note=f"{ours[2][0]} in all for {SIZES[2]} nodes",
        ),
        Figure(
            measure="history",
            what=f"history bytes that a {tier} node adds",
            unit="bytes",
            samples=bytes_,
            by_hand=median(bytes_by_hand),
            note=f"whole history by nodes: {totals}",
            digits=0,
        ),
        Figure(
            measure="history",
            what=f"history bytes that a {tier} node adds: most to least, {SIZES[0]} to {SIZES[-1]} nodes",
            unit="ratio",
            samples=(flatness(bytes_),),
            target=_FLAT,
            by_hand=flatness(bytes_by_hand),
        ),
    ]


async def _measured(handle: WorkflowHandle[Any, Any]) -> tuple[int, int]:
    info = (await handle.describe()).raw_description.workflow_execution_info
    return info.history_length, info.history_size_bytes


def _compared(
    measure: str, what: str, pairs: Sequence[Pair], parts: int, each: str, most_wall: float = _WALL
) -> list[Figure]:
    return [
        Figure(
            measure=measure,
            what=f"{what}: wall time",
            unit="ratio",
            samples=ratios(pairs, "wall"),
            target=most_wall,
            note=_against(pairs, "wall", parts, each),
        ),
        Figure(
            measure=measure,
            what=f"{what}: CPU of the process",
            unit="ratio",
            samples=ratios(pairs, "cpu"),
            target=_CPU,
            note=_against(pairs, "cpu", parts, each),
        ),
    ]


def _per_node(what: str, pairs: Sequence[Pair], target: float) -> Figure:
    return Figure(
        measure="quick",
        what=what,
        unit="ms",
        samples=tuple(1000 * pair.ours.wall / CHAIN for pair in pairs),
        target=target,
        by_hand=median(1000 * pair.by_hand.wall / CHAIN for pair in pairs),
        note=f"CPU of the worker: {_against(pairs, 'cpu', CHAIN, 'a node')}",
    )


def _against(pairs: Sequence[Pair], kind: str, parts: int, each: str) -> str:
    ours = 1000 * median(getattr(pair.ours, kind) for pair in pairs) / parts
    by_hand = 1000 * median(getattr(pair.by_hand, kind) for pair in pairs) / parts
    return f"{ours:,.1f} ms {each}, by hand {by_hand:,.1f}"
