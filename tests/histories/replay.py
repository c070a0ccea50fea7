"""Replays recorded histories on the interpreter as it is; needs no server: ``python -m tests.histories.replay``."""

import asyncio
import sys
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from orchestrator import replaying
from orchestrator.leave import leave

__all__ = ["bound", "file_of", "names", "replay"]

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The recorded histories."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def file_of(name: str) -> Path:
    """Where a history is kept."""
    return FOLDER / f"{name}.json"


def bound() -> dict[str, str]:
    """The histories that have been in a release, and the SHA-256 of each file: they stay as they are."""
    lines = (FOLDER / "bound.sha256").read_text(encoding="utf-8").splitlines()
    return {file.removesuffix(".json"): digest for digest, _, file in (line.partition("  ") for line in lines)}


async def replay(name: str) -> None:
    """Replay one history; raises when the interpreter would now do something else, or fails at a step."""
    history = WorkflowHistory.from_json(name, file_of(name).read_text(encoding="utf-8"))
    await replaying.replay(history, pydantic_data_converter)


async def _replay_all() -> None:
    for name in names():
        await replay(name)
    sys.stdout.write(f"{len(names())} histories replayed\n")


if __name__ == "__main__":
    asyncio.run(_replay_all())
    leave(0)
