"""A run on a real server that uses a named secret: nothing of its history, result or log has the value."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from orchestrator.logs import configure_logs
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.scenarios import graph
from tests.unit.loopback import Answer, web

SECRET = "a-very/secret+value"  # noqa: S105 - a made-up one


@pytest.fixture
def own_logs() -> Iterator[None]:
    """Lets a test configure logging as a worker does."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("own_logs")
async def test_the_history_of_a_run_never_has_the_value_of_a_secret(
    runs: Runs,
    client: Client,
    running_worker: RunningWorker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "crm_token").write_text(f"{SECRET}\n")
    configure_logs("debug", "json")
    auth = {"type": "bearer", "secret": "crm_token"}
    with web() as site:
        site.answers = [
            Answer(body={"you said": f"Bearer {SECRET}"}, headers={"x-echo": SECRET}),
            Answer(status=302, headers={"location": f"/gone/{SECRET}"}),
            Answer(status=404, body=SECRET),
        ]
        definition = graph(
            [
                {"id": "one", "type": "HttpRequest", "config": {"url": site.url, "auth": auth}},
                {"id": "two", "type": "HttpRequest", "config": {"url": site.url, "auth": auth}, "on_failure": "fail"},
            ],
            [{"from": "one", "to": "two"}],
        )
        async with running_worker(secrets_dir=tmp_path):
            run_id = await runs.start(definition)
            result = await runs.result(run_id)
        assert [seen.headers["authorization"] for seen in site.seen] == [f"Bearer {SECRET}"] * 3

    history = (await client.get_workflow_handle(run_id).fetch_history()).to_json()
    assert result.error is not None
    assert "/gone/***" in result.error.message
    said = capsys.readouterr()
    assert "activity" in said.err
    for shown in (history, result.model_dump_json(), said.err, said.out):
        assert SECRET not in shown
