"""Secrets that definitions refer to by name: looked up where they are used, and masked wherever they could show."""

import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote, quote_plus, unquote, urlsplit

from dotenv import dotenv_values
from pydantic_core import to_json

from orchestrator.errors import NodeError
from orchestrator.secret_name import SECRET_NAME

__all__ = ["DATABASE_PREFIX", "ENV_FILE", "MASK", "SECRET_PREFIX", "NamedSecrets", "masked", "spellings"]

SECRET_PREFIX: Final = "ORCHESTRATOR_SECRET_"  # noqa: S105 - the name of a variable, not its value
DATABASE_PREFIX: Final = "ORCHESTRATOR_DATABASE_"
ENV_FILE: Final = Path(".env")
"""Where the settings are read from as well."""
MASK: Final = "***"

_NAME: Final = re.compile(SECRET_NAME)
_QUOTED: Final = re.compile("%[0-9A-F]{2}")
_PLAIN_IN_PATHS: Final = "!$&'()*+,/:;=@[]"
_MOST_BYTES: Final = 64_000
_SHORTEST: Final = 4
"""Characters of the shortest text that is masked: shorter ones are part of half of all lines."""
_MOST_KNOWN: Final = 1_000
"""Values that are masked at most; of secrets that rotate, the oldest are forgotten."""


