"""Writes files that are there whole or not at all, for their owner only, and outlive a power cut."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["write_whole"]

_OWNER_ONLY = 0o700


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` into the file ``path``, in place of what is there. Folders on the way are made. It blocks.

    Files are for their owner only (``0600``), and so are the folders that are made (``0700``).

    Raises:
        OSError: It cannot be written; what was there before is as it was.
    """
    _make(path.parent)
    # mkstemp lets only the owner read and write.
    number, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _settle(path.parent)


def _make(folder: Path) -> None:
    """Make a folder and those above it, each for its owner only, and have their names outlive a power cut."""
    if folder.is_dir():
        return
    _make(folder.parent)
    with suppress(FileExistsError):  # another worker was quicker
        folder.mkdir(mode=_OWNER_ONLY)
    _settle(folder.parent)


def _settle(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
