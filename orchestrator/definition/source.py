"""Text to JSON values, with the line and column of every one of them."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, cast

from orchestrator.errors import DefinitionError, Issue
from orchestrator.graph.plan import Path

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "Builder", "Mark", "Source", "check_values", "finite", "refuse"]

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 50
MAX_VALUES: Final = 100_000
_INT64: Final = range(-(2**63), 2**63)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")

Mark = tuple[int, int]
"""Line and column, 1-based."""


@dataclass(frozen=True, slots=True)
class Source:
    """A definition's data, and where in the text each value and each key stands (empty when there was no text)."""

    data: dict[str, Any]
    values: Mapping[Path, Mark] = field(default_factory=dict[Path, Mark])
    keys: Mapping[Path, Mark] = field(default_factory=dict[Path, Mark])

    def mark(self, path: Path, *, key: bool = False) -> Mark | None:
        """Where ``path`` stands, or else the nearest value around it; ``key`` asks for the key's own place."""
        if key and path in self.keys:
            return self.keys[path]
        for length in range(len(path), -1, -1):
            found = self.values.get(path[:length])
            if found is not None:
                return found
        return None


def refuse(code: str, message: str, mark: Mark | None = None, *, hint: str | None = None, path: str = "") -> NoReturn:
    """Raise for a text that cannot be read at all: one issue, and no others are looked for."""
    line, column = mark or (None, None)
    issue = Issue(code=code, path=path, message=message, line=line, column=column, hint=hint)
    place = f" (line {line}, column {column})" if mark else ""
    raise DefinitionError(f"{message}{place}", [issue])


@dataclass(slots=True)
class _Anchor:
    value: Any
    weight: int
    depth: int


@dataclass(slots=True)
class _Frame:
    value: dict[str, Any] | list[Any]
    path: Path
    anchor: str | None
    weight_before: int
    key: str | None = None
    deepest: int = 0


class Builder:
    """Puts a document together from a reader's events, and stops it as soon as a bound is passed."""

    def __init__(self) -> None:
        self.values: dict[Path, Mark] = {}
        self.keys: dict[Path, Mark] = {}
        self._frames: list[_Frame] = []
        self._anchors: dict[str, _Anchor] = {}
        self._weight = 0
        self._count = 0
        self._root: Any = None

    @property
    def wants_key(self) -> bool:
        """Whether the next thing must be a key of a mapping."""
        return bool(self._frames) and isinstance(self._frames[-1].value, dict) and self._frames[-1].key is None

    def key(self, text: str, mark: Mark | None) -> None:
        """Take a mapping's key."""
        frame = self._frames[-1]
        self._check_text(text, mark)
        if text in frame.value:
            refuse("DEF003", f"The key {text!r} stands twice in the same mapping", mark)
        frame.key = text
        if mark is not None:
            self.keys[*frame.path, text] = mark

    def scalar(self, value: Any, mark: Mark | None, anchor: str | None = None) -> None:
        """Take a string, number, truth value or null."""
        if isinstance(value, str):
            self._check_text(value, mark)
        elif isinstance(value, int) and value not in _INT64:
            refuse("DEF004", "This whole number does not fit in 64 bits", mark, hint="Write it as text, in quotes.")
        before = self._weight
        self._add(value, mark, weight=1 + len(value) // 16 if isinstance(value, str) else 1)
        if anchor is not None:
            self._anchors[anchor] = _Anchor(value, self._weight - before, 0)

    def open(self, value: dict[str, Any] | list[Any], mark: Mark | None, anchor: str | None = None) -> None:
        """Start a mapping or a list."""
        if len(self._frames) >= MAX_DEPTH:
            refuse("DEF002", f"Nested more than {MAX_DEPTH} deep", mark)
        before = self._weight
        path = self._add(value, mark, weight=1)
        if anchor is not None:
            self._anchors.pop(anchor, None)
        self._frames.append(_Frame(value, path, anchor, before))

    def close(self) -> None:
        """End the innermost mapping or list."""
        frame = self._frames.pop()
        if frame.anchor is not None:
            self._anchors[frame.anchor] = _Anchor(frame.value, self._weight - frame.weight_before, frame.deepest + 1)
        self._deepen(frame.deepest + 1)

    def alias(self, name: str, mark: Mark) -> None:
        """Take what an anchor stands for; it counts as often as it is used."""
        anchor = self._anchors.get(name)
        if anchor is None:
            refuse("DEF001", f"The alias *{name} stands for nothing, or for itself", mark)
        if len(self._frames) + anchor.depth > MAX_DEPTH:
            refuse("DEF002", f"Nested more than {MAX_DEPTH} deep", mark)
        self._deepen(anchor.depth)
        self._add(anchor.value, mark, weight=anchor.weight)

    def finish(self) -> Source:
        """The document, which must be a mapping."""
        root: Any = self._root
        if not isinstance(root, dict):
            refuse("DEF005", "A definition must be a mapping: name, nodes, edges and so on", self.values.get(()))
        return Source(cast("dict[str, Any]", root), self.values, self.keys)

    def _add(self, value: Any, mark: Mark | None, *, weight: int) -> Path:
        self._weight += weight
        if self._weight > MAX_VALUES:
            refuse("DEF002", f"More than {MAX_VALUES:,} values (each alias counts as all that it stands for)", mark)
        if not self._frames:
            self._root = value
            path: Path = ()
        elif isinstance((frame := self._frames[-1]).value, list):
            path = (*frame.path, len(frame.value))
            frame.value.append(value)
        else:
            key = cast("str", frame.key)
            path = (*frame.path, key)
            frame.value[key] = value
            frame.key = None
        if mark is not None:
            self.values[path] = mark
        return path

    def _deepen(self, levels: int) -> None:
        if self._frames:
            self._frames[-1].deepest = max(self._frames[-1].deepest, levels)

    def _check_text(self, text: str, mark: Mark | None) -> None:
        found = _CONTROL.search(text)
        if found:
            refuse("DEF006", f"A control character (U+{ord(found[0]):04X}) may not stand in a definition", mark)


def check_values(data: Mapping[str, Any]) -> Source:
    """Hold a definition that came as a mapping to the same bounds as one that came as text.

    Raises:
        DefinitionError: Something is not a JSON value, or a bound is passed.
    """
    builder = Builder()
    _walk(builder, data)
    return builder.finish()


def _walk(builder: Builder, value: Any) -> None:
    if value is None or isinstance(value, (bool, int, str)):
        builder.scalar(value, None)
    elif isinstance(value, float):
        builder.scalar(finite(value, None), None)
    elif isinstance(value, Mapping):
        builder.open({}, None)
        for key, item in cast("Mapping[Any, Any]", value).items():
            if not isinstance(key, str):
                refuse("DEF003", f"The key {key!r} must be text")
            builder.key(key, None)
            _walk(builder, item)
        builder.close()
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        builder.open([], None)
        for item in cast("Sequence[Any]", value):
            _walk(builder, item)
        builder.close()
    else:
        refuse("DEF001", f"A value of type {type(value).__name__} is not JSON")


def finite(number: float, mark: Mark | None) -> float:
    """The number, unless it is NaN or infinite, which JSON does not have."""
    if not math.isfinite(number):
        refuse("DEF004", "NaN, Infinity and numbers beyond 1.8e308 may not stand in a definition", mark)
    return number
