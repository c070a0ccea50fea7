"""Blocks of text that templates share: found by name and version, put together, and written out in their place."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path as File
from typing import Annotated, Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from orchestrator.definition.source import MAX_BYTES, Source
from orchestrator.definition.words import did_you_mean, explain, spell
from orchestrator.definition.yaml_reader import read_yaml
from orchestrator.errors import DefinitionError, Issue
from orchestrator.graph.plan import Path
from orchestrator.templating import MAX_TEMPLATE_CHARS

__all__ = ["BLOCK_NAME", "FOLDER", "fill_blocks", "folder_stamp"]

_PLAIN_NAME: Final = r"[a-z0-9][a-z0-9-]{0,99}"
_PLAIN_VERSION: Final = r"(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){2}(?:-[0-9A-Za-z][0-9A-Za-z.-]{0,49})?"
BLOCK_NAME: Final = rf"^{_PLAIN_NAME}(@{_PLAIN_VERSION})?$"
"""What a block is called: ``name``, or ``name@1.2.0``."""
FOLDER: Final = "blocks"
"""The folder beside definitions that has the files of blocks."""

_NAMED: Final = re.compile(BLOCK_NAME)
_USE: Final = re.compile(r"\{\{(-?)\s*block\(\s*(?:\"([^\"{}]*)\"|'([^'{}]*)')\s*\)\s*(-?)\}\}")
_MISUSE: Final = re.compile(r"\{[{%][^{}]*\bblock\s*\([^{}]*[%}]\}")
_ENDINGS: Final = (".yaml", ".yml")
_MOST_CHARACTERS: Final = 1_000_000
"""Characters that the blocks of a definition may give in all."""
_FILLED: Final = ("nodes", "outputs", "blocks")


class _BlockModel(BaseModel):
    """A file of a block."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[StrictStr, Field(pattern=rf"^{_PLAIN_NAME}$")]
    version: Annotated[StrictStr, Field(pattern=rf"^{_PLAIN_VERSION}$")] = "1.0.0"
    description: StrictStr = ""
    text: Annotated[StrictStr, Field(max_length=MAX_TEMPLATE_CHARS)]


