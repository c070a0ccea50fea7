"""Bounds what is read of an answer over httpx: one that never ends would take all memory."""

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpx
import httpx2

from activities.providers.statuses import Endpoint
from orchestrator.errors import ProviderError

__all__ = ["ACCEPTED", "bounded", "ours"]

ACCEPTED: Mapping[str, str] = {"accept-encoding": "gzip"}
"""Headers to ask with: what else a client could unpack, it would unpack without a bound."""
_PIECE = 65_536
_GZIP = zlib.MAX_WBITS + 16


def bounded(endpoint: Endpoint) -> Callable[[Any], Awaitable[None]]:
    """A hook for the responses of a client of httpx or httpx2: they end where they are more than ``endpoint`` allows.

    What is counted is unpacked. An answer that is packed in another way than it was asked for stays as it is: nobody
    can read it, but its status counts.
    """

    async def bound(response: Any) -> None:
        packed = response.headers.pop("content-encoding", "").strip().lower() == "gzip"
        response.stream = _Bounded(response.stream, endpoint, packed=packed)

    return bound


def ours(error: BaseException) -> ProviderError | None:
    """The error of ours that a client has wrapped into one of its own, if it has."""
    cause = error.__cause__
    return cause if isinstance(cause, ProviderError) else None


class _Bounded(httpx.AsyncByteStream, httpx2.AsyncByteStream):
    """A response's bytes, unpacked, as long as they are not too many."""

    def __init__(self, inner: Any, endpoint: Endpoint, *, packed: bool) -> None:
        self._inner = inner
        self._endpoint = endpoint
        self._unpacker = zlib.decompressobj(_GZIP) if packed else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._endpoint.most_bytes
        async for packed in self._inner:
            for piece in self._unpacked(packed):
                left -= len(piece)
                if left < 0:
                    await self.aclose()
                    raise self._endpoint.too_large()
                yield piece

    async def aclose(self) -> None:
        """Closes the response, and with it the connection where it was not read to its end."""
        await self._inner.aclose()

    def _unpacked(self, packed: bytes) -> Iterator[bytes]:
        if self._unpacker is None:
            yield packed
            return
        try:
            while piece := self._unpacker.decompress(packed, _PIECE):
                yield piece
                packed = self._unpacker.unconsumed_tail
        except zlib.error:
            raise self._endpoint.unreadable() from None
