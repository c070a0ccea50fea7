"""Text, file or mapping to a checked definition."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from pydantic_core import to_json

from orchestrator.definition.blocks import FOLDER, fill_blocks
from orchestrator.definition.json_reader import read_json
from orchestrator.definition.model import Definition
from orchestrator.definition.reading import MOST_ROWS, read_draft
from orchestrator.definition.rules import broken_rules
from orchestrator.definition.source import MAX_BYTES, Source, check_values, refuse
from orchestrator.definition.taint import taint_refusals
from orchestrator.definition.yaml_reader import read_yaml
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, Issue

__all__ = ["MOST_ISSUES", "MOST_JSON_BYTES", "MOST_ROWS", "broken", "load_file", "load_mapping", "load_text"]

MOST_ISSUES: Final = 100
MOST_JSON_BYTES: Final = 500_000
"""A run carries its plan in its history, and Temporal takes no more than 2 MiB at a time."""


def load_file(path: Path | str) -> Definition:
    """The definition in a file; ``.json`` is read as JSON, anything else as YAML. Its blocks are in a folder beside it.

    Raises:
        DefinitionNotFoundError: There is no such file, or it cannot be read.
        DefinitionError: The definition breaks rules.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DefinitionNotFoundError(f"cannot read {file}: {error.strerror or error}") from error
    return load_text(text, filename=file.name, blocks=file.parent / FOLDER)


def load_text(text: str | bytes, *, filename: str | None = None, blocks: Path | None = None) -> Definition:
    """The definition in a text: JSON when the file's name says so, or, without a name, when it begins with ``{``.

    Args:
        text: The text.
        filename: The name of the file that it comes from.
        blocks: The folder with the files of blocks; without it there are only those of the definition.

    Raises:
        DefinitionError: The text cannot be read, or the definition breaks rules.
    """
    if len(text) > MAX_BYTES:
        refuse("DEF002", f"A definition may take at most {MAX_BYTES:,} bytes", hint="Move large data out of it.")
    try:
        plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1 if isinstance(text, bytes) else 1
        refuse("DEF001", "The text is not UTF-8", (line, 1))
    is_json = filename.endswith(".json") if filename else plain.lstrip().startswith("{")
    return _checked(read_json(plain) if is_json else read_yaml(plain), blocks)


def load_mapping(data: Mapping[str, Any], *, blocks: Path | None = None) -> Definition:
    """The definition that a mapping of JSON values is.

    Args:
        data: The mapping.
        blocks: The folder with the files of blocks; without it there are only those of the definition.

    Raises:
        DefinitionError: The definition breaks rules.
    """
    return _checked(check_values(data), blocks)


def _checked(written: Source, blocks: Path | None) -> Definition:
    _check_size(written)
    source, found = fill_blocks(written, blocks)
    draft, issues = read_draft(source)
    issues.extend(found)
    issues.extend(broken_rules(draft))
    issues.extend(taint_refusals(draft))
    if not issues:
        return draft.definition.with_source(source)
    raise broken(issues)


def broken(issues: list[Issue]) -> DefinitionError:
    """The error that says every one of ``issues``, of which there is at least one."""
    return DefinitionError(_summary(issues), _first(issues))


def _check_size(source: Source) -> None:
    for name, most in MOST_ROWS.items():
        rows = source.data.get(name)
        if isinstance(rows, list) and len(cast("list[Any]", rows)) > most:
            refuse("DEF002", f"More than {most:,} {name}", source.mark((name,)), hint="Take it apart.", path=name)
    size = len(to_json(source.data))
    if size > MOST_JSON_BYTES:
        message = f"The definition takes {size:,} bytes as JSON; at most {MOST_JSON_BYTES:,} are allowed"
        refuse("DEF002", message, hint="Move large data out of it.")


def _first(issues: list[Issue]) -> list[Issue]:
    """The issues in the order of the text, and no more than people and machines can use."""
    ordered = sorted(dict.fromkeys(issues), key=lambda issue: (issue.line or 0, issue.column or 0, issue.code))
    left = len(ordered) - MOST_ISSUES
    if left <= 0:
        return ordered
    more = Issue(code="DEF007", path="", message=f"There are {left} more problems", hint="Mend these first.")
    return [*ordered[:MOST_ISSUES], more]


def _summary(issues: list[Issue]) -> str:
    first = _first(issues)[0]
    place = f"line {first.line}, column {first.column}: " if first.line else f"{first.path}: " if first.path else ""
    count = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
    return f"{place}{first.message} [{first.code}]{count}"
