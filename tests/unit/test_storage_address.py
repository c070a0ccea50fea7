"""Addresses of the storage that cannot be used are refused before anything is done, and no password shows."""

import asyncio
from pathlib import Path

import pytest

import worker
from orchestrator.errors import SettingsError
from orchestrator.settings import load_settings
from storage import migrated_to

HIDDEN = "hidden"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("books", "is no address of a database"),
        (f"mysql://root:{HIDDEN}@host/books", "neither sqlite:/// nor postgresql://"),
        (f"postgresql+psycopg://root:{HIDDEN}@host/books", "neither sqlite:/// nor postgresql://"),
        (f"postgresql://root:{HIDDEN}@host:port/books", "its port is none"),
        (f"postgresql://root:{HIDDEN}@host:/books", "its port is none"),
        (f"postgresql://root:{HIDDEN}@host:99999/books", "its port is none"),
        (f"postgresql://root:{HIDDEN}@host:0/books", "its port is none"),
        (f"postgresql://root:{HIDDEN}@host/books?pool=3", "one of its options is not known"),
        (f"postgresql://root@host/books?password={HIDDEN}", "one of its options is not known"),
        (f"postgresql://root:{HIDDEN}@host/books?port=none", "its option `port` must be a number"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_the_settings(
    address: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", address)

    with pytest.raises(SettingsError, match="ORCHESTRATOR_STORAGE_URL: ") as caught:
        load_settings()
    assert reason in caught.value.message
    assert HIDDEN not in caught.value.message
    with pytest.raises(SettingsError, match="ORCHESTRATOR_STORAGE_URL: ") as caught:
        asyncio.run(migrated_to(address))
    assert reason in caught.value.message


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://root:p#a/s?s@host/books",
        "postgresql://root@host",
        "postgresql://root@[::1]:5432/books?sslmode=require",
        "postgresql:///books?host=/run/postgresql",
        "postgres://host/books",
        "sqlite:///not/there/yet.db",
    ],
)
def test_an_address_that_may_do_is_taken_and_nothing_is_made(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", address)

    assert load_settings().storage_address == address
    assert list(tmp_path.iterdir()) == []


NOT_EVEN_ROOT = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that root cannot write")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("sqlite:///folder", "folder is a folder"),
        ("sqlite:///file/storage.db", "file is a file, not a folder"),
        ("sqlite:///file/deeper/storage.db", "file is a file, not a folder"),
        pytest.param("sqlite:////proc/self/storage.db", "/proc/self cannot be written", marks=NOT_EVEN_ROOT),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_when_a_worker_starts(
    address: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", address)

    async def started() -> None:
        async with worker.open_dependencies(load_settings()):
            pytest.fail("it cannot")

    with pytest.raises(SettingsError, match="ORCHESTRATOR_STORAGE_URL: ") as caught:
        asyncio.run(started())
    assert reason in caught.value.message
    assert sorted(it.name for it in tmp_path.iterdir()) == ["file", "folder"]
