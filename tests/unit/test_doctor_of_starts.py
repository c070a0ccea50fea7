"""``doctor`` tells of what a worker would not start with, in the worker's own sentence."""

from collections.abc import Generator
from pathlib import Path

import pytest

from orchestrator.cli.app import call
from orchestrator.cli.doctor.checking import Finding
from orchestrator.cli.doctor.diagnosing import diagnose
from orchestrator.errors import SettingsError
from orchestrator.models import add_models
from orchestrator.settings import load_settings
from tests.unit.test_cli_doctor import diagnosed
from worker import open_dependencies

BUDGETS = "ORCHESTRATOR_BUDGETS_FILE"
MODELS = "ORCHESTRATOR_MODELS_FILE"
RATES = "ORCHESTRATOR_MODEL_RATES"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """An empty folder, no server, and afterwards no added models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    yield tmp_path
    add_models(None)


async def found_by_doctor(check: str) -> Finding:
    (found,) = [item for item in await diagnose(load_settings(), 5) if item.check == check]
    return found


async def worker_says() -> str:
    with pytest.raises(SettingsError) as caught:
        async with open_dependencies(load_settings()):
            pass
    return caught.value.message


@pytest.mark.parametrize(
    ("variable", "content", "check"),
    [
        (BUDGETS, "budgets: [{per: tenant, hard_usd: .nan}]", "budgets file"),
        (BUDGETS, "", "budgets file"),
        (BUDGETS, None, "budgets file"),
        (BUDGETS, "budgets: " + "[" * 50_000, "budgets file"),
        (MODELS, "models: {a: {provider: nobody}}", "models file"),
        (MODELS, None, "models file"),
    ],
)
async def test_a_file_that_no_worker_takes_fails_with_the_workers_sentence(
    variable: str,
    content: str | None,
    check: str,
    alone: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if content is not None:
        (alone / "file.yaml").write_text(content, encoding="utf-8")
    monkeypatch.setenv(variable, "file.yaml")

    found = await found_by_doctor(check)

    assert found.status == "fail"
    assert found.says == await worker_says()
    assert found.mend is not None
    assert variable in found.mend


@pytest.mark.parametrize("rates", ['{"openay": "1/minute"}', '{"openai": "often"}', '{"openai": "0/minute"}'])
async def test_rates_that_no_worker_takes_fail_with_its_sentence(rates: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RATES, rates)

    found = await found_by_doctor("model rates")

    assert found.status == "fail"
    assert found.says == await worker_says()


async def test_a_storage_that_no_worker_takes_fails_with_its_sentence(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", "sqlite:///file/storage.db")

    found = await found_by_doctor("storage")

    assert found.status == "fail"
    assert found.says == await worker_says()


def test_what_a_worker_takes_is_told_too_and_rates_may_name_models_of_the_file(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (alone / "models.yaml").write_text("models: {our-own: {provider: openai}}", encoding="utf-8")
    (alone / "budgets.yaml").write_text("budgets: [{per: tenant, hard_usd: 5}]", encoding="utf-8")
    monkeypatch.setenv(MODELS, "models.yaml")
    monkeypatch.setenv(BUDGETS, "budgets.yaml")
    monkeypatch.setenv(RATES, '{"our-own": "5/minute"}')
    monkeypatch.setenv("ORCHESTRATOR_SECRET_HOSTS", '{"crm": ["crm.example"]}')
    monkeypatch.setenv("ORCHESTRATOR_SECRET_CRM", "very-secret")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-made-up")

    _, found = diagnosed(capsys)

    assert {name: found[name]["says"] for name in ("models file", "budgets file", "model rates", "secret hosts")} == {
        "models file": "models.yaml can be read",
        "budgets file": "1 budget in budgets.yaml",
        "model rates": "of our-own",
        "secret hosts": "bound crm",
    }
    assert found["model providers"]["says"] == "configured: anthropic"
    assert {path.name for path in alone.iterdir()} == {"models.yaml", "budgets.yaml"}


def test_a_bound_of_a_secret_that_is_not_there_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_HOSTS", '{"crn": ["crm.example"]}')

    _, found = diagnosed(capsys)

    assert found["secret hosts"]["status"] == "warn"
    assert "crn" in found["secret hosts"]["says"]


def test_half_a_version_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TEMPORAL_DEPLOYMENT_NAME", "flows")

    _, found = diagnosed(capsys)

    assert found["worker versioning"]["says"].startswith("TEMPORAL_DEPLOYMENT_NAME is set and TEMPORAL_WORKER_BUILD_ID")


def test_for_people_the_sentence_is_the_same(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (alone / "budgets.yaml").write_text("", encoding="utf-8")
    monkeypatch.setenv(BUDGETS, "budgets.yaml")

    assert call(("doctor", "--timeout", "5")) == 1

    assert "the budgets in budgets.yaml: the file is empty; it has to hold `budgets:`" in capsys.readouterr().out
