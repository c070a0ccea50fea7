"""Blobs as files in a folder; to serve several workers it must be on storage that all of them share."""

import asyncio
import os
from pathlib import Path

from activities.blobs.base import checked, key_of, missing, verified
from activities.whole_files import write_whole
from orchestrator.errors import ProviderUnavailableError

__all__ = ["FolderBlobs"]

_LEVEL = 2
"""Characters of the key that name a folder, on each of two levels."""


class FolderBlobs:
    """A blob store in the folder ``root``, made when the first blob is kept. Only its owner can read what is there."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, content: bytes) -> str:
        """See ``BlobStore``. A blob that is there already counts as new from now on."""
        return await asyncio.to_thread(self._put, content)

    async def get(self, key: str) -> bytes:
        """See ``BlobStore``."""
        return await asyncio.to_thread(self._get, checked(key))

    def _put(self, content: bytes) -> str:
        key = key_of(content)
        try:
            if not self._is_there(key, len(content)):
                write_whole(self._path(key), content)
        except OSError as error:
            raise _unavailable("written", error) from error
        return key

    def _get(self, key: str) -> bytes:
        try:
            content = self._path(key).read_bytes()
        except FileNotFoundError:
            raise missing(key) from None
        except OSError as error:
            raise _unavailable("read", error) from error
        return verified(key, content)

    def _path(self, key: str) -> Path:
        return self._root / key[:_LEVEL] / key[_LEVEL : 2 * _LEVEL] / key

    def _is_there(self, key: str, size: int) -> bool:
        path = self._path(key)
        try:
            if path.stat().st_size != size:
                return False
            os.utime(path)  # its age says when a run last stored it, so that cleaning up by age spares it
        except FileNotFoundError:
            return False
        return True


def _unavailable(what: str, error: OSError) -> ProviderUnavailableError:
    reason = error.strerror or type(error).__name__
    return ProviderUnavailableError(
        f"blob storage cannot be {what} ({reason}); check the folder that ORCHESTRATOR_BLOB_DIR names"
    )
