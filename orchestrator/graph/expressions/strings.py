"""Functions of text. Positions count characters (code points); each charges for the text it reads or makes."""

import string
from functools import lru_cache
from typing import Any, cast

import re2  # pyright: ignore[reportMissingTypeStubs] -- it ships none

from orchestrator.errors import ExpressionBudgetError, ExpressionError
from orchestrator.graph.expressions.runtime import REGEXES, Env, charge

__all__ = [
    "char_at",
    "contains",
    "ends_with",
    "index_of",
    "last_index_of",
    "lower_ascii",
    "matches",
    "quote",
    "replace",
    "reverse",
    "split",
    "starts_with",
    "substring",
    "trim",
    "upper_ascii",
]

_RE2 = cast("Any", re2)
_READ, _MADE = 100, 10
"""Characters read, and made, for one step."""

_WHITESPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"  # noqa: E501
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_QUOTED = str.maketrans(
    {
        "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
        "\\": r"\\", '"': r"\"",
    }
)  # fmt: skip

_MAX_PATTERN = 1_000
_MAX_PROGRAM = 2_000
_REGEX_MEMORY = 1 << 20
_REGEX_WORK = 5_000
_FAILED_COMPILE = 20_000


def contains(env: Env, text: str, part: str) -> bool:
    """Whether ``part`` is in ``text``."""
    charge(env, (len(text) + len(part)) // _READ)
    return part in text


def starts_with(env: Env, text: str, part: str) -> bool:
    """Whether ``text`` starts with ``part``."""
    charge(env, len(part) // _READ)
    return text.startswith(part)


def ends_with(env: Env, text: str, part: str) -> bool:
    """Whether ``text`` ends with ``part``."""
    charge(env, len(part) // _READ)
    return text.endswith(part)


def matches(env: Env, text: str, pattern: str) -> bool:
    """Whether a part of ``text`` matches the RE2 ``pattern``.

    Raises:
        ExpressionError: The pattern is no regular expression.
        ExpressionBudgetError: It is too large, or the text too long for it.
    """
    # What the process has cached may not show in the steps: they depend on this evaluation alone.
    used: dict[str, Any] | None = env[REGEXES]
    if used is None:
        used = env[REGEXES] = {}
    regex = used.get(pattern)
    if regex is None:
        regex = used[pattern] = _regex(env, pattern)
    charge(env, 5 + len(text) * regex.programsize // _REGEX_WORK)
    try:
        return bool(regex.search(text))
    except UnicodeEncodeError:
        raise ExpressionError("a text with half a surrogate pair cannot be matched") from None


def _regex(env: Env, pattern: str) -> Any:
    if len(pattern) > _MAX_PATTERN:
        raise ExpressionBudgetError(f"a regular expression may have at most {_MAX_PATTERN:,} characters")
    try:
        regex = _compiled(pattern)
    except UnicodeEncodeError:
        raise ExpressionError("a regular expression with half a surrogate pair cannot be read") from None
    if isinstance(regex, str):
        charge(env, _FAILED_COMPILE if "too large" in regex else 500)
        raise ExpressionError(f"the regular expression cannot be used: {regex}")
    charge(env, 100 + regex.programsize)
    if regex.programsize > _MAX_PROGRAM:
        raise ExpressionBudgetError("the regular expression is too complex: use smaller repetition counts")
    return regex


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    """The compiled pattern, or what is wrong with it."""
    options = _RE2.Options()
    options.log_errors = False
    options.max_mem = _REGEX_MEMORY
    options.never_capture = True
    try:
        return _RE2.compile(pattern, options)
    except _RE2.error as error:
        reason = error.args[0] if error.args else "unknown reason"
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def char_at(_env: Env, text: str, position: int) -> str:
    """The character at ``position``; nothing right after the last."""
    _within(text, position, "charAt")
    return text[position : position + 1]


def index_of(env: Env, text: str, part: str, start: int = 0) -> int:
    """Where ``part`` first stands in ``text``, from ``start`` on; -1 when nowhere."""
    charge(env, (len(text) + len(part)) // _READ)
    _within(text, start, "indexOf")
    return text.find(part, start)


def last_index_of(env: Env, text: str, part: str, start: int | None = None) -> int:
    """Where ``part`` last stands in ``text``, beginning at ``start`` or before; -1 when nowhere."""
    charge(env, (len(text) + len(part)) // _READ)
    if start is None:
        return text.rfind(part)
    _within(text, start, "lastIndexOf")
    return text.rfind(part, 0, start + len(part))


def _within(text: str, position: int, name: str) -> None:
    if not 0 <= position <= len(text):
        raise ExpressionError(f"position {position} of `{name}` is outside a text of {len(text)} characters")


def lower_ascii(env: Env, text: str) -> str:
    """``text`` with A-Z as a-z."""
    charge(env, len(text) // _MADE)
    return text.translate(_LOWER)


def upper_ascii(env: Env, text: str) -> str:
    """``text`` with a-z as A-Z."""
    charge(env, len(text) // _MADE)
    return text.translate(_UPPER)


def replace(env: Env, text: str, old: str, new: str, limit: int = -1) -> str:
    """``text`` with the first ``limit`` occurrences of ``old`` as ``new``; all when ``limit`` is negative."""
    charge(env, (len(text) + len(old)) // _READ)
    times = text.count(old) if limit < 0 else min(text.count(old), limit)
    charge(env, (len(text) + times * len(new)) // _MADE)
    return text.replace(old, new, times)


def split(env: Env, text: str, separator: str, limit: int = -1) -> list[str]:
    """The parts of ``text`` between separators, at most ``limit``; all when ``limit`` is negative."""
    charge(env, (len(text) + len(separator)) // _READ)
    if limit == 0:
        return []
    pieces = (text.count(separator) if separator else len(text)) + 1
    charge(env, (pieces if limit < 0 else min(pieces, limit)) + len(text) // _MADE)
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    if 0 < limit < len(text):
        return [*text[: limit - 1], text[limit - 1 :]]
    return list(text)


def substring(env: Env, text: str, start: int, end: int | None = None) -> str:
    """The characters of ``text`` from ``start`` up to, not including, ``end``."""
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ExpressionError(f"there is no part from {start} to {stop} in a text of {len(text)} characters")
    charge(env, (stop - start) // _MADE)
    return text[start:stop]


def trim(env: Env, text: str) -> str:
    """``text`` without white space at its ends."""
    charge(env, len(text) // _MADE)
    return text.strip(_WHITESPACE)


def reverse(env: Env, text: str) -> str:
    """``text`` from its last character to its first."""
    charge(env, len(text) // _MADE)
    return text[::-1]


def quote(env: Env, text: str) -> str:
    """``text`` as a literal in double quotes."""
    charge(env, 1 + len(text) // 5)
    return f'"{text.translate(_QUOTED)}"'
