"""What ``--verbose`` shows, what it hides, and what it leaves behind."""

import logging
import os
from pathlib import Path

import pytest

from orchestrator.cli.app import call
from orchestrator.cli.verbosity import masked

SECRET = "hunter2-and-more"  # noqa: S105 - made up, to look for it


@pytest.fixture(autouse=True)
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")


def test_an_error_is_one_line_and_with_verbose_its_origin_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(("list",)) == 3
    assert capsys.readouterr().err.count("\n") == 1

    assert call(("--verbose", "list")) == 3
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "error SERVER_UNAVAILABLE" in shown
    assert "exit code 3 after" in shown


def test_it_leaves_logging_and_environment_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    before = list(logging.getLogger().handlers), logging.getLogger().level, os.environ.get("ORCHESTRATOR_LOG_LEVEL")

    call(("--verbose", "list"))

    after = list(logging.getLogger().handlers), logging.getLogger().level, os.environ.get("ORCHESTRATOR_LOG_LEVEL")
    assert after == before
    assert capsys.readouterr().out == ""


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("ORCHESTRATOR_SECRET_CRM_TOKEN", f"{SECRET}-crm")
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"http://{SECRET}")

    assert masked(f"a {SECRET}-crm b {SECRET} c") == "a *** b *** c"
    assert call(("--verbose", "list")) == 2
    assert SECRET not in "".join(line for line in capsys.readouterr().err.splitlines() if not line.startswith("error "))


def test_secrets_of_files_are_masked_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "crm_token").write_text("of-a-folder\n")
    (tmp_path / ".env").write_text("ORCHESTRATOR_DATABASE_BOOKS=postgresql://me:of-the-env-file@host/books\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_SECRETS_DIR", str(tmp_path))

    assert masked("a of-a-folder b of-the-env-file") == "a *** b ***"
