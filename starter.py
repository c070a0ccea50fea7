"""The command line: ``python starter.py …`` and the installed ``orchestrator …`` are the same."""

import os
import signal

if os.getpid() == 1:
    # The first process of a container: without a handler the system ignores what stops any other, and what follows is
    # a second of imports. Commands that end in an orderly way install their own.
    signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))

from orchestrator.cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
