"""The client that requests go through: it connects to the very address that was checked, and to nothing else."""

import asyncio
import ssl
from asyncio.staggered import staggered_race
from collections.abc import Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Final, cast

import httpcore
import httpx

from activities.web.addresses import AddressGuard, Resolver, SystemResolver

__all__ = ["web_client"]

_KEPT_ALIVE: Final = 50
_KEPT_FOR_S: Final = 5.0
_HEAD_START_S: Final = 0.25
"""What RFC 8305 gives one address before the next is tried beside it."""

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


def web_client(
    allowed: Sequence[str], *, resolve: Resolver | None = None, verify: ssl.SSLContext | None = None
) -> httpx.AsyncClient:
    """A client that reaches no address inside the network but those ``allowed`` (``http_allow_private``).

    It takes no proxy, cookie or password from the environment; SSL_CERT_FILE and SSL_CERT_DIR do count.

    Args:
        allowed: Hosts and networks.
        resolve: Gives the addresses of a host; otherwise the system does.
        verify: Says which certificates are trusted; otherwise those of the ``certifi`` package.
    """
    return httpx.AsyncClient(transport=_GuardedTransport(allowed, resolve, verify), trust_env=False)


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own, on connections that the guard lets pass.

    A pooled connection serves the origin it was opened for, so that it was checked for that name when it was opened.
    """

    def __init__(self, allowed: Sequence[str], resolve: Resolver | None, verify: ssl.SSLContext | None) -> None:
        context = verify or httpx.create_ssl_context()
        super().__init__(verify=context, trust_env=False)
        self._system = SystemResolver()
        guard = AddressGuard(allowed, resolve or self._system)
        # httpx has no argument for it. A test fails should another release keep its pool elsewhere.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=None,  # a worker bounds its nodes already
            max_keepalive_connections=_KEPT_ALIVE,
            keepalive_expiry=_KEPT_FOR_S,
            network_backend=_GuardedBackend(guard),
        )

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await super().__aexit__(exc_type, exc_value, traceback)
        self._system.close()

    async def aclose(self) -> None:
        await super().aclose()
        self._system.close()


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to addresses that were checked. TLS and ``Host`` still go by the name."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._tcp = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature that httpcore calls
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._guard.addresses(host, port)
        connects = [
            partial(self._tcp.connect_tcp, address, port, timeout, local_address, socket_options)
            for address in _interleaved(addresses)
        ]
        if len(connects) == 1:
            return await connects[0]()
        stream, _, failures = await staggered_race(connects, _HEAD_START_S)
        if stream is None:
            raise next((error for error in failures if error is not None), httpcore.ConnectError())
        return stream

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the signature that httpcore calls
        socket_options: Iterable[SocketOption] | None = None,  # noqa: ARG002 - the same
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol(f"{path} is a socket file, no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _interleaved(addresses: list[str]) -> list[str]:
    """The addresses in their order, but of both kinds in turn: one kind that leads nowhere costs little."""
    six = [address for address in addresses if ":" in address]
    four = [address for address in addresses if ":" not in address]
    first, second = (six, four) if addresses[0] in six else (four, six)
    turns = [address for pair in zip(first, second, strict=False) for address in pair]
    return turns + first[len(second) :] + second[len(first) :]
