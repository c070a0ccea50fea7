"""What ``--verbose`` turns on for one command: log lines down to debug, tracebacks of all errors, the time it took."""

import logging
import os
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from activities.secrets import NamedSecrets

from orchestrator.cli.output import clean, say

__all__ = ["Verbosity", "masked"]

_LEVEL = "ORCHESTRATOR_LOG_LEVEL"
_CHATTY = ("asyncio", "markdown_it", "urllib3")
_log = logging.getLogger(__name__)


class Verbosity(AbstractContextManager["Verbosity"]):
    """How much a command tells of itself; leaves logging and environment as they were."""

    def __init__(self) -> None:
        self.on = False
        self._since = time.monotonic()
        self._level = os.environ.get(_LEVEL)
        self._root = logging.getLogger()
        self._before = list(self._root.handlers), self._root.level

    def turn_on(self) -> None:
        """Log everything from now on, as the worker does at the level debug, with secrets masked."""
        from orchestrator.logs import configure_logs, mask_with

        self.on = True
        # Commands that run a worker configure its logs by the settings.
        os.environ[_LEVEL] = "debug"
        configure_logs("debug", "auto")
        mask_with(*_masks())
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.INFO)

    def failed(self) -> None:
        """Tell where the error at hand came from; what it says is told anyway."""
        if self.on:
            _trace()

    def done(self, code: int) -> None:
        """Tell how long it took."""
        if self.on:
            _log.debug("exit code %s after %.2f s", code, time.monotonic() - self._since)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.on:
            return
        handlers, level = self._before
        self._root.handlers[:] = handlers
        self._root.setLevel(level)
        if self._level is None:
            os.environ.pop(_LEVEL, None)
        else:
            os.environ[_LEVEL] = self._level


def masked(text: str) -> str:
    """The text with every secret of the settings, and each named one, masked."""
    for mask in _masks():
        text = mask(text)
    return text


def _trace() -> None:
    for line in masked(traceback.format_exc()).splitlines():
        say(clean(line))


def _masks() -> list[Callable[[str], Any]]:
    """What masks every secret that this process could show."""
    from pydantic import SecretStr

    from activities.secrets import DATABASE_PREFIX, SECRET_PREFIX
    from activities.secrets import masked as without
    from orchestrator.connect import connection_config
    from orchestrator.errors import SettingsError
    from orchestrator.settings import load_settings

    folders: tuple[Path | None, Path | None] = (None, None)
    try:
        settings = load_settings()
        folders = (settings.secrets_dir, settings.databases_dir)
        found = [value.get_secret_value() for value in dict(settings).values() if isinstance(value, SecretStr)]
        found.append(connection_config().get("api_key") or "")
    except SettingsError:
        # Which setting is wrong, the command itself says; what the environment holds is masked all the same.
        found = [value for name, value in os.environ.items() if name.endswith(("_KEY", "_KEYS", "_PASSWORD", "_TOKEN"))]
    named = [
        _named(prefix, folder).mask for prefix, folder in zip((SECRET_PREFIX, DATABASE_PREFIX), folders, strict=True)
    ]
    return [*named, lambda text: without(text, [value for value in found if value])]


def _named(prefix: str, folder: Path | None) -> "NamedSecrets":
    from activities.secrets import ENV_FILE, NamedSecrets
    from orchestrator.errors import NodeError

    try:
        return NamedSecrets(prefix, folder, ENV_FILE)
    except (NodeError, OSError):  # the command itself says what cannot be read
        return NamedSecrets(prefix)
