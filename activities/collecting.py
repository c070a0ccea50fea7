"""Keeps Python's garbage collector from going through a large value again and again while it is being made."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Generator[None]:
    """No garbage is looked for while the block runs: reading 60 MB of JSON takes a quarter of the time.

    Blocks may overlap in several threads: the one that turned the collector off turns it on again.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
