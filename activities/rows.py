"""Rows of a database as JSON."""

import base64
import math
from binascii import Error as NotBase64Error
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, cast

from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncResult

from orchestrator.errors import NodeError, ProviderRejectedError

__all__ = ["as_json", "bytes_of", "column_names", "few_rows", "is_bytes"]

_SAFE_DIGITS: Final = 15
"""Significant digits that every float keeps."""
_WHOLE_DIGITS: Final = 18
"""Digits of whole numbers that fit 64 bits, whatever they are."""
_FLOAT_EXPONENT: Final = 300


def column_names(result: "CursorResult[Any] | AsyncResult[Any]", where: str) -> list[str]:
    """The names of the columns that the statement gives.

    Raises:
        ProviderRejectedError: Two have the same name, so that a map would lose one.
    """
    names = list(result.keys())
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProviderRejectedError(f"{where}: two columns are named {', '.join(twice)}; tell them apart with AS")
    return names


def few_rows(rows: list[Any], names: list[str]) -> list[dict[str, Any]]:
    """Rows as maps of JSON values."""
    return [{name: as_json(value) for name, value in zip(names, row, strict=True)} for row in rows]


def as_json(value: Any) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """The JSON that stands for ``value``.

    Exact numbers become numbers where a float holds all of their digits, else text; NaN and infinities their names;
    dates and times ISO 8601; bytes ``{"base64": …}``; whatever else JSON lacks, its text.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _unusual(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return {"base64": base64.b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in cast("list[Any]", value)]
    return str(value)


def _number(value: Decimal) -> Any:
    if not value.is_finite():
        return _unusual(float(value))
    _, digits, exponent = value.as_tuple()
    if isinstance(exponent, int) and exponent >= 0 and value.adjusted() < _WHOLE_DIGITS:
        return int(value)
    fits = len(digits) <= _SAFE_DIGITS and abs(value.adjusted()) < _FLOAT_EXPONENT
    return float(value) if fits else str(value)


def _unusual(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def is_bytes(value: Any) -> bool:
    """Whether ``value`` is the map that stands for bytes, and nothing else."""
    return isinstance(value, dict) and list(cast("dict[Any, Any]", value)) == ["base64"]


def bytes_of(value: Any) -> bytes:
    """The bytes that such a map stands for.

    Raises:
        NodeError: They are not base64.
    """
    try:
        return base64.b64decode(value["base64"], validate=True)
    except (NotBase64Error, ValueError, TypeError):
        raise NodeError("the `base64` of a value holds something else than base64") from None
