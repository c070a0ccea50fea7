"""Values of statements as PostgreSQL reads them: each as the type that its place has, like a literal in quotes."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic_core import to_json

__all__ = ["read_as_literals"]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a number of JSON may have got a fraction that it did not need
    return to_json(value).decode()


def _moment(text: str) -> datetime | str:
    return _iso(datetime.fromisoformat, text)


def _day(text: str) -> date | str:
    return _iso(date.fromisoformat, text)


def _iso(read: Callable[[str], Any], text: str) -> Any:
    """What Python cannot hold, such as infinity or a year before Christ, stays the text it is."""
    try:
        return read(text)
    except ValueError:
        return text


def _truth(text: str) -> bool:
    return text == "t"


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "bool": _truth,
    "int2": int,
    "int4": int,
    "int8": int,
    "float4": float,
    "float8": float,
    "numeric": Decimal,
    "text": str,
    "varchar": str,
    "bpchar": str,
    "uuid": str,
    "date": _day,
    "time": str,
    "timetz": str,
    "timestamp": _moment,
    "timestamptz": _moment,
    "interval": str,
}


async def read_as_literals(driver: Any) -> None:
    """Has a new connection of asyncpg send and read these types as text.

    By itself it wants a ``datetime`` where the place has a time, and so on, which JSON does not have.
    """
    for name, read in _READERS.items():
        await driver.set_type_codec(name, schema="pg_catalog", encoder=_text, decoder=read, format="text")
