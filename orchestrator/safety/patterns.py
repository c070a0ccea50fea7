"""Patterns in linear time: RE2, so that no text makes a check slow."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import re2  # pyright: ignore[reportMissingTypeStubs] -- it ships none

from orchestrator.safety.base import Match

__all__ = ["Pattern", "apart", "compiled", "matches"]

_RE2: Final = cast("Any", re2)


def _yes(_found: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of text: a regular expression (RE2), of which the last group counts if there is one, and what confirms it.

    ``needs`` are texts of which one is in every match, in lower case: without them the expression is not tried.
    """

    kind: str
    expression: str
    confirm: Callable[[str], bool] = _yes
    needs: tuple[str, ...] = ()


@lru_cache(maxsize=512)
def compiled(expression: str) -> Any:
    """A regular expression, made once."""
    return _RE2.compile(expression)


def matches(patterns: Sequence[Pattern], text: str) -> Iterator[Match]:
    """What ``patterns`` find in ``text``, in its order; where two overlap, that of the earlier pattern."""
    lowered = text.lower()
    found = [
        match
        for pattern in patterns
        if not pattern.needs or any(need in lowered for need in pattern.needs)
        for match in _of(pattern, text)
    ]
    yield from apart(found)


def _of(pattern: Pattern, text: str) -> Iterator[Match]:
    # However many there are: who could hide a secret behind so many false ones would be let through.
    for match in compiled(pattern.expression).finditer(text):
        group = match.re.groups
        if pattern.confirm(match.group(group)):
            yield Match(match.start(group), match.end(group), pattern.kind)


def apart(found: Iterable[Match]) -> list[Match]:
    """``found``, in the order of the text; of those that overlap, the one that comes first in ``found``."""
    taken: list[Match] = []
    starts: list[int] = []
    for match in found:
        after = bisect_left(starts, match.start)
        free_before = after == 0 or taken[after - 1].end <= match.start
        free_behind = after == len(taken) or taken[after].start >= match.end
        if match.end > match.start and free_before and free_behind:
            starts.insert(after, match.start)
            taken.insert(after, match)
    return taken
