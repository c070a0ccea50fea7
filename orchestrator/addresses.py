"""Addresses: those that a process of ours listens at, ``host:port``, and those of web services."""

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Address", "listen_address", "split", "web_address"]

_LARGEST_PORT = 65_535
_NAMES = {"": "0.0.0.0", "localhost": "127.0.0.1"}  # noqa: S104 - `:9464` asks for every interface


class Address(NamedTuple):
    """Where to listen; ``host`` is an IP address without brackets."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.host).is_loopback


def split(text: str) -> Address:
    """The parts of ``host:port``; an empty host is every interface, ``localhost`` is 127.0.0.1.

    Raises:
        ValueError: It is no address to listen at.
    """
    host, colon, port = text.rpartition(":")
    named = _NAMES.get(host, host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    try:
        ip = ip_address(named)
    except ValueError:
        ip = None
    good_port = port.isascii() and port.isdecimal() and 0 < int(port) <= _LARGEST_PORT
    if ip is None or not colon or not good_port or (ip.version == 6 and named == host):  # noqa: PLR2004 - IPv6
        raise ValueError(f"{text!r} is no address to listen at: expected IP:PORT, such as 0.0.0.0:9464 or [::]:9464")
    return Address(named, int(port))


def listen_address(text: str) -> str:
    """``text`` with its host written as an IP address, in brackets if it is IPv6.

    Raises:
        ValueError: It is no address to listen at.
    """
    host, port = split(text)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def web_address(text: str) -> str:
    """``text``, if its host and port can be read: clients would end the process with what cannot.

    Raises:
        ValueError: They cannot.
    """
    try:
        _ = urlsplit(text).port
    except ValueError as error:
        raise ValueError(f"it is no address: {error}") from None
    return text
