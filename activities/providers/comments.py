"""Leaves out the comments of a stream of server-sent events, for a client that takes them for answers."""

from collections.abc import AsyncIterator
from typing import Any

import httpx

__all__ = ["without_comments"]


async def without_comments(response: httpx.Response) -> None:
    """A hook for the responses of a client: what stands between a model and us sends comments, lest a line be cut."""
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        response.stream = _Uncommented(response.stream)


class _Uncommented(httpx.AsyncByteStream):
    """The bytes without the lines that begin with a colon, line ends and all."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._at_start = True
        self._in_comment = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            if kept := b"".join(part for part in piece.splitlines(keepends=True) if self._is_kept(part)):
                yield kept

    async def aclose(self) -> None:
        """Closes the response."""
        await self._inner.aclose()

    def _is_kept(self, part: bytes) -> bool:
        """Whether a line, or the part of one that a piece holds, is no comment."""
        if self._at_start:
            self._in_comment = part.startswith(b":")
        self._at_start = part.endswith((b"\n", b"\r"))
        return not self._in_comment
