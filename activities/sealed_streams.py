"""Encrypts what models write before it goes into the log, and decrypts it for whoever reads along."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from orchestrator.encryption import Keys, key_for
from orchestrator.errors import SettingsError
from storage.streams import Delta, Piece, Record, StreamKey, TokenLog, storable

__all__ = ["SealedLog"]

_MARK = "\ufdd0"
"""No character, by Unicode's own word: what is encrypted begins with it, and nothing else has it."""


class SealedLog:
    """A ``TokenLog`` whose text is encrypted. Nodes, places and lengths are not: they keep the order and the fence.

    Args:
        inner: Keeps what is encrypted.
        keys: Without any, nothing is encrypted, and what is encrypted cannot be read.
    """

    def __init__(self, inner: TokenLog, keys: Keys | None) -> None:
        self._inner = inner
        self._keys = keys

    async def open(self, key: StreamKey, *, rank: int) -> int:
        """See ``TokenLog``."""
        return await self._inner.open(key, rank=rank)

    async def append(self, pieces: Sequence[Piece]) -> Sequence[bool | None]:
        """See ``TokenLog``."""
        return await self._inner.append([self._sealed(piece) for piece in pieces])

    async def read(self, run: str, *, after: int = 0, until: asyncio.Event | None = None) -> AsyncGenerator[Record]:
        """See ``TokenLog``; what was written before encryption was switched on is given as it is.

        Raises:
            SettingsError: A key is missing, or text was changed.
        """
        async with aclosing(self._inner.read(run, after=after, until=until)) as records:
            async for record in records:
                if isinstance(record, Delta) and record.text.startswith(_MARK):
                    yield self._opened(run, record)
                else:
                    yield record

    async def trim(self) -> int:
        """See ``TokenLog``."""
        return await self._inner.trim()

    def _sealed(self, piece: Piece) -> Piece:
        text = storable(piece.text).replace(_MARK, "\ufffd")
        if self._keys is None or not text:
            return replace(piece, text=text)
        key = self._keys.first
        about = _about(piece.key, piece.generation, piece.offset)
        sealed = base64.b64encode(key.seal(text.encode(), about)).decode()
        return replace(piece, text=f"{_MARK}{key.id}:{sealed}", stands_for=len(text))

    def _opened(self, run: str, delta: Delta) -> Delta:
        name, _, sealed = delta.text.removeprefix(_MARK).partition(":")
        key = key_for(self._keys, name, f"The text of {delta.node}#{delta.visit}")
        about = _about(StreamKey(run, delta.node, delta.visit), delta.generation, delta.offset)
        try:
            text = key.open(base64.b64decode(sealed, validate=True), about).decode()
        except (ValueError, binascii.Error):
            raise SettingsError(
                f"the text of {delta.node}#{delta.visit} cannot be decrypted: it was changed, damaged, or encrypted "
                f"with another key {name[:64]!r}"
            ) from None
        return replace(delta, text=text)


def _about(key: StreamKey, generation: int, offset: int) -> bytes:
    """What is bound to the text: it can be opened in its own place only."""
    return "\0".join(["stream", key.run, key.node, str(key.visit), str(generation), str(offset)]).encode()
