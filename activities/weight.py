"""Tells, in a few microseconds, whether what a call has to compute might hold the event loop up."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from orchestrator.graph.blobs import is_blob
from orchestrator.templating import is_template

__all__ = ["is_long"]

_MOST = 2_500
"""Weighs about as much as a millisecond of copying, or eight small templates."""
_TEMPLATE = 300
_ITEM = 8
_TEXT = 16
_LOOP = re.compile(r"\.(?:all|exists|exists_one|filter|map)\(")


def is_long(config: Any, values: Mapping[str, Any]) -> bool:
    """Whether filling ``config`` in from ``values``, and computing with it, could take more than a moment.

    It goes through no more of either than it takes to tell. With a reference to blob storage in them it always could.
    """
    left, pending = _MOST, [config, values]
    while pending and left >= 0:
        value = pending.pop()
        if isinstance(value, str):
            left -= _weight(value)
        elif isinstance(value, Mapping):
            found = cast("Mapping[str, Any]", value)
            left -= _MOST + 1 if is_blob(found) else _ITEM * len(found)
            pending.extend(found.values() if left >= 0 else ())
        elif isinstance(value, (list, tuple)):
            items = cast("Sequence[Any]", value)
            left -= _ITEM * len(items)
            pending.extend(items if left >= 0 else ())
    return left < 0


def _weight(text: str) -> int:
    if len(text) > _MOST * _TEXT:
        return _MOST + 1  # without looking through it
    if is_template(text):
        return _TEMPLATE + len(text)
    # An expression with one loop inside another works through far more than there is.
    return _MOST + 1 if text.count("(") > 1 and len(_LOOP.findall(text[:_MOST])) > 1 else len(text) // _TEXT
