"""Addresses of the storage: which databases it can be, and what is wrong with one before anybody connects to it."""

import os
import re
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, unquote

from pydantic import SecretStr

__all__ = ["DRIVERS", "checked_address", "storage_address", "writable"]

DRIVERS: Final = MappingProxyType(
    {
        "sqlite": "sqlite+aiosqlite",
        "sqlite+aiosqlite": "sqlite+aiosqlite",
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
        "postgresql+asyncpg": "postgresql+asyncpg",
    }
)
"""What an address may begin with, and which driver that is."""
_ADDRESS: Final = re.compile(
    r"""
    (?P<scheme>[\w+]+)://
    (?: [^:/]* (?: :[^@]* )? @ )?
    (?: (?: \[[^/?]+\] | [^/:?]+ )? (?: : (?P<port>[^/?]*) )? )?
    (?: / (?P<database>[^?]*) )?
    (?: \? (?P<options>.*) )?
    """,
    re.VERBOSE,
)
"""As SQLAlchemy reads one: importing that takes longer than most commands."""
_OPTIONS: Final = (
    "host",
    "passfile",
    "port",
    "prepared_statement_cache_size",
    "ssl",
    "sslmode",
    "target_session_attrs",
)
"""Of PostgreSQL, behind the question mark; with any other one, the driver would end the process."""
_NUMBERS: Final = ("port", "prepared_statement_cache_size")
_LARGEST_PORT: Final = 65_535


def storage_address(address: str) -> str:
    """``address``, if it can be one of the storage. Nothing is looked at: a codec server never opens it.

    Raises:
        ValueError: It cannot. The message shows nothing that may be a password.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError("it is no address of a database: write sqlite:///path/to/file.db or postgresql://host/name")
    driver = DRIVERS.get(found["scheme"])
    if driver is None:
        raise ValueError("it begins with neither sqlite:/// nor postgresql://, and no other database will do")
    if driver.startswith("sqlite"):
        if _file_of(address) in ("", ":memory:"):
            raise ValueError("it names no file; write sqlite:///path/to/file.db")
        return address
    port = found["port"]
    if port is not None and not (port.isascii() and port.isdecimal() and 0 < int(port) <= _LARGEST_PORT):
        raise ValueError("its port is none: expected a number from 1 to 65535")
    for name, value in parse_qsl(found["options"] or "", keep_blank_values=True):
        if name not in _OPTIONS:
            raise ValueError(f"one of its options is not known: behind the `?` may be {', '.join(_OPTIONS)}")
        if name in _NUMBERS and not (value.isascii() and value.isdecimal()):
            raise ValueError(f"its option `{name}` must be a number")
    return address


def checked_address(value: SecretStr) -> SecretStr:
    """As ``storage_address``."""
    storage_address(value.get_secret_value())
    return value


def _file_of(address: str) -> str | None:
    """The file of an address; none where it is that of a server."""
    found = _ADDRESS.fullmatch(address)
    return unquote(found["database"] or "") if found and found["scheme"].startswith("sqlite") else None


def writable(address: str) -> None:
    """Look whether the file of an ``address`` can be written, or made; makes nothing. That of a server is taken.

    Raises:
        ValueError: It cannot.
    """
    name = _file_of(address)
    if name is None:
        return
    file = Path(name)
    try:
        if file.is_dir():
            raise ValueError(f"{file} is a folder, not a file")
        if file.exists() and not os.access(file, os.W_OK):
            raise ValueError(f"the file {file} cannot be written by this user")
        folder = next((it for it in file.parents if it.exists()), Path())
        if not folder.is_dir():
            raise ValueError(f"{folder} is a file, not a folder, so {file} cannot be in it")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(f"the folder {folder} cannot be written by this user")
    except OSError as error:
        raise ValueError(f"the file {file} cannot be looked at: {error.strerror}") from None
