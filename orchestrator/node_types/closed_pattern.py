"""Which regular expressions leave a text no room for an address, a name with a domain or a path of its own."""

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["closed_pattern"]

_TOKEN: Final = re.compile(
    r"(?P<class>\\[dw]|\[(?:\\[dw]|[A-Za-z0-9_ -])+\])|(?P<literal>\\[^A-Za-z0-9]|[^\\\[\](){}|?*+.^$])"
    r"|(?P<quantity>[?*+]|\{[0-9]+(?:,[0-9]*)?\})|(?P<open>\((?:\?:|\?P?<\w+>|(?!\?)))|(?P<close>\))|(?P<or>\|)"
)
_RANGE: Final = re.compile(r"([A-Za-z0-9])-([A-Za-z0-9])")
_HARMLESS: Final = re.compile(r"[A-Za-z0-9_ -]")

Token = tuple[str, str]


def closed_pattern(pattern: str, *, anchored: bool = True) -> bool:
    """Whether a regular expression is fixed but for letters, digits, ``_``, ``-`` and blanks.

    Whatever else it has, such as ``@example.org`` or ``https://shop.example/``, stands at its beginning or at its end,
    once: so that nobody can put a host, a domain or a folder of theirs in between.

    Args:
        pattern: The regular expression.
        anchored: It must hold for all of the text, and not only for a part.
    """
    if anchored:
        if not (pattern.startswith("^") and pattern.endswith("$")):
            return False
        pattern = pattern[1:-1]
    tokens = list(_tokens(pattern))
    if ("unknown", "") in tokens or (anchored and _has_choice(tokens)):
        return False
    if not _has_choice(tokens):
        tokens = _without_fixed_ends(tokens)
    return all(sort != "literal" or _HARMLESS.fullmatch(text) for sort, text in tokens)


def _tokens(pattern: str) -> Iterator[Token]:
    """What a pattern consists of; ``unknown`` where it has something that is not closed, or not understood."""
    place = 0
    while place < len(pattern):
        match = _TOKEN.match(pattern, place)
        sort = match.lastgroup if match else None
        if match is None or sort is None or (sort == "class" and not _listed(match[0])):
            yield "unknown", ""
            return
        yield sort, match[0]
        place = match.end()


def _listed(group: str) -> bool:
    """Whether every range of a class is one of letters or digits, and does not span the signs between them."""
    ends = [(match[1], match[2]) for match in _RANGE.finditer(group)]
    plain = _RANGE.sub("", group.strip("[]"))
    whole = all((one.isdigit(), one.isupper()) == (two.isdigit(), two.isupper()) for one, two in ends)
    return whole and "-" not in plain.strip("-")


def _has_choice(tokens: list[Token]) -> bool:
    """Whether there is a ``|`` outside of every group."""
    depth = 0
    for sort, _ in tokens:
        depth += (sort == "open") - (sort == "close")
        if sort == "or" and depth == 0:
            return True
    return False


def _without_fixed_ends(tokens: list[Token]) -> list[Token]:
    start, end = 0, len(tokens)
    while start + 1 < end and tokens[start][0] == "literal" and tokens[start + 1][0] != "quantity":
        start += 1
    while end > start and tokens[end - 1][0] == "literal":
        end -= 1
    return tokens[start:end]
