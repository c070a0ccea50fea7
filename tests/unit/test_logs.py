"""Log lines: what is in them, and what never is."""

import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from orchestrator.errors import SettingsError
from orchestrator.logs import configure_logs
from orchestrator.settings import Settings
from worker import start_logs


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_json_line_has_run_node_and_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")

    logging.getLogger("test").info(
        "told %s", "all", extra={"temporal_activity": {"workflow_id": "r1", "activity_id": "ask#2", "attempt": 3}}
    )

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["run"], line["node"], line["attempt"]) == ("told all", "r1", "ask#2", 3)
    assert "temporal_activity" not in line


@pytest.mark.parametrize("form", ["json", "readable"])
def test_a_secret_is_masked_even_in_a_traceback(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json" if form == "json" else "readable", secrets=["sk-hidden", ""])

    try:
        int("sk-hidden")
    except ValueError:
        logging.getLogger("test").exception("with sk-hidden")

    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "sk-hidden" not in said


def test_an_error_of_a_setting_is_said_in_one_sentence_with_the_run_that_it_holds_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "json")

    error = SettingsError("Key 'k1' is missing.", details={"run": "r1"})
    logging.getLogger("test").error("it failed", exc_info=error)

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["reason"], line["run"]) == ("it failed", "Key 'k1' is missing.", "r1")
    assert "exception" not in line


def test_a_secret_of_the_settings_is_masked_however_it_is_spelt(capsys: pytest.CaptureFixture[str]) -> None:
    secret = 'pä"ss/wo\\rd'  # noqa: S105 - one that is written differently in JSON, in Python and in an address
    start_logs(Settings(smtp_password=SecretStr(secret), log_format="json"))

    logging.getLogger("test").warning("%s, %r, %s", secret, secret, quote(secret))

    said = capsys.readouterr().err
    assert json.loads(said)["event"].count("***") == 3
    assert "rd" not in said


def test_what_is_less_important_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", "json")

    logging.getLogger("test").info("small talk")
    logging.getLogger("httpx").info("GET http://host/?key=1")

    assert capsys.readouterr().err == ""


async def test_a_line_of_a_library_that_a_node_calls_has_run_node_and_attempt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "json")

    async def work() -> None:
        logging.getLogger("library").warning("careful")

    environment = ActivityEnvironment()
    await environment.run(work)

    line = json.loads(capsys.readouterr().err)
    info = environment.info
    assert (line["run"], line["node"], line["attempt"]) == (info.workflow_id, info.activity_id, info.attempt)
