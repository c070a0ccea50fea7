"""Keeps a file to one process at a time."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import SettingsError

__all__ = ["only_user_of"]


@contextmanager
def only_user_of(file: Path) -> Generator[None]:
    """Keeps ``file`` for this process until the context is left or the process ends, however it ends.

    The lock is on ``<file>.lock``, which stays: removing it would let two processes lock two files of that name.

    Raises:
        SettingsError: Another process has ``file``, or the lock file cannot be opened.
    """
    file = file.resolve()
    try:
        held = file.with_name(f"{file.name}.lock").open("a")
    except OSError as error:
        raise SettingsError(f"The lock file {file}.lock cannot be opened: {error.strerror}.") from error
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"Another development server uses the file {file}. Stop it, or name another file with `--db`."
            ) from error
        yield
