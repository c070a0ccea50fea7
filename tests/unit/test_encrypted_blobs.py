"""Encrypted blobs: nothing of them lies in clear, and they keep what holds for all blobs."""

from pathlib import Path

import pytest

from activities.blobs import EncryptedBlobs, FolderBlobs, blob_store
from orchestrator.encryption import new_key
from orchestrator.encryption.keys import read_keys
from orchestrator.errors import NodeError
from orchestrator.settings import load_settings

OLD, NEW = new_key("old"), new_key("new")
CONTENT = b'"a secret' + b"." * 200_000 + b'"'


def store(root: Path, *lines: str) -> EncryptedBlobs:
    return EncryptedBlobs(FolderBlobs(root), read_keys("\n".join(lines), "keys") if lines else None)


def files(root: Path) -> list[Path]:
    return [file for file in root.rglob("*") if file.is_file()]


async def test_a_blob_comes_back_and_lies_there_encrypted(tmp_path: Path) -> None:
    key = await store(tmp_path, OLD).put(CONTENT)

    assert await store(tmp_path, OLD).get(key) == CONTENT
    [file] = files(tmp_path)
    assert b"secret" not in file.read_bytes()
    assert b"...." not in file.read_bytes()


async def test_the_same_content_is_one_blob_however_often_it_is_kept(tmp_path: Path) -> None:
    assert await store(tmp_path, OLD).put(CONTENT) == await store(tmp_path, OLD).put(CONTENT)
    assert len(files(tmp_path)) == 1


async def test_the_key_of_a_blob_does_not_follow_from_its_content_without_the_secret(tmp_path: Path) -> None:
    plain = await store(tmp_path / "plain").put(CONTENT)
    first = await store(tmp_path / "first", OLD).put(CONTENT)
    second = await store(tmp_path / "second", NEW).put(CONTENT)

    assert len({plain, first, second}) == 3


async def test_blobs_of_an_earlier_key_and_of_none_can_be_read_after_a_rotation(tmp_path: Path) -> None:
    plain = await store(tmp_path).put(CONTENT)
    old = await store(tmp_path, OLD).put(CONTENT)
    rotated = store(tmp_path, NEW, OLD)

    assert await rotated.get(plain) == await rotated.get(old) == CONTENT


@pytest.mark.parametrize("lines", [(), (NEW,)])
async def test_a_key_that_is_missing_is_named(lines: tuple[str, ...], tmp_path: Path) -> None:
    key = await store(tmp_path, OLD).put(CONTENT)

    with pytest.raises(NodeError, match=r"'old'.*ORCHESTRATOR_ENCRYPTION_KEYS") as caught:
        await store(tmp_path, *lines).get(key)

    assert key in caught.value.message


async def test_another_secret_under_the_same_id_does_not_open_a_blob(tmp_path: Path) -> None:
    key = await store(tmp_path, OLD).put(CONTENT)

    with pytest.raises(NodeError, match="cannot be decrypted"):
        await store(tmp_path, new_key("old")).get(key)


async def test_a_blob_that_was_damaged_is_refused_before_it_is_decrypted(tmp_path: Path) -> None:
    blobs = store(tmp_path, OLD)
    key = await blobs.put(CONTENT)
    [file] = files(tmp_path)
    file.write_bytes(file.read_bytes()[:-1] + b"!")

    with pytest.raises(NodeError, match="changed or damaged"):
        await blobs.get(key)


async def test_the_settings_say_whether_blobs_are_encrypted(tmp_path: Path) -> None:
    settings = load_settings(_env_file=None, blob_dir=tmp_path, encryption_keys=OLD)

    await blob_store(settings).put(CONTENT)

    [file] = files(tmp_path)
    assert b"secret" not in file.read_bytes()
