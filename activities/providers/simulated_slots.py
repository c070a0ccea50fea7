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
from activities.providers.simulated_words import OPTION, chosen, nearest, sentences, words

__all__ = ["filled"]

_DEEPEST: Final = 12
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

_Schema = Mapping[str, Any]


@dataclass(frozen=True)
class _Slot:
    """A place to fill: its schema, the words of its name, and how deep it is."""

    schema: _Schema
    name: tuple[str, ...] = ()
    depth: int = 0


def filled(schema: _Schema, said: Sequence[str]) -> Any:
    """A value for ``schema``, from what was ``said``, the most important first."""
    return _Filling(schema, said or ("",)).value(_Slot(schema))


class _Filling:
    """Fills the slots of one schema. What finds nothing gives none; then the slot is left out, null, or blank."""

    def __init__(self, root: _Schema, said: Sequence[str]) -> None:
        self._root = root
        self._said = said

    def value(self, slot: _Slot) -> Any:
        """What belongs into a slot, or a blank."""
        slot = replace(slot, schema=self._resolved(slot.schema))
        found = self._found(slot)
        return self._blank(slot) if found is None else found

    def _resolved(self, schema: Any) -> _Schema:
        """A schema without references and alternatives."""
        for _ in range(_DEEPEST):
            if not isinstance(schema, Mapping):
                return {}
            parts = cast("_Schema", schema)
            if isinstance(parts.get("$ref"), str):
                schema = {**self._at(parts["$ref"]), **{key: part for key, part in parts.items() if key != "$ref"}}
            elif isinstance(parts.get("allOf"), list):
                schema = _together(parts, [self._resolved(part) for part in parts["allOf"]])
            else:
                ways = next((parts[way] for way in ("anyOf", "oneOf") if isinstance(parts.get(way), list)), None)
                if not ways:
                    return parts
                rest = {key: part for key, part in parts.items() if key not in {"anyOf", "oneOf"}}
                schema = _one_way(rest, [self._resolved(way) for way in ways])
        return {}

    def _at(self, reference: str) -> _Schema:
        place: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            place = cast("_Schema", place).get(key) if isinstance(place, Mapping) else None
        return cast("_Schema", place) if isinstance(place, Mapping) else {}

    def _found(self, slot: _Slot) -> Any:
        schema = slot.schema
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list):
            return self._choice(schema["enum"])
        fill = {
            "object": self._object,
            "array": self._array,
            "boolean": self._boolean,
            "integer": self._number,
            "number": self._number,
            "string": self._string,
        }.get(_type(schema))
        return fill(slot) if fill else None

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
        for name, schema in cast("_Schema", properties if isinstance(properties, Mapping) else {}).items():
            part = _Slot(self._resolved(schema), tuple(split_name(name)), slot.depth + 1)
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
        items = self._resolved(slot.schema.get("items", {}))
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
            return list(dict.fromkeys(value for _, value in look(text)))
        if _type(item.schema) in {"integer", "number"}:
            fitting = (_fitted(value, item.schema) for _, value in sorted(numbers(text)))
            return [value for value in fitting if value is not None]
        one = self._found(item) if item.depth < _DEEPEST else None
        return [] if one is None else [one]

    def _boolean(self, slot: _Slot) -> bool | None:
        return next((yes for text in self._said if (yes := said_yes(text, slot.name)) is not None), None)

    def _number(self, slot: _Slot) -> int | float | None:
        for text in self._said:
            fitting = ((place, value) for place, value in numbers(text) if _fitted(value, slot.schema) is not None)
            found = closest(fitting, text, slot.name)
            if found is not None:
                return _fitted(found, slot.schema)
        return None

    def _string(self, slot: _Slot) -> str | None:
        for text in self._said:
            found = self._string_in(text, slot)
            if found is not None:
                return _sized(found, slot.schema)
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
        kind = _type(schema)
        if kind in {"integer", "number"}:
            return _lowest(schema)
        if kind == "string":
            return _sized(_BLANKS.get(str(schema.get("format")), _UNKNOWN), schema)
        blanks: Mapping[str, Any] = {"boolean": False, "array": [], "object": {}}
        return blanks.get(kind)


def _together(schema: _Schema, parts: Sequence[_Schema]) -> _Schema:
    """What ``allOf`` says, in one."""
    whole: dict[str, Any] = {key: part for key, part in schema.items() if key != "allOf"}
    for part in parts:
        for key, value in part.items():
            if key == "properties":
                whole[key] = {**whole.get(key, {}), **value}
            elif key == "required":
                whole[key] = [*whole.get(key, []), *value]
            else:
                whole.setdefault(key, value)
    return whole


def _one_way(rest: _Schema, ways: Sequence[_Schema]) -> _Schema:
    """The first way that is not null; if null is one, it is what the slot holds where nothing was found."""
    way = next((way for way in ways if way.get("type") != "null"), {"type": "null"})
    can_be_null = any(way.get("type") == "null" for way in ways)
    kind = way.get("type")
    return {**rest, **way, **({"type": [kind, "null"]} if can_be_null and isinstance(kind, str) else {})}


def _type(schema: _Schema) -> str:
    """The type that a schema is for, null aside; told by its words where it does not say."""
    types = schema.get("type")
    if isinstance(types, list):
        types = next((kind for kind in cast("list[Any]", types) if kind != "null"), "null")
    if isinstance(types, str):
        return types
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _look(slot: _Slot) -> Callable[[str], Iterator[Found]] | None:
    if _type(slot.schema) != "string":
        return None
    by_format = _BY_LOOK.get(str(slot.schema.get("format")))
    return by_format or next((_BY_LOOK[name] for name in slot.name if name in _BY_LOOK), None)


def _fitted(value: float, schema: _Schema) -> int | float | None:
    """A number, if the schema takes it."""
    if _type(schema) == "integer" and not float(value).is_integer():
        return None
    is_low = value < schema.get("minimum", value) or value <= schema.get("exclusiveMinimum", value - 1)
    is_high = value > schema.get("maximum", value) or value >= schema.get("exclusiveMaximum", value + 1)
    step = schema.get("multipleOf")
    return None if is_low or is_high or (step and value % step) else value


def _lowest(schema: _Schema) -> int | float:
    """Zero, or else the least number that a schema takes."""
    if _fitted(0, schema) is not None:
        return 0
    step = schema.get("multipleOf", 1)
    start = schema.get("minimum", schema.get("exclusiveMinimum"))
    if start is None:
        return schema.get("maximum", schema.get("exclusiveMaximum", 0) - step)
    first = -(-start // step) * step
    tries = (first + step * number for number in range(2))
    return next((value for value in tries if _fitted(value, schema) is not None), start)


def _sized(text: str, schema: _Schema) -> str:
    cut = text[: schema.get("maxLength", len(text))]
    return cut + "." * (schema.get("minLength", 0) - len(cut))


def _fitting(pattern: str, text: str) -> str | None:
    """The first word of a text that a pattern takes, else the whole."""
    try:
        fits = jsonschema_rs.validator_for({"type": "string", "pattern": pattern}).is_valid
    except ValueError:  # it is no pattern; whoever asked refuses the schema
        return None
    candidates = [*(word.strip(".,;:!?()'\"") for word in text.split()), text]
    return next((one for one in candidates if fits(one)), None)
