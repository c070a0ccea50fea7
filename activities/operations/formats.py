"""The operations of Transform that read and write formats."""

import base64
import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import quote, unquote, urlencode

from pydantic_core import to_json

from activities.operations.values import Perform, as_text, bounded, identity, kind, list_of, map_of, refuse, text_of
from activities.strict_json import read_json
from orchestrator.node_types.transform import TransformConfig

__all__ = ["FORMATS"]

_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_MOST_TRIES = 100
"""Brackets at which JSON is looked for: each may have to be read to the end of the text."""
_FENCE = re.compile(r"```[^\n`]{0,40}\n")
_HIDDEN = re.compile(r"<!--|<(script|style)\b", re.IGNORECASE)
_ENDS = {
    "": re.compile(r"-->"),
    "script": re.compile(r"</script\s*>", re.IGNORECASE),
    "style": re.compile(r"</style\s*>", re.IGNORECASE),
}
_BLOCK = re.compile(
    r"</?(?:address|article|aside|blockquote|br|dd|div|dl|dt|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|"
    r"table|td|th|tr|ul)\b[^<>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[a-zA-Z!?][^<>]*>")


def _json_parse(config: TransformConfig) -> Any:
    try:
        return read_json(text_of(config.input))
    except (ValueError, RecursionError) as error:
        return refuse(f"its input is not JSON: {error}")


def _json_dump(config: TransformConfig) -> str:
    if config.indent is None:
        return to_json(config.input).decode()
    return json.dumps(config.input, indent=config.indent, ensure_ascii=False)


def _json_extract(config: TransformConfig) -> Any:
    text = text_of(config.input)
    fence = _FENCE.search(text)
    starts = [*_brackets(text, fence.end() if fence else 0, _MOST_TRIES), *(_brackets(text, 0, _MOST_TRIES))]
    for start in dict.fromkeys(starts):
        try:
            _, end = json.JSONDecoder().raw_decode(text, start)
            return read_json(text[start:end])
        except (ValueError, RecursionError):
            continue
    return refuse("no JSON map or list stands in its input")


def _brackets(text: str, start: int, most: int) -> Iterator[int]:
    for _, match in zip(range(most), re.compile(r"[\[{]").finditer(text, start), strict=False):
        yield match.start()


def _base64_decode(config: TransformConfig) -> str:
    try:
        return base64.b64decode(text_of(config.input), validate=True).decode()
    except ValueError as error:
        return refuse(f"its input is not base64 of UTF-8 text ({type(error).__name__})")


def _url_encode(config: TransformConfig) -> str:
    value: Any = config.input
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return urlencode({key: as_text(item) for key, item in fields.items() if item is not None}, quote_via=quote)
    return quote(text_of(value, "its input, unless a map,"), safe="")


def _url_decode(config: TransformConfig) -> str:
    try:
        return unquote(text_of(config.input), errors="strict")
    except UnicodeDecodeError:
        return refuse("its input does not stand for UTF-8 text")


def _strip_tags(config: TransformConfig) -> str:
    shown = "".join(_shown(text_of(config.input)))
    lines = html.unescape(_TAG.sub("", _BLOCK.sub("\n", shown))).splitlines()
    return "\n".join(words for line in lines if (words := " ".join(line.split())))


def _shown(text: str) -> Iterator[str]:
    """The parts of HTML outside scripts, styles and comments; what is not closed goes to the end."""
    at = 0
    while (opened := _HIDDEN.search(text, at)) is not None:
        yield text[at : opened.start()]
        closed = _ENDS[(opened[1] or "").lower()].search(text, opened.end())
        if closed is None:
            return
        at = closed.end()
    yield text[at:]


def _sha256(config: TransformConfig) -> str:
    value: Any = config.input
    return hashlib.sha256((value if isinstance(value, str) else identity(value)).encode()).hexdigest()


def _to_number(config: TransformConfig) -> float:
    value: Any = config.input
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, bool) else value
    text = text_of(value, "its input, unless a number,").strip()
    try:
        number = read_json(text.removeprefix("+"))
    except (ValueError, RecursionError):
        number = None
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        return number
    return refuse(f"{text[:40]!r} is not a number")


def _to_boolean(config: TransformConfig) -> bool:
    value: Any = config.input
    if isinstance(value, bool):
        return value
    if not isinstance(value, (str, int, float)):
        refuse(f"its input must be text, a number or a truth value, not {kind(value)}")
    word = as_text(value).strip().lower()
    return _TRUTH[word] if word in _TRUTH else refuse(f"{word[:40]!r} is neither true nor false")


def _separator(config: TransformConfig) -> str:
    separator = "," if config.separator is None else config.separator
    return (
        separator if len(separator) == 1 and separator not in '"\r\n' else refuse("`separator` must be one character")
    )


def _csv_parse(config: TransformConfig) -> list[Any]:
    reader = csv.reader(io.StringIO(text_of(config.input), newline=""), delimiter=_separator(config), strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        refuse(f"its input is not CSV: {error} (line {reader.line_num})")
    if config.header is False or not rows:
        return rows
    names = rows[0]
    if len(set(names)) < len(names):
        refuse("two columns have the same name")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(names):
            refuse(f"row {number} has {len(row)} values for {len(names)} columns")
    bounded(len("".join(names)) * len(rows))
    return [dict(zip(names, row, strict=True)) for row in rows[1:]]


def _csv_dump(config: TransformConfig) -> str:
    items = list_of(config.input)
    names = None if items and all(isinstance(item, list) for item in items) else _columns(config, items)
    if names is None and config.fields is not None:
        refuse("`fields` names the columns of maps; its input has lists")
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=_separator(config), lineterminator="\n")
    if names is None:
        writer.writerows([_cell(value) for value in item] for item in items)
        return out.getvalue()
    bounded(len(names) * len(items))
    if config.header is not False:
        writer.writerow(names)
    writer.writerows([_cell(item.get(name)) for name in names] for item in items)
    return out.getvalue()


def _columns(config: TransformConfig, items: list[Any]) -> list[str]:
    found = dict.fromkeys(name for item in items for name in map_of(item, "each item of its input, unless all lists,"))
    return list(found if config.fields is None else config.fields)


def _cell(value: Any) -> str:
    return "" if value is None else as_text(value)


def _text(change: Callable[[str], str]) -> Callable[[TransformConfig], str]:
    return lambda config: change(text_of(config.input))


FORMATS: dict[str, Perform] = {
    "base64_decode": _base64_decode,
    "base64_encode": _text(lambda text: base64.b64encode(text.encode()).decode()),
    "csv_dump": _csv_dump,
    "csv_parse": _csv_parse,
    "html_decode": _text(html.unescape),
    "html_encode": _text(html.escape),
    "json_dump": _json_dump,
    "json_extract": _json_extract,
    "json_parse": _json_parse,
    "sha256": _sha256,
    "strip_tags": _strip_tags,
    "to_boolean": _to_boolean,
    "to_number": _to_number,
    "to_text": lambda config: as_text(config.input),
    "url_decode": _url_decode,
    "url_encode": _url_encode,
}
