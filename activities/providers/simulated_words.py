"""What the simulated model has in place of a mind: it counts the words that texts share."""

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from math import sqrt

__all__ = ["OPTION", "answer_within", "chosen", "nearest", "sentences", "vector", "words"]

OPTION = re.compile(r"^[ \t]*(?:[-*]|\d{1,3}[.)])[ \t]+(\S[^\n]{0,400})$", re.MULTILINE)
"""A line that offers an answer: it begins with ``-``, ``*`` or a number."""
_INLINE = re.compile(r"\bone of:?[ \t]+([\w'\"`][\w'\"` ,/|-]{2,400})", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*[,/|]\s*(?:or\s+)?|\s+or\s+")
_LABEL_CHARS = 60
_WORD = re.compile(r"\w{3,}")
_ANY_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
_USUAL_DIMENSIONS = 256
# They are in every text, and say nothing of what it is about.
_EMPTY_WORDS = """
    the and for are was were has have had does did can could will would shall should may might must not you your our
    their his her its this that these those there here what who whom whose which when where why how many much any all
    with from into out about than then but also please tell give let get just been being them they she him
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


def words(text: str) -> set[str]:
    """The words of three letters and more, in lower case, singular and plural as one."""
    return {_stem(word) for word in _WORD.findall(text.lower())}


def _stem(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word  # noqa: PLR2004 - as in "was"


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text."""
    return [found for part in _SENTENCE_END.split(text) if (found := part.strip(" \t\"'-*"))]


def nearest(options: Iterable[str], text: str) -> str | None:
    """The option that shares most words with a text, the first of equals; none where none shares any."""
    known = words(text) - _EMPTY
    shared = [(len((words(option) - _EMPTY) & known), option) for option in options]
    best = max(shared, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] else None


def chosen(message: str) -> str | None:
    """The option that fits a message best, of those it lists, the first of equals; none where it lists none."""
    options: list[str] = OPTION.findall(message)
    if options:
        rest = words(OPTION.sub("", message))
    else:
        listed = _INLINE.search(message)
        options = [option.strip(" '\"`") for option in _BETWEEN.split(listed[1])] if listed else []
        if len(options) < 2:  # noqa: PLR2004 - one is no choice
            return None
        rest = words(message.replace(listed[0] if listed else "", ""))
    best = max(options, key=lambda option: len(words(option) & rest))
    label, colon, _ = best.partition(":")
    return label.strip() if colon and len(label) <= _LABEL_CHARS else best.strip()


def answer_within(question: str, context: Sequence[str]) -> str | None:
    """The sentence of the context that shares most words with what is asked; none where none shares any.

    What is asked is the last sentence of ``question``, if it is a question; what stands before it is context too.
    """
    *before, asked = sentences(question) or [""]
    if not asked.endswith("?"):
        return None
    known = (*chain.from_iterable(sentences(text) for text in context), *before)
    return nearest((sentence for sentence in known if not sentence.endswith("?")), asked)


def vector(text: str, dimensions: int | None) -> tuple[float, ...]:
    """A vector of length 1, near to that of any text that shares many words: each word adds to a place of its own."""
    size = dimensions or _USUAL_DIMENSIONS
    places = [0.0] * size
    for word in _ANY_WORD.findall(text.lower()):
        number = int.from_bytes(blake2b(_stem(word).encode(), digest_size=8).digest())
        places[number % size] += -1.0 if number & (1 << 63) else 1.0
    length = sqrt(sum(place * place for place in places))
    if not length:
        # No words, or they cancel out.
        return (1.0, *[0.0] * (size - 1))
    return tuple(place / length for place in places)
