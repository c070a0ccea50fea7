"""Performs SaveToFile."""

import asyncio
import csv
import io
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from pydantic_core import to_json

from activities.blobs.moving import MAX_VALUE_BYTES
from activities.files import file_of
from activities.folders import save
from activities.runtime import Handler
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import NodeError, TooLargeError
from orchestrator.node_types.save_to_file import SaveToFileConfig

__all__ = ["handler"]


def handler(folders: Sequence[Path]) -> Handler[SaveToFileConfig]:
    """Writes files into ``folders`` and nowhere else, in a thread."""

    async def handle(config: SaveToFileConfig, call: NodeCall) -> NodeOutput:
        return await asyncio.to_thread(_saved, folders, config, f"the content of node {call.node!r}")

    return handle


def _saved(folders: Sequence[Path], config: SaveToFileConfig, what: str) -> NodeOutput:
    try:
        content = _content(config, what)
    except ValueError:
        raise NodeError(f"{what} holds half a character (a lone surrogate), which no file can") from None
    if len(content) > MAX_VALUE_BYTES:
        raise TooLargeError(f"{what} takes {len(content):,} bytes; at most {MAX_VALUE_BYTES:,} are allowed")
    path = save(folders, config.path, content, create=config.mode == "create", parents=config.parents)
    digest = sha256(content).hexdigest()
    return NodeOutput(output={"path": str(path), "bytes": len(content), "sha256": digest})


def _content(config: SaveToFileConfig, what: str) -> bytes:
    value = config.content
    match config.format:
        case "text":
            return value.encode() if isinstance(value, str) else to_json(value)
        case "json":
            return to_json(value, indent=2) + b"\n"
        case "file":
            return file_of(value, what).content
        case "csv":
            return _csv(value, what).encode()


def _csv(value: Any, what: str) -> str:
    rows = cast("list[Any]", value) if isinstance(value, list) else None
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if rows is not None and all(isinstance(row, dict) for row in rows):
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer.writerows([names] if names else [])
        writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    elif rows is not None and all(isinstance(row, list) for row in rows):
        writer.writerows([_cell(cell) for cell in row] for row in rows)
    else:
        raise NodeError(f"{what} is no table: CSV takes a list of maps, or a list of lists")
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else to_json(value).decode()
