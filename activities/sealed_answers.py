"""Encrypts answers that are kept, and names them so that nobody can tell by a name what was asked."""

from hashlib import sha256

from orchestrator.encryption import Keys, key_for

__all__ = ["Seal"]

_MARK = b"\0orchestrator answer 1\0"
"""No JSON begins like this."""
_AT_MOST_ID = 64


class Seal:
    """What kept answers are sealed with.

    Args:
        keys: The first one encrypts and names; without any, nothing is encrypted, and a name is a plain hash.
    """

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys

    def name_of(self, question: bytes) -> str:
        """The name of the answer to ``question``: another one under another key."""
        return sha256(question).hexdigest() if self._keys is None else self._keys.first.name_of(question)

    def closed(self, name: str, answer: bytes) -> bytes:
        """``answer`` as it is kept under ``name``, and nowhere else."""
        if self._keys is None:
            return answer
        key = self._keys.first
        head = _head(key.id)
        return head + key.seal(answer, head + name.encode())

    def opened(self, name: str, kept: bytes) -> bytes:
        """What ``closed`` was given.

        Raises:
            SettingsError: Its key is missing.
            ValueError: It was changed, or kept under another name.
        """
        if not kept.startswith(_MARK):
            if self._keys is not None:
                raise ValueError("it is not encrypted")
            return kept
        end = kept.find(b"\0", len(_MARK), len(_MARK) + _AT_MOST_ID + 1)
        head = kept[: end + 1]
        key = key_for(self._keys, head[len(_MARK) : -1].decode(errors="replace"), "An answer that was kept")
        return key.open(kept[len(head) :], head + name.encode())


def _head(key_id: str) -> bytes:
    return _MARK + key_id.encode() + b"\0"
