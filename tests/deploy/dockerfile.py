"""Reads the Dockerfile and .dockerignore: what each stage does, and what the build may take."""

import json
import re
import shlex
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Instruction:
    """One instruction, such as ``COPY a b``."""

    word: str
    rest: str

    @property
    def arguments(self) -> list[str]:
        """Its words; those of the JSON form, too."""
        return [str(item) for item in json.loads(self.rest)] if self.rest.startswith("[") else shlex.split(self.rest)

    @property
    def assignments(self) -> dict[str, str]:
        """What an ENV sets."""
        return dict(word.split("=", 1) for word in self.arguments)


@dataclass(frozen=True)
class Stage:
    """The instructions from one FROM to the next."""

    name: str
    instructions: tuple[Instruction, ...]

    def of(self, word: str) -> list[Instruction]:
        """Its instructions that begin with ``word``."""
        return [item for item in self.instructions if item.word == word]

    @property
    def environment(self) -> dict[str, str]:
        """What its ENV instructions set."""
        return {name: value for item in self.of("ENV") for name, value in item.assignments.items()}


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: list[Stage] = []
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            name = rest.partition(" AS ")[2]
            found.append(Stage(name, ()))
        elif found:
            found[-1] = Stage(found[-1].name, (*found[-1].instructions, Instruction(word, rest.strip())))
    return found


def taken(path: Path, ignore: str) -> bool:
    """Whether the build context has ``path`` (relative to the root): the last pattern that fits decides."""
    kept = True
    for line in ignore.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        if _fits(path, pattern.removeprefix("!")):
            kept = pattern.startswith("!")
    return kept


def _fits(path: Path, pattern: str) -> bool:
    parts = [path, *path.parents][:-1]
    if pattern.startswith("**/"):
        return any(fnmatch(part.name, pattern.removeprefix("**/")) for part in parts)
    return any(fnmatch(part.as_posix(), pattern) and part.as_posix().count("/") == pattern.count("/") for part in parts)
