"""A folder of definitions: ``NAME.yaml`` is the current version of NAME, ``NAME@1.1.0.yaml`` an older one."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.definition.blocks import FOLDER, folder_stamp
from orchestrator.definition.loader import load_file
from orchestrator.definition.model import NAME, VERSION, Definition
from orchestrator.definition.words import did_you_mean, listed
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, Issue, RequestError

__all__ = ["Entry", "Library"]

_ENDINGS: Final = (".yaml", ".yml", ".json")
_NAME: Final = re.compile(NAME.removesuffix("$"))
_VERSION: Final = re.compile(VERSION.removesuffix("$"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the library. ``version`` is none for the current one, whose version only the file itself tells."""

    name: str
    version: str | None
    file: Path


class Library:
    """Finds definitions by name in one folder. It looks at the disk each time, so a change counts at once.

    Args:
        folder: Where the files are; it need not exist yet.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._loaded: dict[Path, tuple[tuple[object, ...], Definition]] = {}

    @property
    def blocks(self) -> Path:
        """The folder with the files of the blocks that its definitions use."""
        return self._folder / FOLDER

    def entries(self) -> tuple[Entry, ...]:
        """The files whose names are those of definitions, sorted."""
        try:
            files = [file for file in self._folder.iterdir() if file.suffix in _ENDINGS and file.is_file()]
        except OSError:
            return ()
        found: list[Entry] = []
        for file in sorted(files, key=lambda file: file.name):
            name, at, version = file.stem.partition("@")
            if _NAME.fullmatch(name) and (_VERSION.fullmatch(version) if at else True):
                found.append(Entry(name, version if at else None, file))
        return tuple(found)

    def load(self, name: str, version: str | None = None) -> Definition:
        """The definition ``name``, in ``version`` or the current one.

        Raises:
            RequestError: The name or the version is not well formed.
            DefinitionNotFoundError: There is none; the message has the nearest names.
            DefinitionError: Two files claim it, the file says another name or version, or it breaks rules.
        """
        if not _NAME.fullmatch(name) or (version is not None and not _VERSION.fullmatch(version)):
            shown = f"{name}@{version}" if version is not None else name
            raise RequestError(f"{shown[:120]!r} is not the name of a definition: write `name` or `name@1.2.0`")
        mine = [entry for entry in self.entries() if entry.name == name]
        current = self._one([entry for entry in mine if entry.version is None])
        if version is None:
            if current is None:
                raise self._missing(name, mine)
            return self._read(current)
        exact = self._one([entry for entry in mine if entry.version == version])
        if current is not None:
            definition = self._read(current)
            if definition.version == version:
                if exact is not None:
                    raise _twice(current, exact)
                return definition
        if exact is None:
            raise self._missing(f"{name}@{version}", mine)
        return self._read(exact)

    def find(self, reference: str) -> Definition:
        """The definition that ``name`` or ``name@version`` stands for.

        Raises:
            RequestError: It is not well formed.
            DefinitionNotFoundError: There is none; the message has the nearest names.
            DefinitionError: Two files claim it, the file says another name or version, or it breaks rules.
        """
        name, at, version = reference.partition("@")
        return self.load(name, version if at else None)

    def _one(self, claims: list[Entry]) -> Entry | None:
        if len(claims) > 1:
            raise _twice(claims[0], claims[1])
        return claims[0] if claims else None

    def _missing(self, wanted: str, mine: list[Entry]) -> DefinitionNotFoundError:
        if mine:
            versions = listed(entry.version or "the current one" for entry in mine)
            verb = "is" if len(mine) == 1 else "are"
            return DefinitionNotFoundError(f"no definition {wanted}; of this name there {verb} {versions}")
        names = list(dict.fromkeys(entry.name for entry in self.entries()))
        hint = did_you_mean(wanted, names) or (f"There are {len(names)}." if names else "There are none.")
        return DefinitionNotFoundError(f"no definition {wanted} in {self._folder}. {hint}", details={"name": wanted})

    def _read(self, entry: Entry) -> Definition:
        try:
            status = entry.file.stat()
        except OSError as error:
            raise DefinitionNotFoundError(f"cannot read {entry.file}: {error.strerror or error}") from error
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino, folder_stamp(self.blocks))
        known = self._loaded.get(entry.file)
        if known is not None and known[0] == stamp:
            return known[1]
        definition = load_file(entry.file)
        self._check_name(entry, definition)
        self._loaded[entry.file] = (stamp, definition)
        return definition

    def _check_name(self, entry: Entry, definition: Definition) -> None:
        for field, expected, actual in (
            ("name", entry.name, definition.name),
            ("version", entry.version, definition.version),
        ):
            if expected is not None and expected != actual:
                message = f"{entry.file.name} holds {field} {actual}; by the name of the file it should be {expected}"
                mark = definition.source.mark((field,)) or (None, None)
                raise DefinitionError(message, [Issue("DEF015", field, message, *mark)])


def _twice(one: Entry, other: Entry) -> DefinitionError:
    names = f"{one.file.name} and {other.file.name}"
    message = f"two files claim to be the same version of {one.name}: {names}; remove or rename one"
    return DefinitionError(message, [Issue("DEF016", "", message)])
