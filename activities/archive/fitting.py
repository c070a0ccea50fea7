"""Keeps a document small enough to be read: the longest of its texts are cut in the middle."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

__all__ = ["MOST_CHARACTERS", "fitted"]

MOST_CHARACTERS: Final = 2_000_000
"""Of all texts of a document together, about: what says that something was left out comes on top."""
_LEAST: Final = 200
"""Characters that are kept of each text in any case."""


def fitted(value: Any, most: int = MOST_CHARACTERS) -> tuple[Any, int]:
    """``value`` with its longest texts cut to one length, so that all together fit; and the characters left out."""
    lengths = sorted(len(text) for text in _texts(value))
    if sum(lengths) <= most:
        return value, 0
    longest = max(_longest(lengths, most), _LEAST)
    left_out = sum(length - longest for length in lengths if length > longest)
    return _cut(value, longest), left_out


def _longest(lengths: Sequence[int], most: int) -> int:
    """The length to which texts have to be cut, the shortest of ``lengths`` being first."""
    room = most
    for place, length in enumerate(lengths):
        share = room // (len(lengths) - place)
        if length > share:
            return share
        room -= length
    return most


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item)


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        if len(value) <= longest:
            return value
        head = longest // 2
        tail = longest - head
        return f"{value[:head]}[… {len(value) - longest:,} characters are left out here …]{value[-tail:]}"
    if isinstance(value, dict):
        return {key: _cut(item, longest) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_cut(item, longest) for item in cast("list[Any]", value)]
    return value