class NamedSecrets:
    """Secrets by name: from the environment, else from ``env_file``, else from a file of that name in ``folder``.

    The secret ``crm_token`` is the variable ``<prefix>CRM_TOKEN``, or the file ``crm_token``. All three are read at
    each use, so that a secret can be changed while the worker runs.

    Args:
        prefix: What the names of the variables begin with.
        folder: Holds a file for each secret, such as a mounted Kubernetes secret; none: there are no files.
        env_file: A file of variables like ``.env``; none, or one that is not there: only the environment counts.
    """

    def __init__(self, prefix: str, folder: Path | None = None, env_file: Path | None = None) -> None:
        self._prefix = prefix
        self._folder = folder
        self._env_file = env_file
        self._read: tuple[tuple[int, int], Mapping[str, str]] = ((0, 0), {})
        self._known: dict[str, tuple[str, ...]] = {}
        for name in self.names():
            value = self._variable(name)
            if value is None and (path := self._path(name)) is not None and _is_readable(path):
                value = _content(path)
            if value:
                self._remember(value)

    def get(self, name: str) -> str:
        """The value of the secret ``name``, from now on masked by ``mask``.

        Raises:
            NodeError: There is none, or its file cannot be read. The message says what was looked for, never a value.
        """
        if not _NAME.fullmatch(name):
            raise NodeError(
                f"{name[:80]!r} is no name of a secret: it takes up to 64 small letters, digits and underscores, "
                "and begins with a letter"
            )
        value = self._variable(name) or self._from_file(name)
        if not value:
            raise NodeError(
                f"there is no secret {name!r}: neither the variable {self._variable_name(name)} "
                f"nor {self._place(name)} is there or holds anything; give the worker one of them, then retry the node",
                details={"secret": name, "variable": self._variable_name(name)},
            )
        if len(value) < _SHORTEST:
            raise NodeError(
                f"the secret {name!r} has fewer than {_SHORTEST} characters: it could not be masked where "
                "it comes back; give the worker the whole one",
                details={"secret": name},
            )
        self._remember(value)
        return value

    def names(self) -> list[str]:
        """The names of the secrets that are there, in order."""
        variables = [*os.environ, *self._env_file_values()]
        found = {name.removeprefix(self._prefix).lower() for name in variables if name.startswith(self._prefix)}
        if self._folder is not None and self._folder.is_dir():
            found.update(path.name for path in self._folder.iterdir() if path.is_file())
        return sorted(name for name in found if _NAME.fullmatch(name))

    def mask(self, value: Any) -> Any:
        """``value``, a text or JSON, with ``***`` in the place of every secret known so far.

        Known are those that were there at the beginning, and all that ``get`` gave. Of a value that is an address with
        a password, the password is masked by itself as well.
        """
        return masked(value, [text for texts in self._known.copy().values() for text in texts])

    def _variable_name(self, name: str) -> str:
        return f"{self._prefix}{name.upper()}"

    def _variable(self, name: str) -> str | None:
        variable = self._variable_name(name)
        return os.environ.get(variable) or self._env_file_values().get(variable) or None

    def _env_file_values(self) -> Mapping[str, str]:
        if self._env_file is None:
            return {}
        try:
            found = self._env_file.stat()
        except OSError:  # it is not there, as in most deployments
            return {}
        stamp = (found.st_mtime_ns, found.st_size)
        if self._read[0] != stamp:
            try:
                values = dotenv_values(self._env_file, interpolate=False)
            except (OSError, ValueError):
                raise NodeError(
                    f"the file {self._env_file} of secrets cannot be read: it has to be UTF-8 text"
                ) from None
            self._read = (stamp, {key: value for key, value in values.items() if value})
        return self._read[1]

    def _path(self, name: str) -> Path | None:
        return None if self._folder is None else self._folder / name

    def _place(self, name: str) -> str:
        path = self._path(name)
        return "a file (no folder of such files is set)" if path is None else f"the file {path}"

    def _from_file(self, name: str) -> str | None:
        path = self._path(name)
        if path is None or not path.is_file():
            return None
        try:
            return _content(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is too large, or not UTF-8 text"
            raise NodeError(
                f"the secret {name!r} cannot be read from the file {path}: {reason}", details={"secret": name}
            ) from None

    def _remember(self, value: str) -> None:
        if value in self._known:
            return
        known = {**self._known, value: spellings(_within(value))}
        # A new map takes the place of the old one at once: log lines are masked in other threads meanwhile.
        self._known = dict(list(known.items())[-_MOST_KNOWN:])


def spellings(texts: Iterable[str]) -> tuple[str, ...]:
    """``texts`` as they may turn up: as they are, in an address, within JSON, and in HTML."""
    found = dict.fromkeys(spelling for text in texts for spelling in _spelt(text))
    return tuple(text for text in found if len(text) >= _SHORTEST)


def _spelt(text: str) -> Iterator[str]:
    yield text
    for safe in ("", "/", _PLAIN_IN_PATHS):
        quoted = quote(text, safe=safe)
        yield quoted
        yield _QUOTED.sub(lambda found: found[0].lower(), quoted)
    yield quote_plus(text)
    for encoded in (to_json(text).decode()[1:-1], json.dumps(text)[1:-1]):
        yield encoded
        yield encoded.replace("/", "\\/")
    yield html.escape(text)
    # As a traceback has it.
    yield repr(text)[1:-1]


def masked(value: Any, texts: Iterable[str]) -> Any:
    """``value``, a text, bytes or JSON, with ``***`` in the place of each of ``texts``, the longest first."""
    ordered = sorted(texts, key=len, reverse=True)
    return _masked(value, ordered) if ordered else value


def _masked(value: Any, texts: list[str]) -> Any:
    if isinstance(value, str):
        for text in texts:
            value = value.replace(text, MASK)
        return value
    if isinstance(value, (bytes, bytearray)):
        for text in texts:
            value = value.replace(text.encode(), MASK.encode())
        return value
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {_masked(key, texts): _masked(item, texts) for key, item in fields.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item, texts) for item in cast("list[Any]", value)]
    return value


def _within(value: str) -> tuple[str, ...]:
    """The secret itself; and its lines, when it has several, and its password, when it is an address with one."""
    parts = [value, *(line for line in value.splitlines() if len(line) >= _SHORTEST)]
    try:
        password = urlsplit(value).password
    except ValueError:
        password = None
    if password:
        parts += [password, unquote(password)]
    return tuple(dict.fromkeys(parts))


def _content(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError("too large")
    text = content.decode()
    return text[:-1].removesuffix("\r") if text.endswith("\n") else text


def _is_readable(path: Path) -> bool:
    try:
        _content(path)
    except (OSError, ValueError):  # `get` says so where it is wanted
        return False
    return True
