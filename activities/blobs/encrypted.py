"""Blobs that are encrypted before they leave the worker; the same content gives the same blob, as without."""

import asyncio

from activities.blobs.base import BlobStore
from orchestrator.encryption import Keys, key_for
from orchestrator.errors import NodeError, SettingsError

__all__ = ["EncryptedBlobs", "opened", "sealed"]

_MARK = b"\0orchestrator blob 1\0"
"""No JSON text begins like this, so what is not encrypted is told apart from what is."""
_AT_MOST_ID = 64


class EncryptedBlobs:
    """A blob store that encrypts, before another one that keeps. A key is the hash of what is kept: it tells nothing.

    Args:
        inner: Keeps what is encrypted.
        keys: Without any, nothing is encrypted, and what is encrypted cannot be read.
    """

    def __init__(self, inner: BlobStore, keys: Keys | None) -> None:
        self._inner = inner
        self._keys = keys

    async def put(self, content: bytes) -> str:
        """See ``BlobStore``."""
        if self._keys is None:
            return await self._inner.put(content)
        return await self._inner.put(await asyncio.to_thread(sealed, content, self._keys))

    async def get(self, key: str) -> bytes:
        """See ``BlobStore``; a blob that was kept before encryption was switched on is given as it is.

        Raises:
            NodeError: It is encrypted with a key that this worker does not have.
        """
        content = await self._inner.get(key)
        if not content.startswith(_MARK):
            return content
        return await asyncio.to_thread(_opened, key, content, self._keys)


def sealed(content: bytes, keys: Keys) -> bytes:
    """``content``, encrypted with the first of ``keys``; the same content gives the same bytes."""
    head = _MARK + keys.first.id.encode() + b"\0"
    return head + keys.first.seal_steadily(content, head)


def opened(content: bytes, keys: Keys | None, what: str) -> bytes:
    """What ``sealed`` was given; content that is not encrypted is given as it is.

    Raises:
        SettingsError: It is encrypted with a key that is not among ``keys``; the message begins with ``what``.
        ValueError: It was changed, or damaged.
    """
    if not content.startswith(_MARK):
        return content
    end = content.find(b"\0", len(_MARK), len(_MARK) + _AT_MOST_ID + 1)
    head = content[: end + 1]
    name = head[len(_MARK) : -1].decode(errors="replace")
    return key_for(keys, name, what).open_steady(content[len(head) :], head)


def _opened(key: str, content: bytes, keys: Keys | None) -> bytes:
    try:
        return opened(content, keys, f"Blob {key}")
    except SettingsError as error:
        raise NodeError(error.message, details={**error.details, "blob": key}) from None
    except ValueError as error:
        raise NodeError(f"blob {key} cannot be decrypted: {error}", details={"blob": key}) from None
