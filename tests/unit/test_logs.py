"""Log lines: what is in them, and what never is."""

import json
import logging
from collections.abc import Iterator

import pytest

from orchestrator.logs import configure_logs


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


def test_what_is_less_important_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", "json")

    logging.getLogger("test").info("small talk")
    logging.getLogger("httpx").info("GET http://host/?key=1")

    assert capsys.readouterr().err == ""
