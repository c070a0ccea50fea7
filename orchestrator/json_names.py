"""Refuses JSON objects that have a name twice: Python's reader would take the last one, and say nothing."""

from collections.abc import Sequence
from typing import Any

__all__ = ["RepeatedNameError", "unrepeated"]


class RepeatedNameError(ValueError):
    """An object has a name twice."""


def unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; for ``json.loads(…, object_pairs_hook=unrepeated)``.

    Raises:
        RepeatedNameError: It has a name twice.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedNameError(f"it has {name[:80]!r} twice; write it once")
        found[name] = value
    return found
