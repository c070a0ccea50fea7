"""Where the time of a replay goes: the workflow's own share, function by function."""

import cProfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import CodeType
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
_COLUMNS = ("Function", "Calls a node", "Own µs a node", "With what it calls, µs a node")


class _Profiled(ThreadPoolExecutor):
    """Runs activations one at a time, and notes what they call."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self.profile = cProfile.Profile()

    def submit(self, fn: Callable[Params, Result], /, *args: Params.args, **kwargs: Params.kwargs) -> Future[Result]:
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
    return _table(title, executor.profile, nodes * _ROUNDS)


def _table(title: str, profile: cProfile.Profile, nodes: int) -> Table:
    # With a location for a key, functions of one name stay apart; pstats would add them up.
    found = sorted(profile.getstats(), key=lambda entry: entry.inlinetime, reverse=True)
    total = sum(entry.inlinetime for entry in found)
    table = Table(
        *_COLUMNS, title=f"{title}: {1e6 * total / nodes:,.0f} µs a node in the workflow, with the profiler's own share"
    )
    for entry in found[:_MOST_SHOWN]:
        own, whole = 1e6 * entry.inlinetime / nodes, 1e6 * entry.totaltime / nodes
        table.add_row(_place(entry.code), f"{entry.callcount / nodes:.2f}", f"{own:.1f}", f"{whole:.1f}")
    return table


def _place(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_firstlineno} {code.co_qualname}"
