"""Runs the real command line as a process of its own, at a terminal or without one."""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, str(ROOT / "starter.py")]
PATIENCE_S = 60


@dataclass(frozen=True)
class Shell:
    """A folder and an environment to run commands in."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> dict[str, str]:
        """The tests' own environment, and the variables of this shell."""
        return {**os.environ, **self.variables}

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    @contextmanager
    def started(self, *arguments: str) -> Generator[subprocess.Popen[str]]:
        """A command under way; ended when the context is left."""
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)

    @contextmanager
    def at_terminal(self, *arguments: str) -> Generator["Terminal"]:
        """A command whose standard input and error are a terminal."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        os.close(theirs)
        with process:
            try:
                yield Terminal(process, ours)
            finally:
                if process.poll() is None:
                    process.kill()
                os.close(ours)


@dataclass
class Terminal:
    """What somebody who sits there sees and does."""

    process: subprocess.Popen[str]
    descriptor: int
    seen: str = ""

    def wait_for(self, text: str) -> None:
        """Look until ``text`` is on the screen."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            ready, _, _ = select.select([self.descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no {text!r} on the screen:\n{self.seen}"
            try:
                self.seen += os.read(self.descriptor, 65_536).decode(errors="replace")
            except OSError as error:  # the other end is closed
                message = f"the command ended without {text!r}:\n{self.seen}"
                raise AssertionError(message) from error

    def type(self, line: str) -> None:
        """Type a line, and look at nothing that was there before."""
        self.seen = ""
        os.write(self.descriptor, f"{line}\n".encode())

    def end(self) -> tuple[int, str]:
        """Wait for the end. Returns exit code and standard output."""
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out


@contextmanager
def developing(folder: Path) -> Generator[tuple[Shell, str]]:
    """`orchestrator dev` in a folder, which has to end well when told to stop.

    Yields:
        A shell that talks to its server, and what it said until its worker was ready.
    """
    port = str(free_port())
    options = ("--port", port, "--ui-port", str(free_port()), "--db", "runs.db")
    with Shell(folder).started("dev", *options) as process:
        assert process.stderr is not None
        told: list[str] = []
        for line in process.stderr:
            told.append(line)
            if line.startswith("worker is ready"):
                break
        introduction = "".join(told)
        assert process.poll() is None, introduction
        # Whatever it says from now on has to be read, or it would block some day.
        reader = threading.Thread(target=process.stderr.read, daemon=True)
        reader.start()
        yield Shell(folder, {"TEMPORAL_ADDRESS": f"127.0.0.1:{port}"}), introduction
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        reader.join(timeout=10)


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
