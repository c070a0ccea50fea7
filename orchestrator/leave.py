"""Ends a process of ours with the exit code that was meant.

The native threads of Temporal's SDK cannot be joined (temporalio/sdk-python issue 300). One may still be handing a
result over while the interpreter is taken down, which then aborts: one short program in five ended with code 134. So
the interpreter is not taken down at all.
"""

import logging
import os
import sys
from typing import NoReturn

__all__ = ["leave"]


def leave(code: int) -> NoReturn:
    """Ends this process with exit code ``code``, everything it wrote flushed. No ``atexit`` function is called."""
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
