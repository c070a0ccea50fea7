"""JSON text to values. Its own small reader, since the standard one says where nothing stands."""

import re
from bisect import bisect_right
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final, NoReturn, cast

from orchestrator.definition.source import Builder, Mark, Source, finite, refuse

__all__ = ["read_json"]

_DECODER = JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z]+")
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_CLOSES: Final = {"{": "}", "[": "]"}
_MOST_DIGITS = 40


def read_json(text: str) -> Source:
    """Read one JSON document.

    Raises:
        DefinitionError: The text is not JSON, or not what a definition may hold.
    """
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._builder = Builder()
        self._open: list[str] = []
        self._fresh = False

    def read(self) -> Source:
        self._value()
        while self._open:
            self._next_item()
        self._skip()
        if self._at < len(self._text):
            self._fail("nothing may follow the document")
        return self._builder.finish()

    def _mark(self, at: int) -> Mark:
        line = bisect_right(self._lines, at)
        return line, at - self._lines[line - 1] + 1

    def _fail(self, reason: str) -> NoReturn:
        refuse("DEF001", f"Not JSON: {reason}", self._mark(self._at))

    def _skip(self) -> str:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def _next_item(self) -> None:
        """Read what follows inside the innermost mapping or list: its end, or one more item."""
        container = self._open[-1]
        char = self._skip()
        first, self._fresh = self._fresh, False
        if char == _CLOSES[container]:
            self._at += 1
            self._open.pop()
            self._builder.close()
            return
        if not first:
            if char != ",":
                self._fail(f"expected ',' or '{_CLOSES[container]}'")
            self._at += 1
            char = self._skip()
        if container == "{":
            self._key(char)
        self._value()

    def _key(self, char: str) -> None:
        if char != '"':
            self._fail("expected a key in double quotes")
        mark = self._mark(self._at)
        self._builder.key(self._string(), mark)
        if self._skip() != ":":
            self._fail("expected ':' after a key")
        self._at += 1

    def _string(self) -> str:
        try:
            value, self._at = cast("tuple[str, int]", _DECODER.raw_decode(self._text, self._at))
        except JSONDecodeError as error:
            self._at = min(error.pos, len(self._text))
            self._fail(error.msg)
        return value

    def _value(self) -> None:
        char = self._skip()
        mark = self._mark(self._at)
        if char in _CLOSES:
            self._builder.open({} if char == "{" else [], mark)
            self._open.append(char)
            self._at += 1
            self._fresh = True
        elif char == '"':
            self._builder.scalar(self._string(), mark)
        else:
            self._builder.scalar(self._plain(mark), mark)

    def _plain(self, mark: Mark) -> Any:
        number = _NUMBER.match(self._text, self._at)
        if number:
            self._at = number.end()
            if number[1] or number[2]:
                return finite(float(number[0]), mark)
            if len(number[0]) > _MOST_DIGITS:
                refuse("DEF004", "This whole number does not fit in 64 bits", mark, hint="Write it as text.")
            return int(number[0])
        word = _WORD.match(self._text, self._at)
        if word is None or word[0] not in _WORDS:
            self._fail("expected a value" if self._at < len(self._text) else "the text ends too early")
        self._at = word.end()
        return _WORDS[word[0]]
