"""What becomes of a command whose output cannot be written, or whose input or arguments are no text."""

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from orchestrator.cli.output import clean, data

ROOT = Path(__file__).parents[2]
HELLO = "name: hello\nnodes:\n  - {id: a, type: Format, config: {template: hi}}\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?"),
        ("\x9b31m \x7f \x00 \r\n\t", "?31m ? ? ?\n\t"),
        ("pay \u202e001\u202c \u2066x\u2069 \u200b\u2060\ufeff\xad.", "pay ?001? ?x? ????."),
        ("hidden \U000e0041\U000e0042 line\u2028line\u2029", "hidden ?? line?line?"),
        # What people write.
        ("שלום, \u200fع\u0627لم", "שלום, \u200fع\u0627لم"),
        (
            "👩\u200d👩\u200d👧 می\u200cخو\u0627\u0647م क्\u200dष e\u0301 ❤\ufe0f 日本語",
            "👩\u200d👩\u200d👧 می\u200cخو\u0627\u0647م क्\u200dष e\u0301 ❤\ufe0f 日本語",
        ),
        (
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        ),
    ],
)
def test_text_neither_drives_the_terminal_nor_looks_like_other_text(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_nothing_that_reorders_or_hides_gets_through_apart_from_what_scripts_need() -> None:
    every = [
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zl", "Zp"}
    ]
    through = {character for character in every if clean(character) == character}

    # Marks of direction and joiners; signs that are printed before numbers and names.
    kept = {"\t", "\n", "\u200c", "\u200d", "\u200e", "\u200f", "\u061c", "\u06dd", "\u070f", "\u08e2"}
    assert kept <= through
    assert {unicodedata.name(character).split()[0] for character in through - kept} <= {"ARABIC", "KAITHI", "EGYPTIAN"}


def test_however_a_text_is_cut_into_pieces_nothing_of_it_drives_the_terminal() -> None:
    text = "a\x1b[31;1mred\x1b]8;;http://x\x1b\\\u202elink\u202c\x9b0m\r\ne\u0301 👩\u200d👧"

    for cut in range(len(text) + 1):
        for end in range(cut, len(text) + 1):
            assert clean(text[:cut]) + clean(text[cut:end]) + clean(text[end:]) == clean(text)
    assert "\x1b" not in clean(text)


def test_json_says_the_same_in_characters_that_a_terminal_only_shows(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": "a\x9b31m\x7f\u202e\U000e0041\u2028 é 🦊 שלום \x1b"}

    for compact in (True, False):
        data(value, compact=compact)
        shown = capsys.readouterr().out
        assert json.loads(shown) == value
        assert "é 🦊 שלום" in shown
        assert clean(shown) == shown


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
