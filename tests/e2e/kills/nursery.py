"""Started as a program: loads the worker once, then forks a worker process for each line it reads.

A kill test needs hundreds of workers, and loading one takes a second. Nothing of the SDK's native part runs before the
fork, so each child is what ``python worker.py`` is after its imports: a process of its own, killed by its own id.

Reads lines of JSON ``{"folder", "environment", "log"}`` and writes ``started PID`` and ``ended PID STATUS``. When its
input ends it kills whom it has started, and ends.
"""

import contextlib
import gc
import json
import os
import select
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import worker
from orchestrator.leave import leave


def main() -> None:
    """Fork until nobody is there to ask for more."""
    # Otherwise the first collection in a child touches, and so copies, every page that it shares with us.
    gc.freeze()
    alive: set[int] = set()
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, _wake)
    rest = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _bury(alive)
        if 0 in ready:
            chunk = os.read(0, 65_536)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                alive.add(_fork(json.loads(line), (woken, waker)))
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Nothing: that there is a handler wakes the loop."""


def _fork(order: dict[str, Any], ours: tuple[int, int]) -> int:
    pid = os.fork()
    if not pid:
        _become_a_worker(order, ours)
    _say(f"started {pid}")
    return pid


def _become_a_worker(order: dict[str, Any], theirs: tuple[int, int]) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in theirs:
        os.close(descriptor)
    with Path(os.devnull).open("rb") as nothing, Path(order["log"]).open("ab") as log:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(order["folder"])
    os.environ.update(order["environment"])
    leave(worker.main())


def _bury(alive: set[int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            alive.discard(pid)
            _say(f"ended {pid} {os.waitstatus_to_exitcode(status)}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
