"""Which addresses a request may reach: none inside the network, unless a setting allows it."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from orchestrator.errors import ProviderRejectedError, ProviderUnavailableError
from orchestrator.hosts import Hosts

__all__ = ["AddressGuard", "Resolver", "SystemResolver"]

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, the best first. Raises OSError when there are none."""

_THREADS: Final = 128
"""A look-up cannot be called off: with few of them, names that take long would keep everybody from theirs."""
_MOST_ADDRESSES: Final = 8
_NAT64: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_COMPATIBLE: Final = ip_network("::/96")
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""What stands before the IPv4 address in an address of ISATAP."""
_GIVEN_OUT: Final = (ip_network("2000::/3"), ip_network("64:ff9b::/96"))
"""All of IPv6 that the public network has so far, and how networks without IPv4 write it."""
_SHARED: Final = (
    ip_network("100.64.0.0/10"),  # carriers, and the insides of some clouds
    ip_network("168.63.129.16/32"),  # Azure hands out a machine's settings and certificates here
    ip_network("192.88.99.0/24"),  # relays of 6to4, long out of use
    ip_network("3fff::/20"),
)
"""What is no place of the public network either; `is_global` of some Python releases thinks otherwise."""


class SystemResolver:
    """Asks the system, in threads of its own: names that take long must not hold up the rest of the worker."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of ``host``, in the order the system prefers.

        Raises:
            OSError: It has none, or nobody knows.
        """
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def close(self) -> None:
        """Ends its threads, without waiting for names that are being looked up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class AddressGuard:
    """Resolves hosts, and lets no address pass that is inside the network.

    Args:
        allowed: Entries as in the setting ``http_allow_private``; what is listed passes.
        resolve: Gives the addresses of a host.
    """

    def __init__(self, allowed: Sequence[str], resolve: Resolver) -> None:
        self._allowed = Hosts(allowed)
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses that may be connected to for ``host``: each has been checked.

        Raises:
            ProviderRejectedError: One of its addresses is inside the network, and not allowed.
            ProviderUnavailableError: It has no address, or nobody knows now.
        """
        try:
            found = list(await self._resolve(host, port))[:_MOST_ADDRESSES]
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no name"
            raise ProviderUnavailableError(f"the host {host} was not found: {reason}") from error
        if not found:
            raise ProviderUnavailableError(f"the host {host} was not found: it has no address")
        if not self._allowed.name(host):
            for text in found:
                self._check(host, text)
        return found

    def _check(self, host: str, text: str) -> None:
        for address in _meanings(ip_address(text)):
            if not self._allowed.hold(address) and not _is_public(address):
                named = host if host == text else f"{host} is {text}"
                raise ProviderRejectedError(
                    f"{named}: an address inside the network, which requests may not reach; "
                    "the setting ORCHESTRATOR_HTTP_ALLOW_PRIVATE of the worker allows hosts and networks",
                    details={"host": host, "address": text, "setting": "ORCHESTRATOR_HTTP_ALLOW_PRIVATE"},
                )


def _meanings(address: Address) -> Iterator[Address]:
    """The address that is reached: itself, or the IPv4 address in it; both, where who carries it decides."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    low = IPv4Address(int(address) & 0xFFFF_FFFF)
    carried = any(address in network for network in _NAT64) or (address in _COMPATIBLE and int(address) > 1)
    if carried or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        yield low


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and not any(address in network for network in _GIVEN_OUT):
        return False
    return address.is_global and not (
        address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or any(address in network for network in _SHARED)
    )
