"""Replays recorded histories on the interpreter as it is; needs no server: ``python -m tests.histories.replay``."""

import asyncio
import sys
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from orchestrator.workflow.interpreter import GraphWorkflow

__all__ = ["file_of", "names", "replay"]

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The recorded histories."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def file_of(name: str) -> Path:
    """Where a history is kept."""
    return FOLDER / f"{name}.json"


async def replay(name: str) -> None:
    """Replay one history; raises when the interpreter would now do something else."""
    replayer = Replayer(
        workflows=[GraphWorkflow],
        data_converter=pydantic_data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    history = WorkflowHistory.from_json(name, file_of(name).read_text(encoding="utf-8"))
    await replayer.replay_workflow(history)


async def _replay_all() -> None:
    for name in names():
        await replay(name)
    sys.stdout.write(f"{len(names())} histories replayed\n")


if __name__ == "__main__":
    asyncio.run(_replay_all())
