"""Settings: what is read, from where, and how a wrong value is refused."""

from pathlib import Path

import pytest

from orchestrator.errors import SettingsError
from orchestrator.settings import Settings, load_settings, misspelt, variable_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def documented(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_without_anything_set_every_setting_has_its_default() -> None:
    settings = load_settings()

    assert settings.task_queue == "orchestrator"
    assert settings.definitions_dir == Path("definitions")
    assert settings.temporal_binary is None
    assert not settings.sandboxed


def test_the_environment_wins_over_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(
        "ORCHESTRATOR_TASK_QUEUE=file\nORCHESTRATOR_STICKY_TIMEOUT=3\nTEMPORAL_ADDRESS=x:1\n"
    )
    monkeypatch.setenv("ORCHESTRATOR_TASK_QUEUE", "environment")

    settings = load_settings()

    assert settings.task_queue == "environment"
    assert settings.sticky_timeout == 3


def test_what_the_caller_says_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TASK_QUEUE", "environment")

    assert load_settings(task_queue="caller").task_queue == "caller"


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEMPORAL_BINARY", "")
    monkeypatch.setenv("OPENAI_API_KEY", "")

    settings = load_settings()

    assert settings.temporal_binary is None
    assert settings.openai_api_key is None


def test_the_model_endpoint_is_read_from_the_names_everybody_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    settings = load_settings()

    assert settings.openai_base_url == "http://127.0.0.1:9/v1"
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ORCHESTRATOR_HEARTBEAT_TIMEOUT", "soon"),
        ("ORCHESTRATOR_HEARTBEAT_TIMEOUT", "0"),
        ("ORCHESTRATOR_STICKY_TIMEOUT", "nan"),
        ("ORCHESTRATOR_MAX_CONCURRENT_WORKFLOW_TASKS", "1"),
        ("ORCHESTRATOR_MAX_CACHED_WORKFLOWS", "-1"),
        ("ORCHESTRATOR_LOG_LEVEL", "loud"),
        ("ORCHESTRATOR_LOG_FORMAT", "xml"),
        ("ORCHESTRATOR_SANDBOXED", "perhaps"),
        ("OPENAI_BASE_URL", "ftp://user:hidden@host"),
    ],
)
def test_a_wrong_value_is_one_error_that_names_the_variable_and_hides_the_value(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert variable in caught.value.message
    assert "hidden" not in caught.value.message


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_LOG_LEVEL", "loud")
    monkeypatch.setenv("ORCHESTRATOR_MAX_CACHED_WORKFLOWS", "many")

    with pytest.raises(SettingsError, match=r"ORCHESTRATOR_LOG_LEVEL.*ORCHESTRATOR_MAX_CACHED_WORKFLOWS"):
        load_settings()


def test_an_env_file_that_is_not_text_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00ORCHESTRATOR")

    with pytest.raises(SettingsError, match=r"\.env"):
        load_settings()


def test_a_variable_that_is_nearly_a_setting_is_one_spelt_wrongly() -> None:
    given = ["ORCHESTRATOR_MAX_CONCURENT_ACTIVITIES", "ORCHESTRATOR_BLOB_DIR", "ORCHESTRATOR_EXTENSION_MARK", "HOME"]

    assert misspelt(given) == {"ORCHESTRATOR_MAX_CONCURENT_ACTIVITIES": "ORCHESTRATOR_MAX_CONCURRENT_ACTIVITIES"}


@pytest.mark.parametrize("field", Settings.model_fields)
def test_no_setting_counts_as_another_one_spelt_wrongly(field: str) -> None:
    assert misspelt([variable_name(field), variable_name(field).lower()]) == {}


def test_the_example_file_lists_each_setting_with_its_default_and_a_comment() -> None:
    expected: dict[str, str] = {}
    for name, field in Settings.model_fields.items():
        shown = "" if field.default is None or field.default in ((), {}) else str(field.default)
        expected[variable_name(name)] = shown.lower() if isinstance(field.default, bool) else shown

    assert documented(ROOT / ".env.example") == expected

    blocks = (ROOT / ".env.example").read_text(encoding="utf-8").strip().split("\n\n")[1:]
    assert [block for block in blocks if not block.startswith("# ")] == []


def test_the_example_file_can_be_used_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text(encoding="utf-8"), encoding="utf-8")

    assert load_settings() == load_settings(_env_file=None)


def test_a_cache_smaller_than_the_work_is_refused_with_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_MAX_CACHED_WORKFLOWS", "79")

    with pytest.raises(SettingsError, match=r"MAX_CACHED_WORKFLOWS \(79\) is less than 4 times .*: make it 80 or more"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("OPENAI_BASE_URL", "http://127.0.0.1:99999/v1", "it is no address"),
        ("ANTHROPIC_BASE_URL", "http://[::1/v1", "it is no address"),
        ("OPENAI_API_KEY", "sk-\u00e9", "printable ASCII"),
        ("GEMINI_API_KEY", "key\nline", "printable ASCII"),
        ("ORCHESTRATOR_MODEL_RATES", "x", "it must be JSON"),
        ("ORCHESTRATOR_MODEL_RATES", "[" * 100_000, "it must be JSON"),
        ("ORCHESTRATOR_MODEL_RATES", '{"openai": "1/minute", "openai": "2/minute"}', "it has 'openai' twice"),
        ("ORCHESTRATOR_SECRET_HOSTS", '{"crm": ["a.example"], "crm": ["b.example"]}', "it has 'crm' twice"),
        ("ORCHESTRATOR_SECRET_HOSTS", "[" * 100_000, "has to be a JSON object"),
        ("ORCHESTRATOR_FILES_DIRS", "[" * 100_000, "begins like a JSON list"),
        ("ORCHESTRATOR_UNKNOWN_PRICE", "1", "such as 0.5/1.5"),
    ],
)
def test_a_setting_of_models_that_cannot_be_used_is_named_with_what_would_do(
    variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert variable in caught.value.message
    assert says in caught.value.message
    assert value not in caught.value.message or "KEY" not in variable
