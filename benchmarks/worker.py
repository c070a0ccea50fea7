"""The worker under measurement, in a process of its own: the production one, with hand-written workflows beside ours.

It answers each line on its input with the CPU seconds it has used so far, once it has come to rest. The word
``collect`` has it collect garbage first. It stops when its input ends. Nothing but answers is on its output.
"""

import asyncio
import gc
import os
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from temporalio.client import Client
from temporalio.plugin import SimplePlugin

from benchmarks.fibonacci import Fibonacci
from benchmarks.handwritten import HANDWRITTEN
from orchestrator.connect import connect_to
from orchestrator.models import SIMULATED
from orchestrator.settings import load_settings
from worker import build_worker, open_dependencies

__all__ = ["READY", "main"]

READY = "ready"
_BETWEEN_LOOKS_S = 0.02
_AT_REST_S = 0.001
_MOST_LOOKS = 50


async def _client(address: str) -> Client:
    config = (await connect_to(address)).config()
    # A worker plugin of the client adds to what build_worker registers, which therefore stays as it is in production.
    config["plugins"] = [SimplePlugin("handwritten", workflows=HANDWRITTEN)]
    return Client(**config)


def _answers() -> TextIO:
    """What was the output. Temporal's native part logs to the output too; from now on that goes with the errors."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


async def _cpu_at_rest() -> float:
    """CPU seconds of this process, user and system, all threads, once it does next to nothing any more."""
    used = time.process_time()
    for _ in range(_MOST_LOOKS):
        await asyncio.sleep(_BETWEEN_LOOKS_S)
        before, used = used, time.process_time()
        if used - before < _AT_REST_S:
            break
    return used


async def main(address: str, task_queue: str, definitions: str) -> None:
    """Work on ``task_queue`` of the server at ``address`` until the input ends."""
    settings = load_settings(
        _env_file=None, task_queue=task_queue, definitions_dir=Path(definitions), graceful_shutdown_timeout=0
    )
    answers = _answers()
    client = await _client(address)
    async with AsyncExitStack() as parts:
        opened = await parts.enter_async_context(open_dependencies(settings))
        chat = {**opened.chat, SIMULATED: Fibonacci(opened.chat[SIMULATED])}
        await parts.enter_async_context(build_worker(client, settings, dependencies=replace(opened, chat=chat)))
        print(READY, file=answers, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip() == "collect":
                gc.collect()
            print(await _cpu_at_rest(), file=answers, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
