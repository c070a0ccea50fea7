"""Reads JSON Schemas for the simulated model: one way of each, its type, and whether a value fits."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import jsonschema_rs

__all__ = ["Schema", "fits", "fitted", "kind_of", "lowest", "resolved", "sized"]

Schema = Mapping[str, Any]
_MOST_STEPS: Final = 100


def resolved(schema: Any, root: Schema) -> Schema:
    """A schema without references and alternatives; an empty one where it only leads to itself."""
    return _resolved(schema, root, iter(range(_MOST_STEPS)))


def _resolved(schema: Any, root: Schema, steps: Iterator[int]) -> Schema:
    """``steps`` bounds the work, whichever way a schema leads back to itself."""
    for _ in steps:
        if not isinstance(schema, Mapping):
            break
        parts = cast("Schema", schema)
        if isinstance(parts.get("$ref"), str):
            schema = {**_at(parts["$ref"], root), **{key: part for key, part in parts.items() if key != "$ref"}}
        elif isinstance(parts.get("allOf"), list):
            schema = _together(parts, [_resolved(part, root, steps) for part in parts["allOf"]])
        else:
            ways = next((parts[way] for way in ("anyOf", "oneOf") if isinstance(parts.get(way), list)), None)
            if not ways:
                return parts
            rest = {key: part for key, part in parts.items() if key not in {"anyOf", "oneOf"}}
            schema = _one_way(rest, [_resolved(way, root, steps) for way in ways])
    return {}


def _at(reference: str, root: Schema) -> Schema:
    place: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        place = cast("Schema", place).get(key) if isinstance(place, Mapping) else None
    return cast("Schema", place) if isinstance(place, Mapping) else {}


def _together(schema: Schema, parts: Sequence[Schema]) -> Schema:
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


def _one_way(rest: Schema, ways: Sequence[Schema]) -> Schema:
    """The first way that is not null; if null is one, it is what the slot holds where nothing was found."""
    way = next((way for way in ways if way.get("type") != "null"), {"type": "null"})
    can_be_null = any(way.get("type") == "null" for way in ways)
    kind = way.get("type")
    return {**rest, **way, **({"type": [kind, "null"]} if can_be_null and isinstance(kind, str) else {})}


def kind_of(schema: Schema) -> str:
    """The type that a schema is for, null aside; told by its words where it does not say."""
    types = schema.get("type")
    if isinstance(types, list):
        types = next((kind for kind in cast("list[Any]", types) if kind != "null"), "null")
    if isinstance(types, str):
        return types
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def fits(value: Any, schema: Schema) -> bool:
    """Whether a schema without references takes a value."""
    try:
        return jsonschema_rs.validator_for(dict(schema), validate_formats=True).is_valid(value)
    except ValueError:  # it is no schema; whoever asked refuses it
        return True


def fitted(value: float, schema: Schema) -> int | float | None:
    """A number, if the schema takes it."""
    if kind_of(schema) == "integer" and not float(value).is_integer():
        return None
    is_low = value < schema.get("minimum", value) or value <= schema.get("exclusiveMinimum", value - 1)
    is_high = value > schema.get("maximum", value) or value >= schema.get("exclusiveMaximum", value + 1)
    step = schema.get("multipleOf")
    return None if is_low or is_high or (step and value % step) else value


def lowest(schema: Schema) -> int | float:
    """Zero, or else the least number that a schema takes."""
    if fitted(0, schema) is not None:
        return 0
    step = schema.get("multipleOf", 1)
    start = schema.get("minimum", schema.get("exclusiveMinimum"))
    if start is None:
        return schema.get("maximum", schema.get("exclusiveMaximum", 0) - step)
    first = -(-start // step) * step
    tries = (first + step * number for number in range(2))
    return next((value for value in tries if fitted(value, schema) is not None), start)


def sized(text: str, schema: Schema) -> str:
    """A text as long as the schema wants it."""
    cut = text[: schema.get("maxLength", len(text))]
    return cut + "." * (schema.get("minLength", 0) - len(cut))
