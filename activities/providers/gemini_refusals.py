"""Reads what Google says beside a status: how long to wait, and that a request was bad because of its key."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

__all__ = ["Refusal"]

_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the details of an error say. ``wait``: seconds, as a ``retry-after`` would have them."""

    wait: str | None = None
    of_key: bool = False

    @classmethod
    def read(cls, body: Any) -> "Refusal":
        """What the body of an error says, whatever its form is."""
        details = list(_details(body))
        waits = [_SECONDS.fullmatch(str(detail.get("retryDelay"))) for detail in details]
        return cls(
            wait=next((wait[1] for wait in waits if wait), None),
            of_key=any(detail.get("reason") in {"API_KEY_INVALID", "API_KEY_EXPIRED"} for detail in details),
        )


def _details(body: Any) -> Iterator[dict[str, Any]]:
    error = cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None
    details = cast("dict[str, Any]", error).get("details") if isinstance(error, dict) else None
    if isinstance(details, list):
        yield from (detail for detail in cast("list[Any]", details) if isinstance(detail, dict))
