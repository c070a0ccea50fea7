"""Shows how far a measurement is: in place on a terminal, else as a line now and then."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console

__all__ = ["progress"]

_BETWEEN_LINES_S = 15.0


@contextmanager
def progress() -> Generator[Callable[[str], None]]:
    """What to tell how far it is; it goes to the error output."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("starting") as status:
            yield status.update
        return
    last = -_BETWEEN_LINES_S

    def tell(what: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _BETWEEN_LINES_S:
            last = time.monotonic()
            console.print(what, highlight=False, soft_wrap=True)

    yield tell
