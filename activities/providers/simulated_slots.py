"""Fills a JSON Schema with what a text says: by pattern, by the names of fields, and with blanks where it says nothing.

What comes out is valid as far as this reads schemas: types, ``enum``, ``const``, ``$ref`` within the schema, the first
way of ``anyOf`` and ``oneOf``, ``allOf`` put together, bounds of numbers and lengths, common formats, and a ``pattern``
that something in the text fits. A schema that asks for more may get what is not valid: whoever asked checks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import jsonschema_rs

from activities.providers.simulated_find import (
    Found,
    closest,
    dates,
    emails,
    links,
    named,
    numbers,
    phones,
    said_yes,
    split_name,
)
from activities.providers.simulated_schemas import Schema, fits, fitted, kind_of, lowest, resolved, sized
from activities.providers.simulated_words import OPTION, chosen, nearest, sentences, words

__all__ = ["filled"]

_DEEPEST: Final = 12
_MOST_SLOTS: Final = 1_000
_MOST_TEXT: Final = 20_000
"""Characters of a text that are looked at: the worker has other things to do meanwhile."""
_BY_LOOK: Final[Mapping[str, Callable[[str], Iterator[Found]]]] = {
    "email": emails,
    "mail": emails,
    "date": dates,
    "uri": links,
    "url": links,
    "link": links,
    "phone": phones,
}
"""By the format, or by a word in the name of the field."""
_BLANKS: Final[Mapping[str, str]] = {
    "email": "nobody@example.com",
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
}
_WHOLE: Final = frozenset({"summary", "text", "message", "question", "request", "description", "reason", "comment"})
"""Fields that take what was said as it is."""
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class _Slot:
    """A place to fill: its schema, the words of its name, and how deep it is."""

    schema: Schema
    name: tuple[str, ...] = ()
    depth: int = 0


def filled(schema: Schema, said: Sequence[str]) -> Any:
    """A value for ``schema``, from what was ``said``, the most important first."""
    return _Filling(schema, [text[:_MOST_TEXT] for text in said] or [""]).value(_Slot(schema))


class _Filling:
    """Fills the slots of one schema. What finds nothing gives none; then the slot is left out, null, or blank."""

    def __init__(self, root: Schema, said: Sequence[str]) -> None:
        self._root = root
        self._said = said
        self._left = _MOST_SLOTS

    def value(self, slot: _Slot) -> Any:
        """What belongs into a slot, or a blank."""
        slot = replace(slot, schema=self._plain(slot.schema))
        found = self._found(slot)
        return self._blank(slot) if found is None else found

    def _plain(self, schema: Any) -> Schema:
        return resolved(schema, self._root)

    def _found(self, slot: _Slot) -> Any:
        schema = slot.schema
        self._left -= 1
        if self._left < 0:
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list):
            return self._choice(schema["enum"])
        kind = kind_of(schema)
        if kind in {"object", "array"}:
            return self._object(slot) if kind == "object" else self._array(slot)
        fill = {"boolean": self._boolean, "integer": self._number, "number": self._number, "string": self._string}
        value = fill[kind](slot) if kind in fill else None
        return value if fits(value, schema) else None

    def _choice(self, options: Sequence[Any]) -> Any:
        labels = [option for option in options if isinstance(option, str)]
        for text in self._said:
            listed = chosen(text) if OPTION.search(text) else ""
            if listed in labels:
                return listed
            found = nearest(labels, text) or next((one for one in labels if one.lower() in text.lower()), None)
            if found is not None:
                return found
        return None

    def _object(self, slot: _Slot) -> dict[str, Any] | None:
        properties = slot.schema.get("properties")
        required: set[str] = set(slot.schema.get("required") or ())
        found: dict[str, Any] = {}
        if slot.depth >= _DEEPEST:
            return None
        for name, schema in cast("Schema", properties if isinstance(properties, Mapping) else {}).items():
            part = _Slot(self._plain(schema), tuple(split_name(name)), slot.depth + 1)
            value = self._found(part)
            if value is None and name in required:
                value = self._blank(part)
            elif value is None:
                continue
            found[name] = value
        for name in sorted(required - found.keys()):
            found[name] = _UNKNOWN
        return found if found or not slot.name else None

    def _array(self, slot: _Slot) -> list[Any] | None:
        items = self._plain(slot.schema.get("items", {}))
        least, most = slot.schema.get("minItems", 0), slot.schema.get("maxItems", 20)
        found = self._several(replace(slot, schema=items, depth=slot.depth + 1))[:most]
        for _ in range(least - len(found)):
            found.append(self.value(_Slot(items, slot.name, slot.depth + 1)))
        return found or None

    def _several(self, item: _Slot) -> list[Any]:
        """All that a text has of one kind."""
        text = self._said[0]
        if isinstance(item.schema.get("enum"), list):
            return [one for one in item.schema["enum"] if isinstance(one, str) and words(one) & words(text)]
        look = _look(item)
        if look is not None:
            return list(dict.fromkeys(value for _, value in look(text) if fits(value, item.schema)))
        if kind_of(item.schema) in {"integer", "number"}:
            fitting = (fitted(value, item.schema) for _, value in sorted(numbers(text)))
            return [value for value in fitting if value is not None]
        one = self._found(item) if item.depth < _DEEPEST else None
        return [] if one is None else [one]

    def _boolean(self, slot: _Slot) -> bool | None:
        return next((yes for text in self._said if (yes := said_yes(text, slot.name)) is not None), None)

    def _number(self, slot: _Slot) -> int | float | None:
        for text in self._said:
            fitting = ((place, value) for place, value in numbers(text) if fitted(value, slot.schema) is not None)
            found = closest(fitting, text, slot.name)
            if found is not None:
                return fitted(found, slot.schema)
        return None

    def _string(self, slot: _Slot) -> str | None:
        for text in self._said:
            found = self._string_in(text, slot)
            if found is not None:
                return sized(found, slot.schema)
        return None

    def _string_in(self, text: str, slot: _Slot) -> str | None:
        pattern, look = slot.schema.get("pattern"), _look(slot)
        if isinstance(pattern, str):
            return _fitting(pattern, text)
        if look is not None:
            return closest(look(text), text, slot.name)
        if slot.schema.get("format") in _BLANKS:
            return None
        found = named(text, slot.name) if slot.name else None
        if found is None and (not slot.name or _WHOLE & set(slot.name)):
            return next(iter(sentences(text)), None)
        return found

    def _blank(self, slot: _Slot) -> Any:
        """What a slot holds where nothing was found."""
        schema = slot.schema
        types = schema.get("type")
        options = schema.get("enum")
        if isinstance(options, list) and options:
            return None if None in options else cast("list[Any]", options)[0]
        if types == "null" or (isinstance(types, list) and "null" in types):
            return None
        kind = kind_of(schema)
        if kind in {"integer", "number"}:
            return lowest(schema)
        if kind == "string":
            return sized(_BLANKS.get(str(schema.get("format")), _UNKNOWN), schema)
        blanks: Mapping[str, Any] = {"boolean": False, "array": [], "object": {}}
        return blanks.get(kind)


def _look(slot: _Slot) -> Callable[[str], Iterator[Found]] | None:
    if kind_of(slot.schema) != "string":
        return None
    if "format" in slot.schema:
        return _BY_LOOK.get(str(slot.schema["format"]))
    return next((_BY_LOOK[name] for name in slot.name if name in _BY_LOOK), None)


def _fitting(pattern: str, text: str) -> str | None:
    """The first word of a text that a pattern takes, else the whole."""
    try:
        fits = jsonschema_rs.validator_for({"type": "string", "pattern": pattern}).is_valid
    except ValueError:  # it is no pattern; whoever asked refuses the schema
        return None
    candidates = [*(word.strip(".,;:!?()'\"") for word in text.split()), text]
    return next((one for one in candidates if fits(one)), None)
