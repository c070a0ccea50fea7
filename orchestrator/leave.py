"""Ends a process of ours with the exit code that was meant.

The native threads of Temporal's SDK cannot be joined (temporalio/sdk-python issue 300). One may still be handing a
result over while the interpreter is taken down, which then aborts: one short program in five ended with code 134. So
the interpreter is not taken down at all.
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn

__all__ = ["before_leaving", "leave"]

_last_acts: list[Callable[[], object]] = []


def before_leaving(act: Callable[[], object]) -> None:
    """Have ``act`` done when this process leaves: ``atexit`` does not see that."""
    _last_acts.append(act)


def leave(code: int) -> NoReturn:
    """Ends this process with exit code ``code``, everything it wrote flushed. No ``atexit`` function is called.

    What ``before_leaving`` was told is done first.
    """
    for act in _last_acts:
        try:
            act()
        except Exception:
            logging.getLogger(__name__).exception("something could not be finished before leaving")
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # started with this stream closed
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            # Whoever read our output is gone; what was meant for them has no other place.
            continue
    os._exit(code)
