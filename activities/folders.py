"""Writes files into folders: whole or not at all, and never through a link."""

import errno
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from orchestrator.errors import NodeError, OrchestratorError, ProviderUnavailableError, shortened

__all__ = ["save"]

_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 4_096
_PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE})
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def save(folders: Sequence[Path], path: str, content: bytes, *, create: bool, parents: bool) -> Path:
    """Writes ``content`` to ``path`` within one of ``folders``; gives the whole path. Doing it again changes nothing.

    Args:
        folders: Where files may be; a relative ``path`` begins at the first.
        path: Of the file. No part of it may be a link, also when one is put there meanwhile.
        content: All of it. A reader sees what was there before, or all of this.
        create: A file that is there must have this very content already.
        parents: Makes the folders between that are missing.

    Raises:
        NodeError: The path is not allowed, or the system does not allow it.
        ProviderUnavailableError: The disk is full or unwell.
    """
    folder, parts = _placed(folders, path)
    shown = shortened(path, 200)
    try:
        with _opened(folder, parts[:-1], shown, parents=parents) as within:
            _put(within, parts[-1], content, shown, create=create)
    except OSError as error:
        raise _told(error, shown) from None
    return folder.joinpath(*parts)


def _placed(folders: Sequence[Path], path: str) -> tuple[Path, list[str]]:
    if not folders:
        raise NodeError("no folder is open to SaveToFile; name one in the worker's setting ORCHESTRATOR_FILES_DIRS")
    folder, inside = Path(os.path.abspath(folders[0])), path  # noqa: PTH100 - resolve() would follow links
    if path.startswith("/"):
        roots = sorted((os.path.abspath(each) for each in folders), key=len, reverse=True)  # noqa: PTH100 - as above
        found = next((root for root in roots if path.startswith(f"{root.rstrip('/')}/")), None)
        if found is None:
            raise _refused(path, "is in none of the folders of ORCHESTRATOR_FILES_DIRS")
        folder, inside = Path(found), path[len(found.rstrip("/")) + 1 :]
    parts = inside.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise _refused(path, "has an empty part, `.` or `..` in it; write it as short as it can be")
    try:
        encoded = [os.fsencode(part) for part in parts]
    except UnicodeEncodeError:
        raise _refused(path, "is not text that can be written") from None
    if any(ord(character) < ord(" ") for character in inside):
        raise _refused(path, "has control characters in it")
    if any(len(part) > _LONGEST_NAME for part in encoded) or len(os.fsencode(path)) > _LONGEST_PATH:
        raise _refused(path, f"is too long: {_LONGEST_NAME} bytes for each part, {_LONGEST_PATH} in all")
    return folder, parts


@contextmanager
def _opened(folder: Path, parts: list[str], shown: str, *, parents: bool) -> Generator[int]:
    """The folder that the file goes into. Each part is opened in the one before, so none can be swapped meanwhile."""
    try:
        # Whoever set the folder may have named a link.
        current = os.open(folder, _FOLDER & ~os.O_NOFOLLOW)
    except FileNotFoundError:
        raise NodeError(f"the folder {folder} of ORCHESTRATOR_FILES_DIRS is not there; make it, then retry") from None
    try:
        for part in parts:
            following = _step(current, part, shown, parents=parents)
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def _step(current: int, part: str, shown: str, *, parents: bool) -> int:
    if parents:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=current)
    try:
        return os.open(part, _FOLDER, dir_fd=current)
    except FileNotFoundError:
        raise _refused(shown, f"is in the folder {part!r}, which is not there; `parents: true` makes it") from None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise _refused(shown, f"passes {part!r}, which is a link or a file; only folders may be passed") from None
        raise


def _put(within: int, name: str, content: bytes, shown: str, *, create: bool) -> None:
    found = _kind(within, name, shown)
    if found is not None and _content_is(within, name, content):
        return
    if found is not None and create:
        raise _refused(shown, "is there already, with another content; `mode: replace` replaces it")
    made = f".orchestrator-{token_hex(8)}.tmp"
    mode = 0o666 if found is None else stat.S_IMODE(found.st_mode) & 0o777
    try:
        _write(within, made, content, None if found is None else mode)
        if create:
            _link(within, made, name, content, shown)
        else:
            os.rename(made, name, src_dir_fd=within, dst_dir_fd=within)
        os.fsync(within)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(made, dir_fd=within)


def _link(within: int, made: str, name: str, content: bytes, shown: str) -> None:
    """Unlike a rename, a link never takes the place of a file that came meanwhile."""
    try:
        os.link(made, name, src_dir_fd=within, dst_dir_fd=within, follow_symlinks=False)
    except FileExistsError:
        _kind(within, name, shown)
        if not _content_is(within, name, content):
            raise _refused(shown, "is there already, with another content; `mode: replace` replaces it") from None


def _kind(within: int, name: str, shown: str) -> os.stat_result | None:
    try:
        found = os.stat(name, dir_fd=within, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise _refused(shown, "is a folder, a link or something else that is no plain file")
    return found


def _content_is(within: int, name: str, content: bytes) -> bool:
    # Not blocking, since a pipe may have been put there meanwhile.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(name, flags, dir_fd=within), "rb") as file:
            status = os.fstat(file.fileno())
            same = stat.S_ISREG(status.st_mode) and status.st_size == len(content)
            return same and file.read(len(content) + 1) == content
    except (FileNotFoundError, PermissionError):
        return False


def _write(within: int, name: str, content: bytes, mode: int | None) -> None:
    with os.fdopen(os.open(name, _NEW, 0o666, dir_fd=within), "wb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _refused(path: str, why: str) -> NodeError:
    return NodeError(f"the path {shortened(path, 200)!r} {why}")


def _told(error: OSError, shown: str) -> OrchestratorError:
    reason = error.strerror or type(error).__name__
    if error.errno in _PASSING:
        return ProviderUnavailableError(f"the file {shown!r} cannot be written: {reason}")
    return NodeError(f"the file {shown!r} cannot be written: {reason}")
