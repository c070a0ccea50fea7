"""Reads how long a server asks its callers to wait."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["MAX_WAIT_S", "retry_after"]

MAX_WAIT_S = 86_400.0
"""The longest wait that is honoured, in seconds: a day."""


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait by the headers of an answer (names in lower case), or none where they do not say.

    Reads ``retry-after-ms`` and ``retry-after``, the latter as seconds or as a date. ``now`` is for a fixed clock.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if value.replace(".", "", 1).isdecimal():
            return min(float(value) / unit, MAX_WAIT_S)
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    wait = (date - (now or datetime.now(UTC))).total_seconds()
    return min(max(wait, 0.0), MAX_WAIT_S)
