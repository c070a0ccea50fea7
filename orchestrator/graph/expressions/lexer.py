"""Expression text to tokens, in linear time; every character that has no place in the language ends here."""

import re
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import ExpressionSyntaxError

__all__ = ["MAX_LENGTH", "Lexeme", "fail", "place", "scan"]

MAX_LENGTH = 4_000
"""Characters of one expression."""

_MAX_INT = 2**63 - 1
_PAIR = 2

_TOKEN = re.compile(
    r"""
    (?P<space>[\t\n\f\r ]+|//[^\n]*)
  | (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+\.[0-9]+|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+(?:[eE][+-]?[0-9]+)?)
  | (?P<string>(?:[bB][rR]?|[rR][bB]?)?(?:\"\"\"|'''|\"|'))
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | `(?P<quoted>[A-Za-z0-9_.\-/ ]+)`
  | (?P<operator>\|\||&&|<=|>=|==|!=|[?:<>+\-*/%!.()\[\]{},])
    """,
    re.VERBOSE | re.ASCII,
)
_UNICODE_NUL = "\x00"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_ESCAPE = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|X[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|[abfnrtv\\?\"'`])", re.ASCII
)
_NAMED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_HINTS = {
    "=": "'=' is not an operator: write '==' to compare",
    "&": "'&' is not an operator: write '&&'",
    "|": "'|' is not an operator: write '||'",
    "$": "'$' is not part of the language: write the name alone",
    "`": "a name between '`' may have letters, digits, '_', '.', '-', '/' and spaces, and must be closed",
}


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One token. ``kind`` is ``name``, ``quoted``, ``string``, ``int``, ``double``, or the operator itself."""

    kind: str
    text: str
    value: Any
    at: int


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column, 1-based, of the character ``at`` (0-based) in ``text``."""
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1


def fail(message: str, text: str, at: int) -> ExpressionSyntaxError:
    """The error to raise for what stands at the character ``at`` of ``text``."""
    line, column = place(text, at)
    return ExpressionSyntaxError(message, line=line, column=column)


def scan(text: str) -> list[Lexeme]:
    """The tokens of ``text``.

    Raises:
        ExpressionSyntaxError: The text is too long, or has something that is no token.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionSyntaxError(f"the expression has {len(text):,} characters; at most {MAX_LENGTH:,} are allowed")
    found: list[Lexeme] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise fail(_unexpected(text[at]), text, at)
        kind, start, at = match.lastgroup, at, match.end()
        if kind == "space":
            _check_controls(text, start, at)
        elif kind == "string":
            lexeme, at = _string(text, start, match["string"])
            found.append(lexeme)
        elif kind == "number":
            found.append(_number(text, start, match["number"], found))
        elif kind == "operator":
            _drop_trailing_comma(found, match[0])
            found.append(Lexeme(match[0], match[0], match[0], start))
        else:
            name = match["name"] or match["quoted"]
            found.append(Lexeme(kind or "name", match[0], name, start))
    return found


def _unexpected(character: str) -> str:
    if character in _HINTS:
        return _HINTS[character]
    if not character.isprintable():
        return f"the character U+{ord(character):04X} has no place in an expression"
    return f"unexpected {character!r}"


def _check_controls(text: str, start: int, end: int) -> None:
    bad = _CONTROL.search(text, start, end)
    if bad is not None:
        raise fail(_unexpected(bad[0]), text, bad.start())


def _drop_trailing_comma(found: list[Lexeme], closing: str) -> None:
    """CEL allows ``[1, 2,]``; the grammar does not."""
    opening = {"]": "[", "}": "{"}.get(closing)
    if (
        opening is not None
        and len(found) >= _PAIR
        and found[-1].kind == ","
        and found[-_PAIR].kind not in {"[", "{", "("}
        and found[-_PAIR].kind != ","
    ):
        found.pop()


def _number(text: str, start: int, digits: str, before: list[Lexeme]) -> Lexeme:
    following = text[start + len(digits) : start + len(digits) + 1]
    if following in {"u", "U"}:
        raise fail(f"unsigned integers are not part of the language: write {digits} without the 'u'", text, start)
    if following == "_" or (following.isalnum() and following.isascii()):
        raise fail(f"unexpected {following!r} right after the number {digits[:40]}", text, start + len(digits))
    if digits[:2] in {"0x", "0X"}:
        return _integer(text, start, digits, int(digits, 16), before)
    if digits.isdigit():
        return _integer(text, start, digits, int(digits), before)
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise fail(f"the number {digits[:40]} is too large", text, start)
    return Lexeme("double", digits, value, start)


def _integer(text: str, start: int, digits: str, value: int, before: list[Lexeme]) -> Lexeme:
    # The smallest integer has no positive counterpart: its digits are right only after a minus sign.
    smallest = value == _MAX_INT + 1 and bool(before) and before[-1].kind == "-"
    if value > _MAX_INT and not smallest:
        raise fail(f"the integer {digits[:40]} does not fit 64 bits", text, start)
    return Lexeme("int", digits, value, start)


def _string(text: str, start: int, opening: str) -> tuple[Lexeme, int]:
    """The string that starts at ``start``, and where it ends."""
    quote = opening.lstrip("bBrR")
    prefix = opening[: len(opening) - len(quote)].lower()
    if "b" in prefix:
        raise fail("byte strings are not part of the language: JSON has none", text, start)
    raw, many_lines = "r" in prefix, len(quote) > 1
    parts: list[str] = []
    at = start + len(opening)
    while not text.startswith(quote, at):
        if at >= len(text) or (text[at] in "\r\n" and not many_lines):
            raise fail(f"the string that starts here is not closed: a {quote} is missing", text, start)
        if text[at] == "\\" and not raw:
            character, at = _escape(text, at)
        else:
            character, at = _plain(text, at), at + 1
        parts.append(character)
    return Lexeme("string", text[start : at + len(quote)], "".join(parts), start), at + len(quote)


def _plain(text: str, at: int) -> str:
    if "\ud800" <= text[at] <= "\udfff" or text[at] == _UNICODE_NUL:
        raise fail(_unexpected(text[at]), text, at)
    return text[at]


def _escape(text: str, at: int) -> tuple[str, int]:
    match = _ESCAPE.match(text, at)
    if match is None:
        shown = text[at : at + 2]
        raise fail(f"unknown escape {shown}: write \\\\ for a backslash, or use a raw string r'…'", text, at)
    body = match[0][1:]
    if body[0] in "xXuU":
        code = int(body[1:], 16)
    elif body[0].isdigit():
        code = int(body, 8)
    else:
        return _NAMED.get(body, body), match.end()
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:  # noqa: PLR2004 -- the bounds of Unicode, not ours
        raise fail(f"{match[0]} is not a Unicode character", text, at)
    return chr(code), match.end()
