"""JSON Schema (2020-12) checks that take bounded time and fetch nothing."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NoReturn, cast
from urllib.parse import unquote

import jsonschema_rs
from pydantic_core import from_json, to_json

from orchestrator.errors import InputError, shortened

__all__ = ["check_schema", "problems"]

_MOST_PROBLEMS = 20
_LONGEST_PROBLEM = 300
_LONGEST_PLACE = 100
_MOST_SUBSCHEMAS = 10_000
_DEEPEST = 100
_LONGEST_PATTERN = 1_000
_MOST_PATTERN_BYTES = 65_536
"""Of a compiled pattern. Matching takes time in proportion to it: at most 0.9 s measured for 100,000 characters."""
_DATA = frozenset({"enum", "const", "default", "examples"})
_DEFINITIONS = frozenset({"$defs", "definitions"})
_BY_NAME = _DEFINITIONS | {"properties", "patternProperties", "dependentSchemas", "dependencies"}
"""Keywords whose value maps names, which mean nothing by themselves, to schemas."""
_UNSUPPORTED = frozenset({"$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"})

_Place = tuple[str, ...]


def check_schema(schema: Any) -> None:
    """Raise when ``schema`` is not a JSON Schema this project can use.

    Raises:
        InputError: It is not valid JSON Schema, refers to another document or to itself, or takes too long to check.
    """
    _compile(schema)


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with ``value``, one sentence each with the place in it first; empty when all is well.

    At most 20. ``value`` is a JSON value.
    """
    found: list[str] = []
    for error in _compile(schema).iter_errors(value):
        place = _spelled(error.instance_path)
        # The library quotes the whole value, which comes first; what is wrong with it comes last.
        message = shortened(error.message, _LONGEST_PROBLEM)
        found.append(f"{place}: {message}" if place else message)
        if len(found) == _MOST_PROBLEMS:
            break
    return found


def _spelled(path: Iterable[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{shortened(step, _LONGEST_PLACE)}" for step in path)
    return shortened("".join(steps).removeprefix("."), _LONGEST_PLACE)


def _compile(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return _compiled(to_json(schema))


@lru_cache(maxsize=512)
def _compiled(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    # The library follows references without a bound, and lets no other thread run meanwhile.
    _Expanded(schema).measure(())
    try:
        return jsonschema_rs.Draft202012Validator(
            schema.decode(),
            retriever=_refuse,
            # The default engine backtracks; a workflow task that hangs on a pattern never ends.
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_MOST_PATTERN_BYTES),
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        # The library's own error quotes the whole schema, so it is not handed on as the cause.
        if reason.endswith('is not a "regex"'):
            reason += ", or too large once compiled: use `minLength` and `maxLength` in place of large counts"
        raise _unusable(reason) from None


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"refers to another document ({uri}); put the schema in place")


def _unusable(reason: str) -> InputError:
    return InputError(f"not a usable JSON Schema: {shortened(reason, _LONGEST_PROBLEM)}")


class _Expanded:
    """Measures a schema as it is when each reference is replaced by what it refers to."""

    def __init__(self, schema: bytes) -> None:
        try:
            self._root: Any = from_json(schema)
        except ValueError as error:
            raise _unusable(str(error)) from None
        self._measured: dict[_Place, tuple[int, int]] = {}
        self._open: set[_Place] = set()

    def measure(self, place: _Place) -> tuple[int, int]:
        """How many subschemas the one at ``place`` stands for, and how many levels deep they go."""
        known = self._measured.get(place)
        if known:
            return known
        if place in self._open:
            raise _unusable("a schema that refers to itself is not supported")
        if len(self._open) >= _DEEPEST:
            raise _unusable(f"it is more than {_DEEPEST} levels deep")
        self._open.add(place)
        size, levels = 1, 1
        for child, counts in self._children(self._at(place), place):
            child_size, child_levels = self.measure(child)
            # A definition counts where it is referred to.
            size, levels = (size + child_size, max(levels, 1 + child_levels)) if counts else (size, levels)
            if size > _MOST_SUBSCHEMAS:
                raise _unusable(f"with its references written out it has more than {_MOST_SUBSCHEMAS:,} subschemas")
        if levels > _DEEPEST:
            raise _unusable(f"with its references written out it is more than {_DEEPEST} levels deep")
        self._open.remove(place)
        self._measured[place] = size, levels
        return size, levels

    def _children(self, schema: Any, place: _Place) -> Iterator[tuple[_Place, bool]]:
        """The places of the schemas in ``schema``, each with whether it takes part where ``schema`` does."""
        if isinstance(schema, list):
            items = cast("list[Any]", schema)
            yield from (((*place, str(index)), True) for index, item in enumerate(items) if _may_hold_schemas(item))
        if not isinstance(schema, dict):
            return
        words = cast("dict[str, Any]", schema)
        _check_words(words, place)
        for word, value in words.items():
            if word == "$ref" and isinstance(value, str):
                yield self._target(value), True
            elif word in _BY_NAME and isinstance(value, dict):
                names = cast("dict[str, Any]", value)
                yield from (((*place, word, name), word not in _DEFINITIONS) for name in names)
            elif word not in _DATA and _may_hold_schemas(value):
                yield (*place, word), True

    def _target(self, reference: str) -> _Place:
        if not reference.startswith("#"):
            raise _unusable(f"it refers to another document ({reference}); put the schema in place")
        pointer = unquote(reference[1:])
        if pointer and not pointer.startswith("/"):
            raise _unusable(f"`{reference}` is not supported; refer to a place, like `#/$defs/name`")
        place = tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
        self._at(place)
        return place

    def _at(self, place: _Place) -> Any:
        found = self._root
        for step in place:
            try:
                found = found[int(step) if isinstance(found, list) else step]
            except (LookupError, TypeError, ValueError):
                raise _unusable(f"it refers to `#/{'/'.join(place)}`, which is not there") from None
        return found


def _may_hold_schemas(value: Any) -> bool:
    return isinstance(value, dict | list)


def _check_words(words: dict[str, Any], place: _Place) -> None:
    """Refuses what would change where a reference leads, and patterns that are too long."""
    unsupported = {word for word in _UNSUPPORTED & words.keys() if isinstance(words[word], str | bool)}
    if place and isinstance(words.get("$id"), str):
        unsupported.add("$id")
    if unsupported:
        raise _unusable(f"`{min(unsupported)}` is not supported here; refer to a place, like `#/$defs/name`")
    by_pattern = words.get("patternProperties")
    patterns = [words.get("pattern"), *(cast("dict[str, Any]", by_pattern) if isinstance(by_pattern, dict) else ())]
    if any(isinstance(pattern, str) and len(pattern) > _LONGEST_PATTERN for pattern in patterns):
        raise _unusable(f"a pattern is longer than {_LONGEST_PATTERN:,} characters")
