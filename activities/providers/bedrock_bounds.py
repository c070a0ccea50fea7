"""Bounds what is read of an answer by AWS's client: one that never ends would take all memory."""

from collections.abc import Iterator
from typing import Any

from activities.providers.statuses import Endpoint

__all__ = ["bound"]


def bound(client: Any, endpoint: Endpoint) -> None:
    """From now on ``client`` reads no more of an answer, whole or in events, than ``endpoint`` allows."""
    session = client._endpoint.http_session  # noqa: SLF001 - set up as AWS's own configuration says; it has no public name

    def send(request: Any, **_: Any) -> Any:
        # Else it would be read, whole, before anyone could count.
        whole, request.stream_output = not request.stream_output, True
        answer = session.send(request)
        answer.raw = _Bounded(answer.raw, endpoint)
        if whole:
            _ = answer.content
        return answer

    # What a handler of this event returns takes the place of what the client would have sent for.
    client.meta.events.register("before-send.bedrock-runtime", send)


class _Bounded:
    """A response of urllib3, which ends where it is too large."""

    def __init__(self, response: Any, endpoint: Endpoint) -> None:
        self._response = response
        self._endpoint = endpoint
        self._left = endpoint.most_bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    def stream(self, *args: Any, **more: Any) -> Iterator[bytes]:
        """The pieces, none large."""
        for piece in self._response.stream(*args, **more):
            yield self._counted(piece)

    def read(self, amount: int | None = None) -> bytes:
        """So many bytes, or all."""
        return b"".join(self.stream()) if amount is None else self._counted(self._response.read(amount))

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            self._response.close()
            raise self._endpoint.too_large()
        return piece
