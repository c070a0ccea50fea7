"""Starts a program that ends with the process that started it, even when that one is killed.

On Linux a launcher asks the kernel for the signal and then becomes the program, so the process id is the program's own.
Elsewhere there is no such request: the program is stopped in an orderly exit, but outlives a killed parent.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

__all__ = ["command_that_ends_with_us"]

_PR_SET_PDEATHSIG = 1


def command_that_ends_with_us(program: Path, *arguments: str) -> list[str]:
    """The command line that starts ``program`` so that it is told to stop when this process is gone."""
    if sys.platform != "linux":
        return [str(program), *arguments]
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(program), *arguments]


def _become(parent: int, program: str, *arguments: str) -> None:
    """Replaces this process by ``program``, unless ``parent`` is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # The parent may have died before the request was made; then nobody would ever send the signal.
    if os.getppid() != parent:
        sys.exit(1)
    try:
        os.execv(program, [program, *arguments])  # noqa: S606 - becoming the program is the point; no shell is involved
    except OSError as error:
        sys.exit(f"{program} cannot be run: {error.strerror}")


if __name__ == "__main__":
    _become(int(sys.argv[1]), *sys.argv[2:])
