"""References to values that are too large for a run's history: what stands in their place, and how to tell."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

__all__ = ["BLOB_KEY", "Blob", "blob_of", "blob_reference", "blobs_in", "describe", "is_blob", "is_blob_key"]

BLOB_KEY = "$blob"
"""The only key of a reference."""
_KEY = re.compile(r"[0-9a-f]{64}\.json", re.ASCII)
_FIELDS = {"key", "bytes", "type"}
_WORDS = {
    "object": "a map",
    "array": "a list",
    "string": "a text",
    "integer": "a number",
    "number": "a number",
    "boolean": "a truth value",
    "null": "null",
}


class Blob(NamedTuple):
    """What a reference says: where the value is, how many bytes its JSON takes, and of which JSON type it is."""

    key: str
    size: int
    type: str


def is_blob_key(text: str) -> bool:
    """Whether ``text`` can be the key of a blob: the SHA-256 of its content."""
    return _KEY.fullmatch(text) is not None


def blob_reference(key: str, size: int, type_: str) -> dict[str, Any]:
    """What stands in the place of a value in blob storage.

    Args:
        key: Its key there.
        size: The bytes of its JSON.
        type_: JSON Schema's name for its type.
    """
    return {BLOB_KEY: {"key": key, "bytes": size, "type": type_}}


def blob_of(value: Any) -> Blob | None:
    """What ``value`` refers to, when it is a reference."""
    if not isinstance(value, Mapping) or BLOB_KEY not in value or len(cast("Mapping[str, Any]", value)) != 1:
        return None
    said: Any = cast("Mapping[str, Any]", value)[BLOB_KEY]
    if not isinstance(said, Mapping) or set(cast("Mapping[str, Any]", said)) != _FIELDS:
        return None
    key, size, type_ = (cast("Mapping[str, Any]", said)[name] for name in ("key", "bytes", "type"))
    if not isinstance(key, str) or not is_blob_key(key) or type(size) is not int or size < 0:
        return None
    return Blob(key, size, type_) if isinstance(type_, str) and type_ in _WORDS else None


def is_blob(value: Any) -> bool:
    """Whether ``value`` is a reference to a value in blob storage."""
    return blob_of(value) is not None


def blobs_in(value: Any) -> Iterator[Blob]:
    """Every reference in ``value``."""
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            if (blob := blob_of(item)) is not None:
                yield blob
            else:
                pending.extend(cast("Mapping[str, Any]", item).values())
        elif isinstance(item, (list, tuple)):
            pending.extend(cast("Sequence[Any]", item))


def describe(blob: Blob) -> str:
    """What ``blob`` is, for error messages: ``a list of 52,000,000 bytes in blob storage``."""
    return f"{_WORDS[blob.type]} of {blob.size:,} bytes in blob storage"
