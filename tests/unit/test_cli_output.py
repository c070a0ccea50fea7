"""What becomes of a command whose output cannot be written, or whose input or arguments are no text."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HELLO = "name: hello\nnodes:\n  - {id: a, type: Format, config: {template: hi}}\n"


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


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("resolve --all --retry", "error REQUEST_INVALID: nobody is here to confirm it"),
        ("run hello --input @-", "error REQUEST_INVALID: --input (standard input) is not JSON"),
    ],
)
def test_a_closed_input_is_an_empty_one(command: str, said: str) -> None:
    code, shown = shell(f"{command} <&-")

    assert code == 2
    assert shown.startswith(said)
    assert shown.count("\n") == 1


def told(folder: Path, *arguments: str | bytes, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A command of ours in ``folder``."""
    return subprocess.run(
        [sys.executable, ROOT / "starter.py", *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_the_terminal_cannot_show_is_escaped(tmp_path: Path, encoding: str) -> None:
    name = "zoë-☃.yaml"
    (tmp_path / name).write_text(HELLO, encoding="utf-8")

    shown = told(tmp_path, "validate", name, PYTHONIOENCODING=encoding)
    as_json = told(tmp_path, "validate", name, "--json", PYTHONIOENCODING=encoding)

    assert (shown.returncode, as_json.returncode, shown.stderr + as_json.stderr) == (0, 0, b"")
    assert shown.stdout.startswith(name.encode(encoding, errors="backslashreplace") + b": valid")
    assert json.loads(as_json.stdout.decode(encoding))[0]["file"] == name


def test_bytes_that_are_no_text_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "definitions").mkdir()
    typed = HELLO + "inputs: {name: {type: string}}\n"
    (tmp_path / "definitions/hello.yaml").write_text(typed, encoding="utf-8")

    done = told(tmp_path, "run", "hello", "-v", b"name=\xff")

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == (
        b"error REQUEST_INVALID: an argument, or a variable of the environment, is no text in utf-8\n"
    )
