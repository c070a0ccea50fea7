"""What shells complete, in a real bash."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.app import call
from orchestrator.cli.completing import definition_names, node_types, run_ids
from orchestrator.node_types import NODE_TYPES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with definitions, and our program on a path of its own."""
    (tmp_path / "definitions").mkdir()
    for name in ("hello", "help-desk", "triage", "triage@1.0.0"):
        (tmp_path / f"definitions/{name}.yaml").write_text("", encoding="utf-8")
    program = tmp_path / "bin/orchestrator"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "starter.py"}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def completed(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    line = " ".join(f"'{word}'" for word in words)
    script = (
        f'PATH="{folder}/bin:$PATH"; source <(orchestrator completion bash); COMP_WORDS=({line}); '
        f"COMP_CWORD={len(words) - 1}; _orchestrator_completion orchestrator; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [bash, "--norc", "-c", script], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands(folder: Path) -> None:
    assert completed(folder, "orchestrator", "re") == ["result", "resume", "resolve", "record", "register"]


def test_bash_completes_options_and_their_choices(folder: Path) -> None:
    assert completed(folder, "orchestrator", "list", "--stat") == ["--status"]
    assert completed(folder, "orchestrator", "list", "--status", "t") == ["timed_out", "terminated"]


def test_bash_completes_definitions_and_node_types(folder: Path) -> None:
    assert completed(folder, "orchestrator", "run", "hel") == ["hello", "help-desk"]
    assert completed(folder, "orchestrator", "nodes", "Http") == ["HttpRequest"]


def test_an_older_version_is_offered_once_there_is_an_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    assert definition_names("tri") == ["triage"]
    assert definition_names("triage@") == ["triage@1.0.0"]


def test_without_definitions_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert definition_names("") == []


def test_every_node_type_is_offered() -> None:
    assert node_types("") == list(NODE_TYPES)


@pytest.mark.parametrize("typed", ["run-", "x' OR '1'='1"])
def test_without_a_server_no_run_is_offered_and_nothing_is_said(
    typed: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    assert run_ids(typed) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(("completion", shell)) == 0
    assert f"complete_{shell}" in capsys.readouterr().out


def test_an_unknown_shell_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(("completion", "tcsh")) == 2
    assert "bash" in capsys.readouterr().err
