"""The operations of Transform on text."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

import re2  # pyright: ignore[reportMissingTypeStubs] -- it ships none
from pydantic_core import to_json

from activities.operations.values import Perform, bounded, list_of, refuse, text_of
from orchestrator.node_types.transform import TransformConfig

__all__ = ["TEXTS"]

_RE2 = cast("Any", re2)
_REGEX_MEMORY = 1 << 20
_MOST_MATCHES = 100_000
"""Each takes some ten microseconds."""
_WORD = re.compile(r"\S+")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def _split(config: TransformConfig) -> list[str]:
    return text_of(config.input).split(config.separator or None)


def _join(config: TransformConfig) -> str:
    parts = [item if isinstance(item, str) else to_json(item).decode() for item in list_of(config.input)]
    separator = config.separator or ""
    bounded(len(parts) * len(separator))
    return separator.join(parts)


def _replace(config: TransformConfig) -> str:
    text, find, replacement = text_of(config.input), config.find or "", config.replacement or ""
    bounded(text.count(find) * max(len(replacement) - len(find), 0))
    return text.replace(find, replacement)


def _replace_pattern(config: TransformConfig) -> str:
    text, replacement = text_of(config.input), config.replacement or ""
    parts: list[str] = []
    made = end = 0
    for match in _matches(config):
        try:
            part = cast("str", match.expand(replacement))
        except (_RE2.error, IndexError, re.error, UnicodeDecodeError):
            refuse("`replacement` names a group that `pattern` does not have, or ends with a backslash")
        made += len(part)
        bounded(made)
        parts += (text[end : match.start()], part)
        end = match.end()
    return "".join((*parts, text[end:]))


def _extract(config: TransformConfig) -> Any:
    return next((_found(match) for match in _matches(config)), None)


def _extract_all(config: TransformConfig) -> list[Any]:
    found: list[Any] = []
    made = 0
    for match in _matches(config):
        # Groups within groups hold the same text several times.
        made += sum(len(group) for group in match.groups() if group is not None) + len(match.group())
        bounded(made)
        found.append(_found(match))
    return found


def _found(match: Any) -> Any:
    if named := match.groupdict():
        return named
    groups = match.groups()
    return list(groups) if len(groups) > 1 else groups[0] if groups else match.group()


def _matches(config: TransformConfig) -> Iterator[Any]:
    matches = _regex(config.pattern or "").finditer(text_of(config.input))
    for number, match in enumerate(matches):
        if number == _MOST_MATCHES:
            refuse(f"`pattern` matches more than {_MOST_MATCHES:,} times")
        yield match


@lru_cache(maxsize=256)
def _regex(pattern: str) -> Any:
    options = _RE2.Options()
    options.max_mem = _REGEX_MEMORY
    options.log_errors = False
    try:
        return _RE2.compile(pattern, options)
    except _RE2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        return refuse(f"`pattern` is no regular expression that RE2 can read: {reason}")


def _title(config: TransformConfig) -> str:
    return _WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), text_of(config.input))


def _truncate(config: TransformConfig) -> str:
    text, length, ending = text_of(config.input), config.length or 0, "…" if config.ending is None else config.ending
    if len(text) <= length:
        return text
    if len(ending) > length:
        refuse(f"`ending` has more characters than `length` ({length})")
    return text[: length - len(ending)] + ending


def _slug(config: TransformConfig) -> str:
    plain = unicodedata.normalize("NFKD", text_of(config.input)).encode("ascii", "ignore").decode()
    return _NOT_SLUG.sub("-", plain.lower()).strip("-")


TEXTS: dict[str, Perform] = {
    "extract": _extract,
    "extract_all": _extract_all,
    "join": _join,
    "lines": lambda config: text_of(config.input).splitlines(),
    "lowercase": lambda config: text_of(config.input).lower(),
    "matches": lambda config: _regex(config.pattern or "").search(text_of(config.input)) is not None,
    "replace": _replace,
    "replace_pattern": _replace_pattern,
    "slug": _slug,
    "split": _split,
    "title": _title,
    "trim": lambda config: text_of(config.input).strip(),
    "truncate": _truncate,
    "uppercase": lambda config: text_of(config.input).upper(),
    "word_count": lambda config: len(text_of(config.input).split()),
}
