"""What ``doctor`` finds, says and hides."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueResponse

from orchestrator.cli.app import call
from orchestrator.cli.doctor.checking import Finding, ok, perform
from orchestrator.cli.doctor.server import attribute_findings, clock_findings, worker_findings
from orchestrator.contracts import SearchAttribute
from storage import open_storage

NOW = datetime(2027, 1, 1, tzinfo=UTC)
KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
SECRET = "sk-very-secret-1234"  # noqa: S105 - made up, to look for it


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and no server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    return tmp_path


def polls(seconds_ago: float = 1, *, build: str = "b1", versioned: bool = False) -> DescribeTaskQueueResponse:
    poller = PollerInfo(identity="1@host")
    poller.last_access_time.FromDatetime(NOW - timedelta(seconds=seconds_ago))
    poller.deployment_options.deployment_name = "flows"
    poller.deployment_options.build_id = build
    if versioned:
        poller.deployment_options.worker_versioning_mode = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
    return DescribeTaskQueueResponse(pollers=[poller])


def diagnosed(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, str]]]:
    code = call(("doctor", "--json", "--timeout", "5"))
    captured = capsys.readouterr()
    assert captured.err == ""
    return code, {item["check"]: item for item in json.loads(captured.out)["checks"]}


def test_without_a_server_it_fails_and_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = diagnosed(capsys)

    assert code == 1
    assert found["temporal server"]["status"] == "fail"
    assert "orchestrator dev" in found["temporal server"]["mend"]
    assert (found["python"]["status"], found["packages"]["status"]) == ("ok", "ok")
    assert found["blob folder"]["status"] == "ok"


def test_for_people_each_finding_has_a_line_and_what_is_wrong_how_to_mend_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(("doctor",)) == 1

    shown = capsys.readouterr().out
    assert "fail  temporal server" in shown
    assert "mend: Start one with `orchestrator dev`" in shown
    assert "1 failed" in shown


def test_a_wrong_setting_is_what_it_finds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_LOG_LEVEL", "loud")

    code, found = diagnosed(capsys)

    assert code == 1
    assert "ORCHESTRATOR_LOG_LEVEL" in found["settings"]["says"]


LEAVING = """
name: leaving
version: 1.0.0
inputs: {model: {type: string}}
nodes:
  - {id: ask, type: ModelInvoke, config: {model: claude-2.1, prompt: "Hi", fallback: [gpt-4.1]}}
  - id: each
    type: ForEach
    config:
      items: "[1]"
      do: {nodes: [{id: inner, type: ModelInvoke, config: {model: gemini/gemini-1.5-pro, prompt: "Hi"}}]}
  - {id: told, type: ModelInvoke, config: {model: "{{ inputs.model }}", prompt: "Hi"}}
