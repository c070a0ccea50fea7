"""What becomes of a command whose output cannot be written."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def shell(redirected: str) -> tuple[int, str]:
    """The exit code and standard error of a command line of ours, with its output ``redirected``."""
    command = f'"{sys.executable}" starter.py {redirected}'
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
@pytest.mark.parametrize("command", ["nodes", "nodes --json", "--help"])
def test_output_that_cannot_be_written_is_one_clear_line_and_exit_code_1(command: str) -> None:
    code, said = shell(f"{command} > /dev/full")
    assert (code, said) == (1, "error: cannot write to standard output: No space left on device\n")


def test_a_closed_output_is_one_clear_line_and_exit_code_1() -> None:
    assert shell("nodes >&-") == (1, "error: cannot write to standard output: it is closed\n")
    assert shell("nodes >&- 2>&-") == (1, "")
