"""Lists of hosts in settings: names, `*.domain`, addresses, networks, or `*` for all of them."""

import json
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, cast

from orchestrator.json_names import RepeatedNameError, unrepeated

__all__ = ["PRIVATE", "Hosts", "host_entry", "hosts_by_secret", "listed"]

_UNIQUE_LOCAL: Final = IPv6Network("fc00::/7").address_exclude(IPv6Network("fd00:ec2::/32"))
PRIVATE: Final = ("127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", *map(str, _UNIQUE_LOCAL))
"""What is in reach of somebody's own machine; the metadata services of clouds are not in it."""

Address = IPv4Address | IPv6Address

_ALL: Final = "*"
_NAME: Final = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*")
_NUMERIC: Final = re.compile(r"[0-9.x]+|.*[:/].*")


class Hosts:
    """The hosts that ``entries`` stand for; each is one that ``host_entry`` lets pass."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._all = False
        self._names: set[str] = set()
        self._domains: list[str] = []
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in entries:
            if entry == _ALL:
                self._all = True
            elif entry.startswith("*."):
                self._domains.append(entry[1:])
            elif _NUMERIC.fullmatch(entry):
                self._networks.append(ip_network(entry, strict=False))
            else:
                self._names.add(entry)

    def name(self, host: str) -> bool:
        """Whether the host of a web address is listed: by its name, by a domain it is in, or as an address."""
        host = host.lower().rstrip(".").strip("[]")
        try:
            address = ip_address(host)
        except ValueError:
            return self._all or host in self._names or any(host.endswith(domain) for domain in self._domains)
        return self.hold(address)

    def hold(self, address: Address) -> bool:
        """Whether an address is listed, by itself or with its network."""
        return self._all or any(address in network for network in self._networks)


def host_entry(entry: str) -> str:
    """``entry`` in small letters.

    Raises:
        ValueError: It is no name, `*.domain`, address, network or `*`.
    """
    entry = entry.strip().lower()
    if entry == _ALL:
        return entry
    if _NUMERIC.fullmatch(entry):
        try:
            return str(ip_network(entry, strict=False))
        except ValueError:
            raise ValueError(f"{entry[:80]!r} is no address or network, such as 10.0.0.5 or 10.0.0.0/8") from None
    if not _NAME.fullmatch(entry):
        raise ValueError(
            f"{entry[:80]!r} is no host: write a name, *.domain, an address, a network or *, "
            "without scheme, port or path"
        )
    return entry


def listed(value: Any) -> Any:
    """A list that stands in a variable: JSON, or parted by commas. What is no text is left to the field's own check.

    Raises:
        ValueError: It begins like JSON, and is none.
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError('begins like a JSON list, and is none; write ["a", "b"], or a,b') from None
    return [part.strip() for part in value.split(",") if part.strip()]


def hosts_by_secret(value: Any) -> Any:
    """The map from secrets to hosts that stands in a variable as JSON.

    Raises:
        ValueError: It is no JSON object, or names a secret twice.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value, object_pairs_hook=unrepeated)
        except RepeatedNameError:
            raise
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping):
        raise ValueError('has to be a JSON object of lists of hosts, such as {"crm_token": ["api.example.com"]}')  # noqa: TRY004 - pydantic reads ValueError
    return cast("Mapping[str, Any]", value)
