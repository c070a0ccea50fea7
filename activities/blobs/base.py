"""What a blob store is, and what all of them have in common: a blob's key is the hash of its content."""

from hashlib import sha256
from typing import Protocol

from orchestrator.errors import NodeError, ProviderUnavailableError
from orchestrator.graph.blobs import is_blob_key

__all__ = ["BlobStore", "checked", "key_of", "missing", "verified"]


class BlobStore(Protocol):
    """Keeps JSON texts under keys that follow from their content, so that keeping one twice changes nothing.

    Used from many tasks at once, and by many workers on the same storage.
    """

    async def put(self, content: bytes) -> str:
        """Keep ``content``; when it returns, a reader anywhere finds all of it, and nobody ever finds a part.

        Returns:
            Its key: ``<SHA-256>.json``.

        Raises:
            ProviderUnavailableError: It cannot be kept now.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The content of the blob ``key``.

        Raises:
            ProviderUnavailableError: It is not there (on shared storage: not yet), or cannot be read now.
            NodeError: What is there is not what was kept, or ``key`` is no key.
        """
        ...


def key_of(content: bytes) -> str:
    """The key of ``content``."""
    return f"{sha256(content).hexdigest()}.json"


def verified(key: str, content: bytes) -> bytes:
    """``content``, when it is what was kept under ``key``.

    Raises:
        NodeError: It is not.
    """
    if key_of(content) != key:
        raise NodeError(
            f"the content of blob {key} is not what was stored: it has been changed or damaged; restore it from a "
            "backup, or run the node that made it again",
            details={"blob": key},
        )
    return content


def checked(key: str) -> str:
    """``key``, when it is one.

    Raises:
        NodeError: It is not; so it names no file either.
    """
    if not is_blob_key(key):
        raise NodeError(f"{key[:100]!r} is not the key of a blob")
    return key


def missing(key: str) -> ProviderUnavailableError:
    """The error of a blob that is not there."""
    return ProviderUnavailableError(
        f"blob {key} is not in blob storage: every worker must use the same storage, and nothing that a run still "
        "needs may be deleted from it",
        details={"blob": key},
    )
