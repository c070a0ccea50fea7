"""The operations of Transform on maps, and on each map of a list."""

from typing import Any, cast

from pydantic_core import to_json

from activities.operations.values import Perform, bounded, each_map, list_of, map_of, refuse, text_of
from orchestrator.node_types.transform import TransformConfig

__all__ = ["MAPS"]

_DEEPEST = 100


def _merge(config: TransformConfig) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for item in list_of(config.input):
        fields = map_of(item, "each item of its input")
        if config.deep:
            _merge_into(merged, fields, 1)
        else:
            merged.update(fields)
    return merged


def _merge_into(merged: dict[str, Any], other: dict[str, Any], depth: int) -> None:
    """Puts ``other`` into ``merged``, whose maps are all its own."""
    if depth > _DEEPEST:
        refuse(f"its maps are nested more than {_DEEPEST} deep")
    for key, value in other.items():
        if not isinstance(value, dict):
            merged[key] = value
            continue
        inner = merged.get(key)
        if not isinstance(inner, dict):
            inner = merged[key] = {}
        _merge_into(cast("dict[str, Any]", inner), cast("dict[str, Any]", value), depth + 1)


def _pick(config: TransformConfig) -> Any:
    names = config.fields or ()
    return each_map(config.input, lambda found: {name: found[name] for name in names if name in found})


def _remove(config: TransformConfig) -> Any:
    names = frozenset(config.fields or ())
    return each_map(config.input, lambda found: {key: value for key, value in found.items() if key not in names})


def _rename(config: TransformConfig) -> Any:
    names = config.names or {}

    def renamed(found: dict[str, Any]) -> dict[str, Any]:
        changed = {names.get(key, key): value for key, value in found.items()}
        if len(changed) < len(found):
            refuse("two fields would have the same name")
        return changed

    _bounded(config.input, len("".join(names.values())))
    return each_map(config.input, renamed)


def _set(config: TransformConfig) -> Any:
    values = config.values or {}
    _bounded(config.input, len(to_json(values)))
    return each_map(config.input, lambda found: found | values)


def _bounded(value: Any, added: int) -> None:
    if isinstance(value, list):
        bounded(len(cast("list[Any]", value)) * added)


def _entries(config: TransformConfig) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in map_of(config.input).items()]


def _from_entries(config: TransformConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in list_of(config.input):
        entry = map_of(item, "each item of its input")
        if entry.keys() != {"key", "value"}:
            refuse("each item of its input must have the fields `key` and `value`, and no others")
        found[text_of(entry["key"], "the `key` of each item")] = entry["value"]
    return found


def _get(config: TransformConfig) -> Any:
    value: Any = config.input
    for step in (config.path or "").split("."):
        if isinstance(value, dict) and step in value:
            value = cast("dict[str, Any]", value)[step]
        elif isinstance(value, list) and step.isascii() and step.isdigit() and _within(step, cast("list[Any]", value)):
            value = cast("list[Any]", value)[int(step)]
        elif "default" in config.model_fields_set:
            return config.default
        else:
            refuse(f"there is nothing at {config.path!r}, beginning with {step!r}; say what to give with `default`")
    return value


def _within(step: str, items: list[Any]) -> bool:
    # Lengths first: Python refuses to read numbers of very many digits.
    return len(step) <= len(str(len(items))) and int(step) < len(items)


MAPS: dict[str, Perform] = {
    "entries": _entries,
    "from_entries": _from_entries,
    "get": _get,
    "keys": lambda config: list(map_of(config.input)),
    "merge": _merge,
    "pick": _pick,
    "remove": _remove,
    "rename": _rename,
    "set": _set,
    "values": lambda config: list(map_of(config.input).values()),
}
