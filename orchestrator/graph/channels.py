"""Shared state: channels whose reducers give the same value whatever order parallel branches end in.

Each write has a place: the level of its visit (the longest chain of visits before it), then the node's number, then
the visit. A write that can know of another has the higher level, so folding in that order keeps cause before effect.
"""

import math
from bisect import insort
from collections.abc import Callable, Hashable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import to_json

from orchestrator.errors import NodeError, RequestError, TooLargeError
from orchestrator.graph.blobs import Blob, blob_of, describe
from orchestrator.graph.plan import Channel, Reducer

__all__ = ["MAX_CHANNEL_BYTES", "REDUCERS", "Channels", "fits", "json_type"]

MAX_CHANNEL_BYTES = 500_000
"""The most that one channel may take, as JSON."""

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
    blob = blob_of(value)
    actual = json_type(value) if blob is None else blob.type
    return type_name in ("any", actual) or (type_name == "number" and actual == "integer")


def _takes_whole(reducer: Reducer, blob: Blob) -> bool:
    """Whether a value in blob storage can be written without looking into it; of a list, its items would be."""
    return reducer == "replace" or (reducer in {"append", "union"} and blob.type != "array")


def _items(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _key(item: Any) -> Hashable:
    """The same for equal JSON values, and only for them: 1 is 1.0, but not true."""
    if isinstance(item, bool):
        return ("bool", item)
    if isinstance(item, dict):
        return frozenset((name, _key(value)) for name, value in cast("dict[str, Any]", item).items())
    if isinstance(item, list):
        return ("list", *map(_key, cast("list[Any]", item)))
    return item


def _extended(kept: list[Any], written: Any) -> list[Any]:
    kept.extend(_items(written))
    return kept


def _united(kept: dict[Hashable, Any], written: Any) -> dict[Hashable, Any]:
    for item in _items(written):
        kept.setdefault(_key(item), item)
    return kept


def _merged(kept: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    kept.update(written)
    return kept


def _added(kept: float, written: float) -> float:
    try:
        total = kept + written
    except OverflowError:
        total = math.inf
    if isinstance(total, float) and not math.isfinite(total):
        raise NodeError("added up to more than a number can hold")
    return total


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class _Reduction:
    """How a channel folds: ``take`` changes what is kept in place where it can; ``show`` never gives that away."""

    take: Callable[[Any, Any], Any]
    keep: Callable[[Any], Any] = _same
    show: Callable[[Any], Any] = _same


_REDUCTIONS: Mapping[Reducer, _Reduction] = {
    "replace": _Reduction(lambda _, new: new),
    "append": _Reduction(_extended, keep=list, show=list),
    "union": _Reduction(_united, keep=lambda items: _united({}, items), show=lambda kept: list(kept.values())),
    "merge": _Reduction(_merged, keep=dict, show=dict),
    "add": _Reduction(_added),
    "max": _Reduction(lambda old, new: new if old is None else max(old, new)),
    "min": _Reduction(lambda old, new: new if old is None else min(old, new)),
}


class _Slot:
    """One channel: a folded ``base``, the writes that a slower branch may still come before, and all folded: ``now``.

    ``size`` is the JSON of the value in bytes, or more.
    """

    def __init__(self, channel: Channel, base: Any, recent: list[tuple[Place, Any]]) -> None:
        self.channel = channel
        self.reduction = _REDUCTIONS[channel.reducer]
        self.base = self.reduction.keep(base)
        self.recent = recent
        self.now = self.folded()
        self.size = len(to_json(self.value))

    @property
    def value(self) -> Any:
        return self.reduction.show(self.now)

    def folded(self) -> Any:
        kept = self.base if self.reduction.keep is _same else copy(self.base)
        for _, written in self.recent:
            kept = self.reduction.take(kept, written)
        return kept

    def write(self, written: Any, place: Place) -> Any:
        in_order = not self.recent or self.recent[-1][0] < place
        insort(self.recent, (place, written), key=_place)
        try:
            self.now = self.reduction.take(self.now, written) if in_order else self.folded()
            value = self.value
            self._weigh(written, value)
        except (NodeError, TooLargeError):
            self.withdraw(place)
            raise
        return value

    def withdraw(self, place: Place) -> Any:
        self.recent = [entry for entry in self.recent if entry[0] != place]
        self.now = self.folded()
        return self.value

    def _weigh(self, written: Any, value: Any) -> None:
        self.size += len(to_json(written))
        if self.size <= MAX_CHANNEL_BYTES:
            return
        # Added up, what took the place of something else counts twice; only now is it worth looking.
        self.size = len(to_json(value))
        if self.size > MAX_CHANNEL_BYTES:
            raise TooLargeError(
                f"takes {self.size:,} bytes with what is written into it; at most {MAX_CHANNEL_BYTES:,} are allowed",
                details={"bytes": self.size, "limit": MAX_CHANNEL_BYTES},
            )

    def settle(self, count: int) -> None:
        for _, written in self.recent[:count]:
            self.base = self.reduction.take(self.base, written)
        del self.recent[:count]


class Channels:
    """The shared state of one run."""

    def __init__(self, channels: Mapping[str, Channel], dumped: Mapping[str, Any] | None = None) -> None:
        self._slots: dict[str, _Slot] = {}
        for name, channel in channels.items():
            kept = (dumped or {}).get(name, {"base": channel.initial, "recent": ()})
            recent: list[tuple[Place, Any]] = [(tuple(place), value) for place, value in kept["recent"]]
            self._slots[name] = _Slot(channel, kept["base"], recent)
        self.values: dict[str, Any] = {name: slot.value for name, slot in self._slots.items()}
        """The value of every channel now: what ``state`` refers to. A value handed out never changes."""

    def write(self, name: str, value: Any, place: Place) -> None:
        """Add a write to a channel. When it is refused, the channel stays as it was.

        Raises:
            NodeError: The value does not fit the channel, or adds up to no finite number.
            TooLargeError: The channel would take more than ``MAX_CHANNEL_BYTES`` bytes.
        """
        slot = self._slots[name]
        if (blob := blob_of(value)) is not None and not _takes_whole(slot.channel.reducer, blob):
            raise NodeError(
                f"wrote {describe(blob)} into `state.{name}`, whose reducer `{slot.channel.reducer}` would have to "
                "look into it; write a smaller part of it, or use the reducer `replace`"
            )
        items_too = slot.channel.reducer in ("append", "union")
        if not items_too and not fits(value, slot.channel.type):
            raise NodeError(
                f"wrote a value of type {json_type(value)} into `state.{name}`, which is of type {slot.channel.type}"
            )
        try:
            self.values[name] = slot.write(value, place)
        except TooLargeError as error:
            raise TooLargeError(f"`state.{name}` {error.message}", details=error.details) from None
        except NodeError as error:
            raise NodeError(f"wrote into `state.{name}`, which {error.message}") from None

    def withdraw(self, names: Iterable[str], place: Place) -> None:
        """Take writes back, as if they had never been."""
        for name in names:
            self.values[name] = self._slots[name].withdraw(place)

    def assign(self, values: Mapping[str, Any]) -> None:
        """Put values into channels in place of what they hold; all, or when one is refused none.

        Raises:
            RequestError: A channel does not exist, or a value does not fit it; says which.
            TooLargeError: A value takes more than ``MAX_CHANNEL_BYTES`` bytes.
        """
        slots: dict[str, _Slot] = {}
        for name, value in values.items():
            slot = self._slots.get(name)
            if slot is None:
                known = ", ".join(f"`{known}`" for known in self._slots) or "none"
                raise RequestError(f"there is no channel `{name}` of shared state; there are: {known}")
            if not fits(value, slot.channel.type):
                kind = json_type(value)
                raise RequestError(f"`state.{name}` is of type {slot.channel.type}, and the value is {kind}")
            slots[name] = _Slot(slot.channel, value, [])
            if slots[name].size > MAX_CHANNEL_BYTES:
                raise TooLargeError(f"`state.{name}` takes at most {MAX_CHANNEL_BYTES:,} bytes")
        self._slots |= slots
        self.values.update({name: slot.value for name, slot in slots.items()})

    def settle(self, lowest_level: int | None) -> None:
        """Forget the order of writes that nothing under way can come before.

        Args:
            lowest_level: The lowest level of a visit that is ready or running; none when there is none.
        """
        for slot in self._slots.values():
            count = len(slot.recent)
            if lowest_level is not None:
                count = sum(1 for (level, _, _), _ in slot.recent if level < lowest_level)
            if count:
                slot.settle(count)

    def dump(self) -> dict[str, Any]:
        """The channels as JSON."""
        return {
            name: {"base": slot.reduction.show(slot.base), "recent": list(slot.recent)}
            for name, slot in self._slots.items()
        }


def _place(entry: tuple[Place, Any]) -> Place:
    return entry[0]
