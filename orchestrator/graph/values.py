"""References into a run's data, and values that consist of nothing but them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from orchestrator.errors import TemplateError
from orchestrator.graph.blobs import blob_of, describe, is_blob
from orchestrator.graph.plan import Path

__all__ = [
    "MISSING",
    "BlobReachedError",
    "fill_exact",
    "format_path",
    "lookup",
    "parse_reference",
    "pick",
    "prune",
    "reach",
]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_STEP = rf"(?:\.{_NAME}|\[(?:0|[1-9][0-9]{{0,8}})\]|\['[^'\\\n]*'\]|\[\"[^\"\\\n]*\"\])"
_REFERENCE = re.compile(rf"\s*\{{\{{-?\s*({_NAME}{_STEP}*)\s*-?\}}\}}\s*", re.ASCII)
_SEGMENT = re.compile(rf"\.?({_NAME})|\[((?:0|[1-9][0-9]{{0,8}}))\]|\['([^'\\\n]*)'\]|\[\"([^\"\\\n]*)\"\]", re.ASCII)


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()
"""What ``lookup`` returns where nothing stands; unlike null, which is a value."""


class BlobReachedError(TemplateError):
    """A reference leads to something inside a value in blob storage, which only an activity can look into."""


@lru_cache(maxsize=4096)
def parse_reference(text: str) -> Path | None:
    """The path that ``text`` refers to, when all of it is one plain reference; else none.

    ``"{{ nodes.search.documents[0] }}"`` gives ``("nodes", "search", "documents", 0)``.
    """
    whole = _REFERENCE.fullmatch(text)
    if whole is None:
        return None
    path: list[str | int] = []
    for name, index, single, double in _SEGMENT.findall(whole[1]):
        path.append(int(index) if index else name or single or double)
    return tuple(path)


def format_path(path: Path) -> str:
    """A path as people write it: ``nodes.search.documents[0]``."""
    text = ""
    for segment in path:
        if isinstance(segment, int):
            text += f"[{segment}]"
        elif re.fullmatch(_NAME, segment, re.ASCII):
            text += f".{segment}" if text else segment
        else:
            text += f"[{segment!r}]"
    return text


def lookup(path: Path, data: Any) -> Any:
    """What stands at ``path`` in ``data``, or ``MISSING``."""
    for segment in path:
        if isinstance(segment, str) and isinstance(data, Mapping):
            data = cast("Mapping[str, Any]", data).get(segment, MISSING)
        elif isinstance(segment, int) and isinstance(data, Sequence) and not isinstance(data, str):
            items = cast("Sequence[Any]", data)
            data = items[segment] if segment < len(items) else MISSING
        else:
            return MISSING
        if data is MISSING:
            return MISSING
    return data


def reach(path: Path, data: Any) -> Any:
    """As ``lookup``, in data that may hold references to blob storage; one at the very end of ``path`` is returned.

    Raises:
        BlobReachedError: ``path`` goes on below one.
    """
    for length, segment in enumerate(path):
        if (blob := blob_of(data)) is not None:
            name = format_path(path[:length])
            raise BlobReachedError(
                f"{name} is {describe(blob)}, so {format_path(path)} cannot be looked up here",
                details={"reference": format_path(path), "blob": blob.key},
            )
        data = lookup((segment,), data)
        if data is MISSING:
            return MISSING
    return data


def fill_exact(value: Any, data: Mapping[str, Any]) -> Any:
    """``value`` with each string that is exactly one reference replaced by what it refers to, type and all.

    What refers to a value in blob storage as a whole becomes a reference to it.

    Raises:
        BlobReachedError: A reference leads into a value in blob storage.
        TemplateError: A reference leads nowhere.
    """
    if isinstance(value, str):
        path = parse_reference(value)
        if path is None:
            return value
        found = reach(path, data)
        if found is MISSING:
            raise TemplateError(f"{format_path(path)} is not there", details={"reference": format_path(path)})
        return found
    if isinstance(value, Mapping):
        return {key: fill_exact(item, data) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [fill_exact(item, data) for item in cast("Sequence[Any]", value)]
    return value


def prune(paths: Iterable[Path]) -> tuple[Path, ...]:
    """``paths`` in order, once each, without those that lie below another of them."""
    unique = dict.fromkeys(paths)
    return tuple(path for path in unique if not any(path[:length] in unique for length in range(1, len(path))))


def pick(paths: Iterable[Path], data: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest tree that has everything at ``paths``; what is not there is left out.

    ``paths`` must be prefix-free (see ``prune``). A path through a list takes the whole list, so that indexes hold; one
    into a value in blob storage takes the reference to it.
    """
    tree: dict[str, Any] = {}
    for path in paths:
        _graft(_names(path), data, tree)
    return tree


def _graft(names: tuple[str, ...], data: Any, tree: dict[str, Any]) -> None:
    """Put what stands at ``names`` into ``tree``, and of its parents as many as there are, to be asked about."""
    for name in names[:-1]:
        data = cast("Mapping[str, Any]", data).get(name, MISSING)
        if not isinstance(data, Mapping):
            return
        if is_blob(data):
            tree[name] = data
            return
        tree = tree.setdefault(name, {})
    found = cast("Mapping[str, Any]", data).get(names[-1], MISSING)
    if found is not MISSING:
        tree[names[-1]] = found


def _names(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for segment in path:
        if isinstance(segment, int):
            break
        names.append(segment)
    return tuple(names)
