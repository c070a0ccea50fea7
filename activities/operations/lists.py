"""The operations of Transform on lists; a few of them take text as well."""

import math
from itertools import chain
from typing import Any, cast

from activities.operations.values import Perform, bounded, field, identity, kind, list_of, map_of, refuse, text_of
from orchestrator.node_types.transform import TransformConfig

__all__ = ["LISTS"]


def _concat(config: TransformConfig) -> Any:
    items = list_of(config.input)
    if items and all(isinstance(item, str) for item in items):
        return "".join(items)
    if not all(isinstance(item, list) for item in items):
        refuse("its input must be a list of lists, or a list of texts")
    return [item for part in items for item in part]


def _sort(config: TransformConfig) -> list[Any]:
    items = list_of(config.input)
    keys = _comparable(items, config.by, "sorted")
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=bool(config.descending))
    return [items[position] for position in order]


def _comparable(items: list[Any], by: str | None, done: str) -> list[Any]:
    keys = [field(item, by) for item in items]
    if not all(_is_number(key) for key in keys) and not all(isinstance(key, str) for key in keys):
        refuse(f"only numbers, or only texts, can be {done}; name a field of the items with `by`")
    return keys


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _unique(config: TransformConfig) -> list[Any]:
    first: dict[str, Any] = {}
    for item in list_of(config.input):
        first.setdefault(identity(field(item, config.by)), item)
    return list(first.values())


def _group(config: TransformConfig) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for item in list_of(config.input):
        key = field(item, config.by)
        groups.setdefault(identity(key), {"key": key, "items": []})["items"].append(item)
    return list(groups.values())


def _index(config: TransformConfig) -> dict[str, Any]:
    items = list_of(config.input)
    return {text_of(field(item, config.by), f"the field {config.by!r} of each item"): item for item in items}


def _combine(config: TransformConfig) -> list[dict[str, Any]]:
    together: dict[str, dict[str, Any]] = {}
    for item in chain.from_iterable(list_of(part, "each item of its input") for part in list_of(config.input)):
        fields = map_of(item, "each item of its lists")
        together.setdefault(identity(field(fields, config.by)), {}).update(fields)
    return list(together.values())


def _flatten(config: TransformConfig) -> list[Any]:
    flat = list_of(config.input)
    for _ in range(config.depth or 1):
        flat = [item for part in flat for item in (cast("list[Any]", part) if isinstance(part, list) else (part,))]
    return flat


def _sequence(value: Any) -> list[Any] | str:
    if isinstance(value, str):
        return value
    return cast("list[Any]", value) if isinstance(value, list) else refuse(_neither("a list or text", value))


def _neither(wanted: str, value: Any) -> str:
    return f"its input must be {wanted}, not {kind(value)}"


def _slice(config: TransformConfig) -> Any:
    return _sequence(config.input)[config.start : config.end]


def _chunk(config: TransformConfig) -> list[Any]:
    whole, size, overlap = _sequence(config.input), config.size or 1, config.overlap or 0
    if overlap >= size:
        refuse(f"overlap ({overlap}) must be less than size ({size})")
    step = size - overlap
    bounded(len(whole) // step * size)
    # A piece that only repeats the end of the one before would say nothing new.
    return [whole[at : at + size] for at in range(0, max(len(whole) - overlap, min(len(whole), 1)), step)]


def _zip(config: TransformConfig) -> list[Any]:
    lists = [list_of(item, "each item of its input") for item in list_of(config.input)]
    lengths = sorted({len(items) for items in lists})
    if len(lengths) > 1:
        refuse(f"its lists must be of one length; they have {' and '.join(map(str, (lengths[0], lengths[-1])))} items")
    if config.fields is None:
        return [list(row) for row in zip(*lists, strict=True)]
    if len(config.fields) != len(lists):
        refuse(f"`fields` has {len(config.fields)} names for {len(lists)} lists")
    names = config.fields
    bounded(len("".join(names)) * (lengths[0] if lengths else 0))
    return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]


def _compact(config: TransformConfig) -> Any:
    value: Any = config.input
    if isinstance(value, dict):
        return {key: item for key, item in cast("dict[str, Any]", value).items() if item is not None}
    return [item for item in list_of(value, "its input, unless a map,") if item is not None]


def _count(config: TransformConfig) -> int:
    value: Any = config.input
    if isinstance(value, (list, dict, str)):
        return len(cast("list[Any]", value))
    return refuse(_neither("a list, map or text", value))


def _first(config: TransformConfig) -> Any:
    return next(iter(list_of(config.input)), None)


def _last(config: TransformConfig) -> Any:
    return next(reversed(list_of(config.input)), None)


def _numbers(config: TransformConfig) -> list[float]:
    found = [field(item, config.by) for item in list_of(config.input)]
    wrong = next((value for value in found if not _is_number(value)), 0)
    return found if _is_number(wrong) else refuse(f"only numbers can be added up, not {kind(wrong)}")


def _sum(config: TransformConfig) -> float:
    return _total(_numbers(config))


def _average(config: TransformConfig) -> float:
    numbers = _not_empty(_numbers(config))
    return _total(numbers) / len(numbers)


def _total(numbers: list[float]) -> float:
    try:
        total = sum(numbers)
        return total if math.isfinite(total) else refuse("the sum is too large for a number")
    except OverflowError:
        return refuse("the sum is too large for a number")


def _not_empty(items: list[Any]) -> list[Any]:
    return items or refuse("its input must not be empty")


def _extreme(config: TransformConfig, *, largest: bool) -> Any:
    keys = _comparable(_not_empty(list_of(config.input)), config.by, "compared")
    return max(keys) if largest else min(keys)


LISTS: dict[str, Perform] = {
    "average": _average,
    "chunk": _chunk,
    "combine": _combine,
    "compact": _compact,
    "concat": _concat,
    "count": _count,
    "first": _first,
    "flatten": _flatten,
    "group": _group,
    "index": _index,
    "last": _last,
    "max": lambda config: _extreme(config, largest=True),
    "min": lambda config: _extreme(config, largest=False),
    "reverse": lambda config: _sequence(config.input)[::-1],
    "slice": _slice,
    "sort": _sort,
    "sum": _sum,
    "unique": _unique,
    "zip": _zip,
}