edges: [{from: ask, to: each}, {from: each, to: told}]
"""


def test_models_of_definitions_that_are_served_no_more_are_named(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (alone / "definitions").mkdir()
    (alone / "definitions/leaving.yaml").write_text(LEAVING, encoding="utf-8")

    call(("doctor", "--json", "--timeout", "5"))

    found = json.loads(capsys.readouterr().out)["checks"]
    said = [(item["status"], item["says"]) for item in found if item["check"] == "models"]
    assert [item["status"] for item in found if item["check"] == "definitions"] == ["ok"]
    assert said == [
        ("warn", f"leaving.yaml: {name} is marked as retired: its provider may serve it no more")
        for name in ("claude-2.1", "gemini/gemini-1.5-pro")
    ]


def test_invalid_definitions_are_named(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (alone / "definitions").mkdir()
    (alone / "definitions/bad.yaml").write_text("name: bad\nnodes: []\n", encoding="utf-8")

    _, found = diagnosed(capsys)

    assert found["definitions"]["status"] == "fail"
    assert "bad.yaml" in found["definitions"]["says"]
    assert "orchestrator validate" in found["definitions"]["mend"]


def test_what_is_configured_and_away_fails_without_a_secret_on_the_screen(
    alone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://user:{SECRET}@127.0.0.1:1/v1")
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_ORDERS", f"postgresql://me:{SECRET}@127.0.0.1:1/db")
    monkeypatch.setenv("ORCHESTRATOR_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("ORCHESTRATOR_SMTP_PORT", "1")
    monkeypatch.setenv("ORCHESTRATOR_SMTP_PASSWORD", SECRET)
    monkeypatch.setenv("ORCHESTRATOR_ENCRYPTION_KEYS", f"k1:{SECRET}")
    monkeypatch.setenv("ORCHESTRATOR_SECRETS_DIR", str(alone / "nowhere"))

    _, found = diagnosed(capsys)

    away = ("model endpoint", "database orders", "mail server", "encryption", "secrets")
    assert {name: found[name]["status"] for name in away} == dict.fromkeys(away, "fail")
    assert SECRET not in json.dumps(found)


def test_a_database_that_is_there_is_ok(
    alone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone / "orders.db").touch()
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_ORDERS", "sqlite:///orders.db")

    _, found = diagnosed(capsys)

    assert found["database orders"]["status"] == "ok"


async def test_a_check_that_breaks_or_hangs_is_a_failure_and_stops_no_other() -> None:
    async def breaks() -> Sequence[Finding]:
        raise KeyError("odd")

    async def hangs() -> Sequence[Finding]:
        await asyncio.Event().wait()
        return []

    async def works() -> Sequence[Finding]:
        return [ok("works", "well")]

    found = await perform({"breaks": breaks, "hangs": hangs, "works": works}, 0.05)

    assert [(item.check, item.status) for item in found] == [("breaks", "fail"), ("hangs", "fail"), ("works", "ok")]
    assert "KeyError" in found[0].says
    assert "within 0.05 seconds" in found[1].says


def test_search_attributes_that_are_missing_or_of_another_type_fail() -> None:
    every: dict[str, IndexedValueType.ValueType] = dict.fromkeys(SearchAttribute.ALL, KEYWORD)
    assert attribute_findings(every)[0].status == "ok"

    missing = attribute_findings({SearchAttribute.TENANT: KEYWORD})[0]
    assert (missing.status, "orchestrator register" in (missing.mend or "")) == ("fail", True)

    wrong = attribute_findings({**every, "Tenant": IndexedValueType.INDEXED_VALUE_TYPE_TEXT})[0]
    assert (wrong.status, wrong.says) == ("fail", "of another type than Keyword: Tenant")


def test_workers_are_named_with_their_build() -> None:
    found = worker_findings("q", polls(), polls(), NOW)[0]

    assert (found.status, found.says) == ("ok", "1 on the task queue q: 1@host (b1)")


def test_without_workers_or_with_dead_ones_it_fails() -> None:
    nobody = DescribeTaskQueueResponse()

    assert worker_findings("q", nobody, nobody, NOW)[0].status == "fail"
    late = worker_findings("q", polls(200), polls(200), NOW)[0]
    assert (late.status, late.says) == ("fail", "none has polled the task queue q for 200 seconds")


def test_a_worker_without_work_nodes_and_a_version_that_is_not_current_are_warned_of() -> None:
    assert worker_findings("q", polls(), DescribeTaskQueueResponse(), NOW)[0].status == "warn"

    unused = worker_findings("q", polls(versioned=True), polls(versioned=True), NOW)[0]
    assert unused.status == "warn"
    assert "--deployment-name flows --build-id b1" in (unused.mend or "")


@pytest.mark.parametrize(("ahead", "status"), [(0, "ok"), (60, "warn")])
def test_a_clock_behind_the_server_is_warned_of(ahead: float, status: str) -> None:
    assert clock_findings(polls(-ahead).pollers, NOW)[0].status == status
    assert clock_findings([], NOW) == []


def test_the_storage_is_opened_where_it_is_there_and_not_made_where_it_is_not(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", "sqlite:///kept.db")
    _, found = diagnosed(capsys)
    assert (found["storage"]["status"], "not there yet" in found["storage"]["says"]) == ("ok", True)
    assert not (alone / "kept.db").exists()

    (alone / "kept.db").touch()
    _, found = diagnosed(capsys)
    assert found["storage"]["says"] == "kept.db answers, the next worker brings its tables to this release"

    asyncio.run(opened("sqlite:///kept.db"))
    _, found = diagnosed(capsys)
    assert found["storage"]["says"] == "kept.db answers, its tables are those of this release"


async def opened(url: str) -> None:
    async with open_storage(url):
        return


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("ORCHESTRATOR_STORAGE_URL", f"postgresql://root:{SECRET}@127.0.0.1:1/nothing", "storage"),
        ("ORCHESTRATOR_REDIS_URL", f"redis://:{SECRET}@127.0.0.1:1/0", "redis"),
        ("ORCHESTRATOR_REDIS_URL", "127.0.0.1:6379", "redis"),
    ],
)
def test_what_is_kept_beside_temporal_and_is_away_is_told_without_its_password(
    variable: str, value: str, check: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    _, found = diagnosed(capsys)

    assert found[check]["status"] == "fail"
    assert variable in found[check]["mend"]
    assert SECRET not in str(found)


def test_other_providers_than_openais_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    _, found = diagnosed(capsys)

    assert found["model endpoint"]["status"] == "ok"
    assert "anthropic" in found["model endpoint"]["says"]
