"""Named secrets: where they are found, how they change, and that no text keeps them."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.secrets import DATABASE_PREFIX, SECRET_PREFIX, NamedSecrets, masked
from orchestrator.errors import NodeError, OrchestratorError
from orchestrator.logs import configure_logs, mask_with
from orchestrator.settings import load_settings
from worker import open_dependencies


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    mask_with()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_environment_comes_before_the_env_file_and_that_before_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "crm_token").write_text("from-folder\n")
    secrets = NamedSecrets(SECRET_PREFIX, folder, env_file)
    assert secrets.get("crm_token") == "from-folder"
    env_file.write_text("ORCHESTRATOR_SECRET_CRM_TOKEN='from $file'\nORCHESTRATOR_SECRET_EMPTY=\n")
    assert secrets.get("crm_token") == "from $file"
    monkeypatch.setenv("ORCHESTRATOR_SECRET_CRM_TOKEN", "from-environment")
    assert secrets.get("crm_token") == "from-environment"
    assert secrets.names() == ["crm_token"]
    env_file.write_bytes(b"\xff\xfe")
    with pytest.raises(NodeError, match=r"\.env"):
        secrets.get("other")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"value", "value"),
        (b"value\n", "value"),
        (b"value\r\n", "value"),
        (b"value\n\n", "value\n"),
        (b" v w ", " v w "),
    ],
)
def test_one_newline_at_the_end_of_a_file_is_dropped(tmp_path: Path, content: bytes, value: str) -> None:
    (tmp_path / "token").write_bytes(content)
    assert NamedSecrets(SECRET_PREFIX, tmp_path).get("token") == value


def test_a_mounted_secret_that_is_replaced_is_read_anew_and_both_are_masked(tmp_path: Path) -> None:
    """Kubernetes swaps a link to a folder, and keeps its own entries beside."""
    for version in ("first", "second"):
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "token").write_text(f"{version}-value")
    (tmp_path / "..data").symlink_to("..first")
    (tmp_path / "token").symlink_to("..data/token")
    secrets = NamedSecrets(SECRET_PREFIX, tmp_path)
    assert (secrets.names(), secrets.get("token")) == (["token"], "first-value")
    (tmp_path / "..new").symlink_to("..second")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert secrets.get("token") == "second-value"
    assert secrets.mask("first-value, second-value") == "***, ***"


def test_a_secret_that_is_not_there_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NodeError) as caught:
        NamedSecrets(SECRET_PREFIX, tmp_path).get("crm_token")
    for part in ("'crm_token'", "ORCHESTRATOR_SECRET_CRM_TOKEN", str(tmp_path / "crm_token")):
        assert part in caught.value.message
    assert not caught.value.retryable


@pytest.mark.parametrize("name", ["", "../token", "Token", "a-b", "_a", "a/b", "1a", "a" * 65, "a\n"])
def test_what_is_no_name_is_not_looked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(NodeError, match="no name of a secret"):
        NamedSecrets(SECRET_PREFIX, tmp_path / "folder").get(name)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_an_error_without_its_content(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(NodeError, match="too large, or not UTF-8") as caught:
        NamedSecrets(SECRET_PREFIX, tmp_path).get("token")
    assert "xxx" not in caught.value.message


def test_masking_reaches_texts_keys_bytes_and_every_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    value = 'a/b+"c'
    monkeypatch.setenv("ORCHESTRATOR_SECRET_TOKEN", value)
    secrets = NamedSecrets(SECRET_PREFIX)
    assert secrets.mask({value: [f"<{value}>", 1, None], "n": {"q": "a%2Fb%2B%22c"}}) == {
        "***": ["<***>", 1, None],
        "n": {"q": "***"},
    }
    assert secrets.mask(json.dumps(value)) == '"***"'
    assert masked(b"x" + value.encode(), [value]) == b"x***"


def test_of_an_address_the_password_is_masked_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_ORDERS", "postgresql://app:p%40ssword@db.example/orders")
    secrets = NamedSecrets(DATABASE_PREFIX)
    shown = secrets.mask("p@ssword p%40ssword postgresql://app:p%40ssword@db.example/orders")
    assert shown == "*** *** ***"


def test_each_line_of_a_key_is_masked(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("-----BEGIN KEY-----\nabcdefgh\n-----END KEY-----\n")
    assert NamedSecrets(SECRET_PREFIX, tmp_path).mask("in a log: abcdefgh") == "in a log: ***"


async def test_the_log_of_a_worker_masks_named_secrets_and_those_that_came_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_ORDERS", "sqlite://x:db-password@/file")
    (tmp_path / "token").write_text("before-rotation")
    settings = load_settings(secrets_dir=tmp_path, blob_dir=tmp_path / "blobs")
    configure_logs("info", "json")
    async with open_dependencies(settings) as dependencies:
        logging.getLogger("test").info("it is before-rotation, db-password")
        (tmp_path / "token").write_text("after-rotation")
        assert dependencies.secrets.get("token") == "after-rotation"
    try:
        raise ValueError("after-rotation")  # noqa: TRY301 - its traceback is what is looked at
    except ValueError:
        logging.getLogger("test").exception("with before-rotation")

    said = capsys.readouterr().err
    assert "ValueError" in said
    for value in ("before-rotation", "after-rotation", "db-password"):
        assert value not in said


async def test_the_settings_reach_the_dependencies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("ORCHESTRATOR_SECRET_TOKEN=value-1\n")
    monkeypatch.setenv("ORCHESTRATOR_SECRET_HOSTS", '{"token": ["api.example"]}')
    async with open_dependencies(load_settings()) as dependencies:
        assert dependencies.secrets.get("token") == "value-1"
        assert dependencies.secret_hosts == {"token": ("api.example",)}


async def test_bounds_of_a_secret_that_is_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_SECRET_TOKEN", "value-1")
    async with open_dependencies(load_settings(secret_hosts={"tokne": ["api.example"], "token": ["api.example"]})):
        assert "secrets that are not there (yet): tokne" in caplog.text


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HTTP_ALLOW_PRIVATE", "10.0.0.0/33", "no address or network"),
        ("HTTP_ALLOW_PRIVATE", "http://localhost", "no address or network"),
        ("HTTP_ALLOW_PRIVATE", "a b", "no host"),
        ("HTTP_ALLOW_PRIVATE", "*.*", "no host"),
        ("HTTP_ALLOW_PRIVATE", '["a"', "JSON list"),
        ("SECRET_HOSTS", "crm=api.example", "JSON object"),
        ("SECRET_HOSTS", "[1]", "JSON object"),
        ("SECRET_HOSTS", '{"Crm": ["a"]}', "name of a secret"),
        ("SECRET_HOSTS", '{"crm": ["https://a/b"]}', "no address or network"),
    ],
)
def test_a_list_of_hosts_that_is_none_is_refused(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"ORCHESTRATOR_{variable}", value)
    with pytest.raises(OrchestratorError, match=said) as caught:
        load_settings()
    assert variable in caught.value.message
