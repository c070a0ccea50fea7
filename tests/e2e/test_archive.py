"""Worker processes that archive their model calls: into a folder, as they stop, and where nothing can be written."""

import json
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from orchestrator.cli.app import call
from orchestrator.client import Orchestrator
from orchestrator.contracts import RunRequest
from orchestrator.encryption import data_converter
from orchestrator.encryption.keys import new_key
from orchestrator.settings import load_settings
from tests.e2e.kills.driver import Stage
from tests.e2e.operated import operated
from tests.scenarios import graph, model

MAIL = "ada@example.org"
ASKS = graph([model("answer", f"Write to {MAIL}")])


@pytest.mark.parametrize("key", [None, new_key("k1")], ids=["plain", "encrypted"])
async def test_a_worker_that_is_told_to_stop_has_written_its_calls_and_the_command_line_reads_them(
    key: str | None, stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = f"archived-{uuid.uuid4()}", tmp_path / "kept"
    environment = {"ORCHESTRATOR_ARCHIVE": str(folder)} | ({} if key is None else {"ORCHESTRATOR_ENCRYPTION_KEYS": key})
    settings = load_settings(_env_file=None, encryption_keys=None if key is None else SecretStr(key))
    config: Any = {**stage.client.config(), "data_converter": data_converter(settings)}
    door = Orchestrator(Client(**config), run)
    worker = await operated(stage, run, environment)

    await door.start(RunRequest(definition=ASKS), run)
    assert (await door.result(run)).status == "completed"
    assert await worker.tell(signal.SIGTERM) == 0

    [file] = [path for path in folder.rglob("*") if path.is_file()]
    assert f"every call of a model is archived in {folder}" in worker.log.read_text(encoding="utf-8")
    assert (b"Write to" in file.read_bytes()) == (key is None)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert call(("archive", "list", "--run", run)) == 0
    assert call(("archive", "show", capsys.readouterr().out.strip())) == 0
    shown = capsys.readouterr().out
    assert json.loads(shown)["request"]["turns"][0]["content"] == "Write to [e-mail address]"
    assert MAIL not in shown


async def test_a_folder_that_cannot_be_written_is_told_once_and_fails_no_run(stage: Stage, tmp_path: Path) -> None:
    run = f"unarchived-{uuid.uuid4()}"
    (tmp_path / "file").write_text("", encoding="utf-8")
    environment = {"ORCHESTRATOR_ARCHIVE": str(tmp_path / "file" / "kept")}
    worker = await operated(stage, run, environment)
    door = Orchestrator(stage.client, run)

    for number in (1, 2):
        await door.start(RunRequest(definition=ASKS), f"{run}-{number}")
        assert (await door.result(f"{run}-{number}")).status == "completed"
    await worker.says("calls of models cannot be archived at present (the archive cannot be written")
    assert await worker.tell(signal.SIGTERM) == 0

    log = worker.log.read_text(encoding="utf-8")
    assert log.count("cannot be archived at present") == 1
    assert "check the folder that ORCHESTRATOR_ARCHIVE names" in log
    assert "2 calls of models are not in the archive" in log


async def test_a_bucket_that_there_cannot_be_keeps_a_worker_from_starting(stage: Stage) -> None:
    worker = await operated(stage, f"unarchived-{uuid.uuid4()}", {"ORCHESTRATOR_ARCHIVE": "gs://prompts"})

    assert await worker.ended == 2
    told = worker.log.read_text(encoding="utf-8")
    assert "ORCHESTRATOR_ARCHIVE: write a folder, or s3://bucket/prefix; gs:// is neither" in told
