"""Moves what is too large for history out of a value into blob storage, and what a value refers to back in.

Parts are weighed from the inside out, so that the work grows with the value and not with its depth.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from pydantic_core import from_json, to_json

from activities.blobs.base import BlobStore
from activities.collecting import uncollected
from orchestrator.contracts import MAX_INLINE_BYTES, MAX_PAYLOAD_BYTES
from orchestrator.errors import NodeError, OrchestratorError, TooLargeError
from orchestrator.graph.blobs import BLOB_KEY, Blob, blob_of, blob_reference, blobs_in, is_blob
from orchestrator.graph.channels import json_type

__all__ = ["LOOKALIKE", "MAX_VALUE_BYTES", "Part", "bring_in", "divide", "move_out"]

MAX_VALUE_BYTES = 200_000_000
"""The most that the output of one visit, or all that one visit reads from blob storage, may take as JSON."""
LOOKALIKE = to_json({BLOB_KEY: 0})[:-2]
"""What the JSON of a value begins with that could be taken for a reference."""

_REFERENCE_BYTES = len(to_json(blob_reference("0" * 64 + ".json", MAX_VALUE_BYTES, "boolean")))
_AT_ONCE = 4
"""Parts written at a time."""
_NESTING = frozenset({dict, list, tuple})
_SURELY_SHORT = MAX_INLINE_BYTES // 6 - 2
"""So many characters take no more than allowed, whatever they are: JSON writes each in at most six bytes."""
_BATCH = 512
"""Items that are weighed together first, since most are small."""
_SPARE_BYTES = 500_000_000
"""What may be weighed for nothing; a list in a list in a list, each of two large items, would have no end of it."""


class Part(NamedTuple):
    """A part of a value that goes to blob storage; ``reference`` stands in its place, empty until it is there."""

    reference: dict[str, Any]
    value: Any


def divide(value: Any) -> tuple[Any, list[Part]]:
    """What stays of ``value`` in a run's history, and the parts of it that do not.

    A part is as small as it can be: a list or map goes as a whole only when it is too large without its own large
    parts. ``value`` itself stays when it is a list or map. What only looks like a reference goes, whatever its size.

    Raises:
        TooLargeError: What would have to stay is larger than a run may carry.
    """
    dividing = _Dividing()
    if value.__class__ not in _NESTING or is_blob(value):
        return dividing.kept(value)[0], dividing.parts
    kept, size = dividing.without_large(value)
    if size > MAX_PAYLOAD_BYTES:
        kept, size = dividing.without_largest(kept, size)
    if size > MAX_PAYLOAD_BYTES:
        raise TooLargeError(
            f"has so many fields or items that it takes {size:,} bytes without its large parts; at most "
            f"{MAX_PAYLOAD_BYTES:,} are allowed",
            details={"bytes": size, "limit": MAX_PAYLOAD_BYTES},
        )
    return kept, dividing.parts


class _Dividing:
    """Takes the large parts out of one value."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._spare = _SPARE_BYTES

    def kept(self, value: Any) -> tuple[Any, int]:
        """``value``, or a reference when it must go; and the bytes that takes."""
        if is_blob(value):
            return self._moved(value), _REFERENCE_BYTES
        begun = len(self.parts)
        kept, size = self.without_large(value) if value.__class__ in _NESTING else (value, len(to_json(value)))
        if size <= MAX_INLINE_BYTES:
            return kept, size
        del self.parts[begun:]  # it goes as a whole, so that no blob refers to another
        return self._moved(value), _REFERENCE_BYTES

    def _moved(self, value: Any) -> dict[str, Any]:
        self.parts.append(Part({}, value))
        return self.parts[-1].reference

    def without_large(self, value: Any) -> tuple[Any, int]:
        """A list or map with references in the place of its large parts, and the bytes it takes then."""
        mapped = value.__class__ is dict
        items = cast("dict[Any, Any]", value).items() if mapped else enumerate(cast("Sequence[Any]", value))
        pairs = [pair for pair in items if _may_be_large(pair[1])]
        batches = [pairs[begin : begin + _BATCH] for begin in range(0, len(pairs), _BATCH)]
        weighed = {key: self.kept(item) for batch in batches for key, item in self._suspects(batch)}
        # All the rest is weighed together, with a zero, of one byte, in the place of each item that has been weighed.
        shell = _replaced(value, dict.fromkeys(weighed, 0))
        size = len(to_json(shell)) - len(weighed) + sum(size for _, size in weighed.values())
        changed = {key: kept for key, (kept, _) in weighed.items() if kept is not value[key]}
        return _replaced(value, changed), size

    def _suspects(self, pairs: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        """Those of ``pairs`` that have to be weighed by themselves; of most lists there are none."""
        if len(pairs) == 1 or self._spare < 0:
            return pairs
        together = to_json([item for _, item in pairs])
        if len(together) <= MAX_INLINE_BYTES and LOOKALIKE not in together:
            return []
        self._spare -= len(together)
        middle = len(pairs) // 2
        return self._suspects(pairs[:middle]) + self._suspects(pairs[middle:])

    def without_largest(self, value: Any, size: int) -> tuple[Any, int]:
        """A list or map with references in the place of its largest items, as many as it takes; and its bytes then."""
        keys: Iterable[Any] = value if value.__class__ is dict else range(len(value))
        weights = {key: len(to_json(value[key])) for key in keys}
        changed: dict[Any, Any] = {}
        for key in sorted(weights, key=lambda key: weights[key], reverse=True):
            if size <= MAX_PAYLOAD_BYTES or weights[key] <= _REFERENCE_BYTES:
                break
            size += _REFERENCE_BYTES - weights[key]
            changed[key] = self._moved(value[key])
        return _replaced(value, changed), size


def _may_be_large(item: Any) -> bool:
    kind = item.__class__
    return kind in _NESTING or (kind is str and len(item) > _SURELY_SHORT)


def _replaced(value: Any, changed: Mapping[Any, Any]) -> Any:
    if not changed:
        return value
    if value.__class__ is dict:
        return {**value, **changed}
    items = list(cast("Sequence[Any]", value))
    for index, item in changed.items():
        items[index] = item
    return items


async def move_out(parts: Iterable[Part], store: BlobStore, what: str) -> None:
    """Keep each part in ``store``, and make its reference say where.

    Raises:
        ProviderUnavailableError: One cannot be kept; the message begins with ``what``.
    """
    free = asyncio.Semaphore(_AT_ONCE)

    async def move(part: Part) -> None:
        async with free:
            content = await asyncio.to_thread(to_json, part.value)
            key = await store.put(content)
        part.reference.update(blob_reference(key, len(content), json_type(part.value)))

    moving = [asyncio.ensure_future(move(part)) for part in parts]
    try:
        await asyncio.gather(*moving)
    except OrchestratorError as error:
        raise _named(error, what) from error
    finally:
        for task in moving:
            task.cancel()


async def bring_in(values: dict[str, Any], store: BlobStore, what: str) -> dict[str, Any]:
    """``values`` with what they refer to in the place of each reference.

    What is brought in is taken as it is: it holds no references, though it may hold what looks like one.

    Raises:
        TooLargeError: All of it together is larger than one visit may read; the message begins with ``what``.
        ProviderUnavailableError: Some of it is not in ``store``, or cannot be read now.
        NodeError: Some of it is not what was stored.
    """
    wanted = await asyncio.to_thread(lambda: {blob.key: blob for blob in blobs_in(values)})
    if (total := sum(blob.size for blob in wanted.values())) > MAX_VALUE_BYTES:
        raise TooLargeError(
            f"{what} reads {total:,} bytes from blob storage, more than the {MAX_VALUE_BYTES:,} allowed; "
            "refer to fewer large values in one node",
            details={"bytes": total, "limit": MAX_VALUE_BYTES},
        )
    try:
        loaded = {blob.key: await _loaded(blob, store) for blob in wanted.values()}
    except OrchestratorError as error:
        raise _named(error, what) from error
    return await asyncio.to_thread(_filled, values, loaded)


async def _loaded(blob: Blob, store: BlobStore) -> Any:
    content = await store.get(blob.key)
    if len(content) != blob.size:
        raise NodeError(
            f"blob {blob.key} takes {len(content):,} bytes, and the reference to it says {blob.size:,}: "
            "the reference was not made by this platform",
            details={"blob": blob.key},
        )
    return await asyncio.to_thread(_parsed, content)


def _parsed(content: bytes) -> Any:
    with uncollected():
        return from_json(content)


def _filled(value: Any, loaded: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if (blob := blob_of(fields)) is not None:
            return loaded[blob.key]
        return {name: _filled(item, loaded) for name, item in fields.items()}
    if isinstance(value, list):
        return [_filled(item, loaded) for item in cast("list[Any]", value)]
    return value


def _named(error: OrchestratorError, what: str) -> OrchestratorError:
    return type(error)(f"{what}: {error.message}", details=error.details)
