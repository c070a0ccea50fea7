"""Durations and moments as people write them."""

import math
import re
from datetime import UTC, datetime
from typing import Final

__all__ = ["iso", "parse_duration", "parse_moment"]

_PART = r"(?:\d{1,9}(?:\.\d{1,3})?)"
_WHOLE = re.compile(rf"(?:{_PART}d)?(?:{_PART}h)?(?:{_PART}m)?(?:{_PART}s)?(?:{_PART}ms)?", re.ASCII)
_PIECE = re.compile(rf"({_PART})(ms|[dhms])", re.ASCII)
_SECONDS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LONGEST: Final = 10 * 366 * 86_400.0


def parse_duration(value: str | float) -> float:
    """Seconds of a duration: ``"500ms"``, ``"60s"``, ``"5m"``, ``"2h"``, ``"7d"``, ``"1h30m"``, or a number of seconds.

    Raises:
        ValueError: It is not a duration, not above zero, or longer than ten years.
    """
    if isinstance(value, str):
        if not value or _WHOLE.fullmatch(value) is None:
            raise ValueError("must be a duration such as 500ms, 60s, 5m, 2h, 7d, 1h30m, or a number of seconds")
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PIECE.findall(value))
    else:
        seconds = float(value)
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError("must be longer than nothing")
    if seconds > _LONGEST:
        raise ValueError("must be at most ten years")
    return seconds


def parse_moment(value: str) -> float:
    """Seconds since 1970 of a date with time and offset: ``"2027-01-31T09:00:00Z"``, ``"2027-01-31T09:00:00+01:00"``.

    Raises:
        ValueError: It is not one.
    """
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("must be a date with time and offset, such as 2027-01-31T09:00:00Z")
    return moment.timestamp()


def iso(moment: float) -> str:
    """A moment, in seconds since 1970, as ISO 8601 in UTC."""
    return datetime.fromtimestamp(moment, tz=UTC).isoformat()
