"""Shared state: channels whose reducers give the same value whatever order parallel branches end in.

Each write has a place: the level of its visit (the longest chain of visits before it), then the node's number, then
the visit. A write that can know of another has the higher level, so folding in that order keeps cause before effect.
"""

from bisect import insort
from collections.abc import Callable, Mapping
from typing import Any, cast

from orchestrator.errors import NodeError
from orchestrator.graph.plan import Channel, Reducer

__all__ = ["REDUCERS", "Channels", "fits", "json_type"]

Place = tuple[int, int, int]

REDUCERS: Mapping[Reducer, tuple[str, ...]] = {
    "replace": ("string", "number", "integer", "boolean", "object", "array", "null", "any"),
    "append": ("array",),
    "union": ("array",),
    "merge": ("object",),
    "add": ("number", "integer"),
    "max": ("number", "integer", "string"),
    "min": ("number", "integer", "string"),
}
"""The channel types that each reducer can work on."""

_JSON_TYPES: tuple[tuple[type, str], ...] = ((int, "integer"), (float, "number"), (str, "string"), (dict, "object"))


def json_type(value: Any) -> str:
    """JSON Schema's name for the type of a JSON value; a float without a fraction is still ``number``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, name in _JSON_TYPES:
        if isinstance(value, kind):
            return name
    return "array"


def fits(value: Any, type_name: str) -> bool:
    """Whether a JSON value may stand in a channel of this type."""
    actual = json_type(value)
    return type_name in ("any", actual) or (type_name == "number" and actual == "integer")


def _items(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _union(old: list[Any], new: Any) -> list[Any]:
    found = list(old)
    for item in _items(new):
        if item not in found:
            found.append(item)
    return found


_FOLD: Mapping[Reducer, Callable[[Any, Any], Any]] = {
    "replace": lambda _, new: new,
    "append": lambda old, new: [*old, *_items(new)],
    "union": _union,
    "merge": lambda old, new: {**old, **new},
    "add": lambda old, new: old + new,
    "max": lambda old, new: new if old is None else max(old, new),
    "min": lambda old, new: new if old is None else min(old, new),
}


class Channels:
    """The shared state of one run.

    A channel keeps a folded ``base`` and the writes that a slower branch may still come before.
    """

    def __init__(self, channels: Mapping[str, Channel], dumped: Mapping[str, Any] | None = None) -> None:
        self._channels = channels
        self._base: dict[str, Any] = {}
        self._recent: dict[str, list[tuple[Place, Any]]] = {}
        self.values: dict[str, Any] = {}
        """The value of every channel now: what ``state`` refers to."""
        for name, channel in channels.items():
            kept = (dumped or {}).get(name)
            self._base[name] = channel.initial if kept is None else kept["base"]
            self._recent[name] = [] if kept is None else [(tuple(place), value) for place, value in kept["recent"]]
            self.values[name] = self._fold(name)

    def write(self, name: str, value: Any, place: Place) -> None:
        """Add a write to a channel.

        Raises:
            NodeError: The value does not fit the channel.
        """
        channel = self._channels[name]
        items_too = channel.reducer in ("append", "union")
        if not items_too and not fits(value, channel.type):
            raise NodeError(
                f"wrote a value of type {json_type(value)} into `state.{name}`, which is of type {channel.type}"
            )
        recent = self._recent[name]
        in_order = not recent or recent[-1][0] < place
        insort(recent, (place, value), key=_place)
        if in_order:
            self.values[name] = _FOLD[channel.reducer](self.values[name], value)
        else:
            self.values[name] = self._fold(name)

    def settle(self, lowest_level: int | None) -> None:
        """Forget the order of writes that nothing under way can come before.

        Args:
            lowest_level: The lowest level of a visit that is ready or running; none when there is none.
        """
        for name, recent in self._recent.items():
            count = len(recent)
            if lowest_level is not None:
                count = sum(1 for (level, _, _), _ in recent if level < lowest_level)
            if count:
                fold = _FOLD[self._channels[name].reducer]
                for _, value in recent[:count]:
                    self._base[name] = fold(self._base[name], value)
                del recent[:count]

    def dump(self) -> dict[str, Any]:
        """The channels as JSON."""
        return {name: {"base": self._base[name], "recent": self._recent[name]} for name in self._channels}

    def _fold(self, name: str) -> Any:
        value, fold = self._base[name], _FOLD[self._channels[name].reducer]
        for _, written in self._recent[name]:
            value = fold(value, written)
        return value


def _place(entry: tuple[Place, Any]) -> Place:
    return entry[0]
