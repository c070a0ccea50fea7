"""The filters and tests of templates. Each filter's work is metered, so that no template can run long or grow large."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote

from pydantic_core import to_json

from orchestrator.errors import TemplateError
from orchestrator.templating.meter import Meter, kind

__all__ = ["FILTER_NAMES", "TEST_NAMES", "filters"]

_MAX_RANGE = 10_000
_MAX_INDENT = 200

TEST_NAMES = frozenset(
    {
        "boolean",
        "defined",
        "divisibleby",
        "endingwith",
        "even",
        "false",
        "float",
        "integer",
        "iterable",
        "mapping",
        "none",
        "number",
        "odd",
        "sequence",
        "startingwith",
        "string",
        "true",
        "undefined",
    }
)


def _range(meter: Meter, *bounds: int) -> list[int]:
    numbers = list(islice(range(*bounds), _MAX_RANGE + 1))
    if len(numbers) > _MAX_RANGE:
        raise TemplateError(f"range has more than {_MAX_RANGE} numbers")
    meter.spend(len(numbers))
    return numbers


def _lower(meter: Meter, value: Any) -> str:
    return meter.text(value).lower()


def _upper(meter: Meter, value: Any) -> str:
    return meter.text(value).upper()


def _title(meter: Meter, value: Any) -> str:
    return meter.text(value).title()


def _capitalize(meter: Meter, value: Any) -> str:
    return meter.text(value).capitalize()


def _trim(meter: Meter, value: Any, characters: str | None = None) -> str:
    return meter.text(value).strip(characters)


def _replace(meter: Meter, value: Any, old: str, new: str) -> str:
    text = meter.text(value)
    meter.spend(text.count(old) * len(new))
    return text.replace(old, new)


def _split(meter: Meter, value: Any, separator: str | None = None) -> list[str]:
    return meter.parts(meter.text(value).split(separator))


def _lines(meter: Meter, value: Any) -> list[str]:
    return meter.parts(meter.text(value).splitlines())


def _join(meter: Meter, value: Any, separator: str = "", attribute: str | None = None) -> str:
    items = meter.items(value)
    meter.spend(len(separator) * len(items))
    return separator.join([meter.text(_attribute(item, attribute)) for item in items])


def _indent(meter: Meter, value: Any, width: int = 4) -> str:
    if not 0 <= width <= _MAX_INDENT:
        raise TemplateError(f"indent takes 0 to {_MAX_INDENT} columns, not {width}")
    text = meter.text(value)
    meter.spend(text.count("\n") * width)
    return text.replace("\n", "\n" + " " * width)


def _truncate(meter: Meter, value: Any, length: int = 255, end: str = "…") -> str:
    text = meter.text(value)
    return text if len(text) <= length else text[: max(length - len(end), 0)] + end


def _wordcount(meter: Meter, value: Any) -> int:
    return len(meter.text(value).split())


def _string(meter: Meter, value: Any) -> str:
    return meter.text(value)


def _urlencode(meter: Meter, value: Any) -> str:
    return quote(meter.text(value), safe="")


def _tojson(meter: Meter, value: Any, indent: int | None = None) -> str:
    if indent is not None and not 0 <= indent <= _MAX_INDENT:
        raise TemplateError(f"tojson indents by 0 to {_MAX_INDENT} columns, not {indent}")
    plain = to_json(value).decode()
    meter.spend(len(plain))
    if indent is None:
        return plain
    # Each comma or bracket begins at most one line, indented at most as deep as there are brackets.
    meter.spend((plain.count(",") + 2 * plain.count("{") + 2 * plain.count("[")) * indent)
    pretty = json.dumps(value, indent=indent, ensure_ascii=False)
    meter.spend(len(pretty))
    return pretty


def _length(_meter: Meter, value: Any) -> int:
    if not isinstance(value, (str, Sequence, Mapping)):
        raise TemplateError(f"{kind(value)} has no length")
    return len(cast("Sequence[Any]", value))


def _first(_meter: Meter, value: Sequence[Any]) -> Any:
    return value[0]


def _last(_meter: Meter, value: Sequence[Any]) -> Any:
    return value[-1]


def _list(meter: Meter, value: Any) -> list[Any]:
    return meter.items(value)


def _reverse(meter: Meter, value: Any) -> Any:
    return meter.text(value)[::-1] if isinstance(value, str) else meter.items(value)[::-1]


def _sort(meter: Meter, value: Any, attribute: str | None = None, *, reverse: bool = False) -> list[Any]:
    return sorted(meter.items(value), key=lambda item: _attribute(item, attribute), reverse=reverse)


def _unique(meter: Meter, value: Any, attribute: str | None = None) -> list[Any]:
    return list({meter.text(_attribute(item, attribute)): item for item in reversed(meter.items(value))}.values())[::-1]


def _sum(meter: Meter, value: Any, attribute: str | None = None) -> int | float:
    return sum(_number(_attribute(item, attribute)) for item in meter.items(value))


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TemplateError(f"a number is needed here, not {kind(value)}")
    return value


def _min(meter: Meter, value: Any) -> Any:
    return min(meter.items(value))


def _max(meter: Meter, value: Any) -> Any:
    return max(meter.items(value))


def _items(meter: Meter, value: Mapping[str, Any]) -> list[Any]:
    meter.spend(len(value))
    return [[key, item] for key, item in value.items()]


def _dictsort(meter: Meter, value: Mapping[str, Any]) -> list[Any]:
    return sorted(_items(meter, value), key=lambda pair: str(pair[0]))


def _map(meter: Meter, value: Any, attribute: str) -> list[Any]:
    return [_attribute(item, attribute) for item in meter.items(value)]


def _selectattr(meter: Meter, value: Any, attribute: str, *equals: Any) -> list[Any]:
    return [item for item in meter.items(value) if _matches(item, attribute, equals)]


def _rejectattr(meter: Meter, value: Any, attribute: str, *equals: Any) -> list[Any]:
    return [item for item in meter.items(value) if not _matches(item, attribute, equals)]


def _matches(item: Any, attribute: str, equals: tuple[Any, ...]) -> bool:
    found = _attribute(item, attribute)
    return found in equals if equals else bool(found)


def _attribute(item: Any, attribute: str | None) -> Any:
    for name in attribute.split(".") if attribute else ():
        if not isinstance(item, Mapping) or name not in item:
            raise TemplateError(f"an item of the list has no {attribute!r}")
        item = cast("Mapping[str, Any]", item)[name]
    return item


def _abs(_meter: Meter, value: Any) -> int | float:
    return abs(_number(value))


def _int(meter: Meter, value: Any) -> int:
    return int(meter.text(value)) if isinstance(value, str) else int(value)


def _float(meter: Meter, value: Any) -> float:
    return float(meter.text(value)) if isinstance(value, str) else float(value)


def _round(_meter: Meter, value: Any, digits: int = 0) -> int | float:
    rounded = round(_number(value), digits)
    return rounded if digits > 0 else int(rounded)


_METERED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "abs": _abs,
        "capitalize": _capitalize,
        "count": _length,
        "dictsort": _dictsort,
        "first": _first,
        "float": _float,
        "indent": _indent,
        "int": _int,
        "items": _items,
        "join": _join,
        "last": _last,
        "length": _length,
        "lines": _lines,
        "list": _list,
        "lower": _lower,
        "map": _map,
        "max": _max,
        "min": _min,
        "rejectattr": _rejectattr,
        "replace": _replace,
        "reverse": _reverse,
        "round": _round,
        "selectattr": _selectattr,
        "sort": _sort,
        "split": _split,
        "string": _string,
        "sum": _sum,
        "title": _title,
        "tojson": _tojson,
        "trim": _trim,
        "truncate": _truncate,
        "unique": _unique,
        "upper": _upper,
        "urlencode": _urlencode,
        "wordcount": _wordcount,
    }
)
_BUILT_IN = frozenset({"default", "d"})
"""MiniJinja's own, since only it can be given what is undefined; they return an argument as it is."""
FILTER_NAMES = frozenset(_METERED) | _BUILT_IN


def filters(meter: Meter) -> tuple[dict[str, Callable[..., Any]], Callable[..., Any]]:
    """Every metered filter by name, and the ``range`` function, all counting on ``meter``."""

    def bind(function: Callable[..., Any]) -> Callable[..., Any]:
        def metered(*args: Any, **kwargs: Any) -> Any:
            return function(meter, *args, **kwargs)

        return metered

    return {name: bind(function) for name, function in _METERED.items()}, bind(_range)
