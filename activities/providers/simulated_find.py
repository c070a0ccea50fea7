"""Finds facts in a text by their look: addresses, dates, numbers, and what stands beside a name."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

__all__ = ["Found", "closest", "dates", "emails", "links", "named", "numbers", "phones", "said_yes", "split_name"]

Found = tuple[int, Any]
"""Where something stands in the text, and what it is."""

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_LINK = re.compile(r"https?://[^\s<>\"')\]]{1,2000}")
_PHONE = re.compile(r"(?<![\w-])(?:(?:\+|\(?0)[\d ()/-]{5,20}\d|\d{3}[-. ]\d{3}[-. ]\d{4})(?!\w)")
_ISO_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_DOTTED_DATE = re.compile(r"(?<!\d)(\d{1,2})[./](\d{1,2})[./](\d{4})(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
_DAY_MONTH = re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)? {_MONTH},? (\d{{4}})(?!\d)", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"\b{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})(?!\d)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,-])-?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,9})?(?![\w-])")
_COUNTED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_COUNT = re.compile(rf"\b({'|'.join(_COUNTED)})\b", re.IGNORECASE)
_NO = re.compile(r"\b(?:no|not|never|without|none|cannot)\b|n't\b", re.IGNORECASE)
_YES = re.compile(r"^\W*(?:yes|yeah|yep|sure|ok|okay|true|please do|of course)\b", re.IGNORECASE)
_WORD_IN_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_BEFORE_CHARS = 24
_CAPITALISED = r"[A-Z\u00c0-\u00de][\w'-]*(?: [A-Z\u00c0-\u00de][\w'-]*){0,4}"
_REST = r"([^\s,.;:!?()\n][^,.;!?()\n]{0,200})"


def split_name(name: str) -> list[str]:
    """The words of a field's name, in lower case: ``orderId`` and ``order_id`` are ``order`` and ``id``."""
    return [word.lower() for word in _WORD_IN_NAME.findall(name)]


def emails(text: str) -> Iterator[Found]:
    """The e-mail addresses in a text."""
    yield from ((match.start(), match[0].rstrip(".")) for match in _EMAIL.finditer(text))


def links(text: str) -> Iterator[Found]:
    """The web addresses in a text."""
    yield from ((match.start(), match[0].rstrip(".,;:!?")) for match in _LINK.finditer(text))


def phones(text: str) -> Iterator[Found]:
    """The telephone numbers in a text."""
    taken = [start for start, _ in dates(text)]
    yield from ((match.start(), match[0]) for match in _PHONE.finditer(text) if match.start() not in taken)


def dates(text: str) -> Iterator[Found]:
    """The dates in a text, as ISO has them; of numbers with dots or strokes, the day comes first."""
    for pattern, order in (
        (_ISO_DATE, (1, 2, 3)),
        (_DOTTED_DATE, (3, 2, 1)),
        (_DAY_MONTH, (3, 2, 1)),
        (_MONTH_DAY, (3, 1, 2)),
    ):
        for match in pattern.finditer(text):
            year, month, day = (match[group] for group in order)
            try:
                found = date(int(year), _month(month), int(day))
            except ValueError:  # such as 31.02.2024
                continue
            yield match.start(), found.isoformat()


def _month(text: str) -> int:
    return int(text) if text.isdecimal() else _MONTHS.index(text[:3].lower()) + 1


def numbers(text: str) -> Iterator[Found]:
    """The numbers in a text, those in words up to twelve with them, but not within dates, addresses and telephones."""
    rest = text
    for pattern in (_ISO_DATE, _DOTTED_DATE, _DAY_MONTH, _MONTH_DAY, _EMAIL, _LINK, _PHONE):
        rest = pattern.sub(lambda match: " " * len(match[0]), rest)
    for match in _NUMBER.finditer(rest):
        value = float(match[0].replace(",", ""))
        yield match.start(), int(value) if value.is_integer() else value
    for match in _COUNT.finditer(rest):
        yield match.start(), _COUNTED.index(match[0].lower())


def closest(found: Iterator[Found], text: str, names: Sequence[str]) -> Any:
    """Of what was found, what stands nearest to one of ``names``, else the first; none where nothing was found."""
    all_found = sorted(found, key=lambda one: one[0])
    lowered = text.lower()
    places = [match.start() for name in names for match in re.finditer(rf"\b{re.escape(name)}", lowered)]
    if not places:
        return next((value for _, value in all_found), None)
    near = min(all_found, key=lambda one: min(abs(one[0] - place) for place in places), default=(0, None))
    return near[1]


def named(text: str, names: Sequence[str]) -> str | None:
    """What stands after a field's name: after ``name:`` or ``name is``, or as a proper name right behind it."""
    phrase = r"[ _-]?".join(re.escape(name) for name in names)
    for pattern in (
        rf"(?i:\b{phrase})(?: ?[:=] ?|(?i: is| was| are|'s) ){_REST}",
        rf"(?i:\b{phrase}) ({_CAPITALISED})",
        *((rf"(?i:\b(?:my name is|i am|i'm|call me|this is|signed,?)) ({_CAPITALISED})",) if "name" in names else ()),
    ):
        match = re.search(pattern, text)
        if match:
            return match[1].strip(" '\"")
    return None


def said_yes(text: str, names: Sequence[str]) -> bool | None:
    """Whether a text says yes to what a field is named after; none where it does not speak of it."""
    lowered = text.lower()
    for name in names:
        match = re.search(rf"\b{re.escape(name)}", lowered)
        if match:
            return not _NO.search(lowered[max(0, match.start() - _BEFORE_CHARS) : match.start()])
    if _YES.search(text):
        return True
    return False if re.search(r"^\W*(?:no|nope|never|false)\b", lowered) else None
