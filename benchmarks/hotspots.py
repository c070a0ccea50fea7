"""Where the time of a replay goes: the workflow's own share, function by function."""

import cProfile
import pstats
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from rich.table import Table
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from benchmarks.handwritten import HANDWRITTEN
from orchestrator.workflow.interpreter import GraphWorkflow

__all__ = ["profile_replay"]

Params = ParamSpec("Params")
Result = TypeVar("Result")

_ROUNDS = 3
_MOST_SHOWN = 40


class _Profiled(ThreadPoolExecutor):
    """Runs activations one at a time, and notes what they call."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self.profile = cProfile.Profile()

    def submit(
        self, fn: Callable[Params, Result], /, *args: Params.args, **kwargs: Params.kwargs
    ) -> Future[Result]:
        return super().submit(lambda: self.profile.runcall(fn, *args, **kwargs))


async def profile_replay(title: str, history: WorkflowHistory, nodes: int) -> Table:
    """Replay ``history`` under the profiler, and list what takes longest.

    Args:
        title: What it is the history of.
        history: A history of ``nodes`` nodes.
        nodes: To give times for one node.
    """
    executor = _Profiled()
    replayer = Replayer(
        workflows=[GraphWorkflow, *HANDWRITTEN],
        workflow_runner=UnsandboxedWorkflowRunner(),
        workflow_task_executor=executor,
        data_converter=pydantic_data_converter,
    )
    await replayer.replay_workflow(history)
    executor.profile.clear()
    for _ in range(_ROUNDS):
        await replayer.replay_workflow(history)
    return _table(title, pstats.Stats(executor.profile), nodes * _ROUNDS)


def _table(title: str, stats: pstats.Stats, nodes: int) -> Table:
    found = stats.get_stats_profile()
    table = Table(
        "Function", "Calls a node", "Own µs a node", "With callees, µs a node",
        title=f"{title}: {1e6 * found.total_tt / nodes:,.0f} µs a node in the workflow, under the profiler",
    )  # fmt: skip
    rows = sorted(stats.stats.items(), key=lambda item: item[1][2], reverse=True)  # pyright: ignore
    for (file, line, name), (_, calls, own, whole, _) in rows[:_MOST_SHOWN]:
        where = f"{'/'.join(Path(file).parts[-2:])}:{line} {name}" if line else name
        table.add_row(where, f"{calls / nodes:.2f}", f"{1e6 * own / nodes:.1f}", f"{1e6 * whole / nodes:.1f}")
    return table
