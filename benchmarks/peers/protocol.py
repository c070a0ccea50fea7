"""What a peer's process says: ``ready`` and its version, then for each line on its input the seconds a chain took."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TextIO

__all__ = ["READY", "answers", "serve", "step"]

READY = "ready"


def step(value: dict[str, int]) -> dict[str, int]:
    """What a node does here, as the quick node of our chain does: picks a field of what the one before it gave."""
    return {name: value[name] for name in ("n",)}


def answers() -> TextIO:
    """What was the output. Whatever an engine prints of its own goes with the errors from now on."""
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return told


async def serve(told: TextIO, run: Callable[[], Awaitable[dict[str, int]]], about: str) -> None:
    """Run a chain for each line on the input, until it ends.

    Raises:
        RuntimeError: A chain came to another end.
    """
    print(f"{READY} {about}", file=told, flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        begun = time.perf_counter()
        result = await run()
        took = time.perf_counter() - begun
        if result != {"n": 1}:
            raise RuntimeError(f"the chain gave {result}")
        print(took, file=told, flush=True)
