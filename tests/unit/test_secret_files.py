"""Secret settings that come from files, as containers mount them."""

from pathlib import Path

import pytest

from orchestrator.errors import SettingsError
from orchestrator.secret_files import secret_fields
from orchestrator.settings import Settings, load_settings, misspelt, variable_name

SECRETS = list(secret_fields(Settings))
VALUES = {"storage_url": "postgresql://us:very-secret@db/here", "redis_url": "redis://us:very-secret@redis:6379/0"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in SECRETS:
        monkeypatch.delenv(variable_name(name), raising=False)


def mounted(content: bytes) -> str:
    Path("mounted").write_bytes(content)
    return "mounted"


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["no end", "newline", "of Windows"])
def test_a_secret_comes_from_its_file_without_the_newline(name: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = VALUES.get(name, "very-secret")
    monkeypatch.setenv(f"{variable_name(name)}_FILE", mounted(f"{value}{end}".encode()))

    settings = load_settings()

    assert getattr(settings, name).get_secret_value() == value
    assert value in settings.secret_values()
    assert "very-secret" not in repr(settings)


def test_the_file_may_be_named_in_the_env_file() -> None:
    Path(".env").write_text(f"GEMINI_API_KEY_FILE={mounted(b'very-secret')}\nGEMINI_API_KEY=\n", encoding="utf-8")

    key = load_settings().gemini_api_key

    assert key is not None
    assert key.get_secret_value() == "very-secret"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"\n", "is empty; put the secret in it"),
        (b"x" * 70_000, "has more than 65536 bytes"),
        (b"two\nlines\n", "a key is of printable ASCII"),
    ],
)
def test_a_file_that_holds_no_secret_is_one_clear_error(
    content: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", mounted(content))

    with pytest.raises(SettingsError, match=f"ANTHROPIC_API_KEY.*{reason}") as caught:
        load_settings()
    assert "lines" not in caught.value.message


def test_a_file_that_is_not_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_REDIS_URL_FILE", "/run/secrets/none")

    with pytest.raises(SettingsError, match=r"^ORCHESTRATOR_REDIS_URL_FILE: the file /run/secrets/none cannot be read"):
        load_settings()


def test_a_secret_that_is_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY_FILE", mounted(b"one"))
    monkeypatch.setenv("OPENAI_API_KEY", "other")

    with pytest.raises(SettingsError, match=r"^Set one of OPENAI_API_KEY and OPENAI_API_KEY_FILE, not both\.$"):
        load_settings()


def test_the_variable_of_a_file_is_no_setting_spelt_wrongly() -> None:
    assert misspelt(["ORCHESTRATOR_STORAGE_URL_FILE", "ORCHESTRATOR_SMTP_PASSWORD_FILE"]) == {}
    assert misspelt(["ORCHESTRATOR_STORAGE_URL_FLIE"]) == {
        "ORCHESTRATOR_STORAGE_URL_FLIE": "ORCHESTRATOR_STORAGE_URL_FILE"
    }