class _Refused(Exception):  # noqa: N818 - it never leaves this module
    """A block cannot be used: a code, a sentence, a hint."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


def folder_stamp(folder: File) -> tuple[tuple[str, int, int], ...]:
    """What changes when a file of a block in ``folder`` does."""
    try:
        found = [(file.name, file.stat()) for file in folder.iterdir() if file.suffix in _ENDINGS]
    except OSError:
        return ()
    return tuple(sorted((name, status.st_mtime_ns, status.st_size) for name, status in found))


def fill_blocks(source: Source, folder: File | None) -> tuple[Source, list[Issue]]:
    """What a definition holds with every ``{{ block("…") }}`` written out, and what is wrong with any of them.

    Args:
        source: The definition as it was written.
        folder: Where the files of blocks are; without it there are only those of the definition.
    """
    own = source.data.get("blocks")
    blocks = _Blocks(cast("Mapping[str, Any]", own) if isinstance(own, dict) else {}, folder)
    filling = _Filling(source, blocks)
    data = {key: filling.fill(value, (key,)) if key in _FILLED else value for key, value in source.data.items()}
    return (replace(source, data=data) if filling.changed else source), filling.issues


class _Filling:
    """Fills in every text of one definition, and collects what is wrong."""

    def __init__(self, source: Source, blocks: "_Blocks") -> None:
        self._source = source
        self._blocks = blocks
        self._given = 0
        self.changed = False
        self.issues: list[Issue] = []

    def fill(self, value: Any, path: Path) -> Any:
        """``value`` with the blocks in its texts written out."""
        if isinstance(value, str):
            return self._text(value, path) if "block" in value else value
        if isinstance(value, dict):
            return {key: self.fill(item, (*path, key)) for key, item in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [self.fill(item, (*path, number)) for number, item in enumerate(cast("list[Any]", value))]
        return value

    def _text(self, text: str, path: Path) -> str:
        inside = (str(path[1]),) if path[0] == "blocks" and len(path) > 1 else ()
        try:
            filled = self._blocks.filled(text, inside)
        except _Refused as refused:
            self._report(refused, path)
            # Said once: what is left would be no template either, and nothing at all might be too short.
            left = _USE.sub("", text)
            filled = " " if _MISUSE.search(left) else left or " "
        if filled != text:
            self.changed = True
            self._given += len(filled)
            if self._given - len(filled) <= _MOST_CHARACTERS < self._given:
                problem = f"The blocks of the definition give more than {_MOST_CHARACTERS:,} characters in all"
                self._report(_Refused("DEF002", problem, "Use fewer, or shorter ones."), path)
        return filled if self._given <= _MOST_CHARACTERS else ""

    def _report(self, refused: _Refused, path: Path) -> None:
        line, column = self._source.mark(path) or (None, None)
        self.issues.append(Issue(refused.code, spell(path), refused.message, line, column, refused.hint))


class _Blocks:
    """The blocks that one definition may use: its own, then those of the folder."""

    def __init__(self, own: Mapping[str, Any], folder: File | None) -> None:
        self._own = own
        self._folder = folder
        self._filled: dict[str, str] = {}

    def filled(self, text: str, inside: tuple[str, ...] = ()) -> str:
        """``text`` with its blocks written out; ``inside`` are the blocks that it stands in.

        Raises:
            _Refused: One of them cannot be used.
        """
        parts: list[str] = []
        end = size = 0
        for use in _USE.finditer(text):
            name = use[2] if use[2] is not None else use[3]
            given = self._block(name, inside)
            # Blanks are taken off as the dashes say, by the template itself.
            given = f"{{{{- '' }}}}{given}" if use[1] else given
            given = f"{given}{{{{ '' -}}}}" if use[4] else given
            size += len(given)
            if size > MAX_TEMPLATE_CHARS:
                raise _Refused(
                    "DEF002", f"The block `{name}` makes this text longer than {MAX_TEMPLATE_CHARS:,} characters"
                )
            parts += (text[end : use.start()], given)
            end = use.end()
        left = "".join((*parts, text[end:]))
        if _MISUSE.search(left):
            hint = 'Write `{{ block("name") }}` or `{{ block("name@1.2.0") }}`, with nothing else between the braces.'
            raise _Refused("DEF057", "A block is put in here in a way that nobody can read", hint)
        return left

    def _block(self, name: str, inside: tuple[str, ...]) -> str:
        if name in inside:
            ring = " -> ".join((*inside[inside.index(name) :], name))
            raise _Refused("DEF058", f"The block `{name}` contains itself: {ring}")
        if name not in self._filled:
            self._filled[name] = self.filled(self._raw(name), (*inside, name))
        return self._filled[name]

    def _raw(self, name: str) -> str:
        if not _NAMED.fullmatch(name):
            raise _Refused("DEF057", f"`{name[:100]}` is no name of a block", "Write `name` or `name@1.2.0`.")
        own = self._own.get(name)
        if isinstance(own, str):
            return own
        plain, _, version = name.partition("@")
        for block in self._files(plain, version):
            if not version or block.version == version:
                return block.text
        known = [*self._own, *self._known()]
        raise _Refused("DEF057", f"There is no block `{name}`", did_you_mean(name, known) or self._where())

    def _where(self) -> str:
        folder = "" if self._folder is None else f", or in a file of the folder {self._folder.name}"
        return f"Define it under `blocks`{folder}."

    def _known(self) -> Iterator[str]:
        return (name.rsplit(".", 1)[0] for name, _, _ in (folder_stamp(self._folder) if self._folder else ()))

    def _files(self, name: str, version: str) -> Iterator[_BlockModel]:
        """The current file of a block, and that of the version, as far as they are there."""
        if self._folder is None:
            return
        for stem in (name, f"{name}@{version}") if version else (name,):
            found = [file for ending in _ENDINGS if (file := self._folder / f"{stem}{ending}").is_file()]
            if len(found) > 1:
                message = f"Two files claim the block `{stem}`: {found[0].name} and {found[1].name}"
                raise _Refused("DEF057", message, "Remove or rename one.")
            for file in found:
                yield _read(file, name, version if stem != name else None)


def _read(file: File, name: str, version: str | None) -> _BlockModel:
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_BYTES).decode("utf-8-sig")
        block = _BlockModel.model_validate(read_yaml(text).data)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _Refused("DEF057", f"The block `{name}` cannot be read from {file.name}: {reason}") from error
    except DefinitionError as error:
        raise _Refused("DEF057", f"The block in {file.name} cannot be read: {error.message}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"`{'.'.join(str(step) for step in first['loc'])}` {explain(first)}"
        raise _Refused("DEF057", f"The block in {file.name} cannot be used: {reason}") from error
    for field, expected, actual in (("name", name, block.name), ("version", version, block.version)):
        if expected is not None and expected != actual:
            message = f"{file.name} holds a block of {field} {actual}; by the name of the file it should be {expected}"
            raise _Refused("DEF057", message)
    return block
