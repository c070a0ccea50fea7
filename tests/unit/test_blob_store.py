"""Blob stores: one contract for all of them, then what is particular to each."""

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from activities.blobs import BlobStore, FolderBlobs
from orchestrator.errors import NodeError, ProviderUnavailableError

CONTENT = b'{"a": 1}'
KEY = f"{sha256(CONTENT).hexdigest()}.json"


@dataclass(frozen=True)
class Kept:
    """A store under test. ``overwrite`` changes what it holds under a key, behind its back."""

    store: BlobStore
    overwrite: Callable[[str, bytes], None]


def path_in(root: Path, key: str) -> Path:
    return root / key[:2] / key[2:4] / key


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def in_folder(root: Path) -> Kept:
    def overwrite(key: str, content: bytes) -> None:
        path_in(root, key).write_bytes(content)

    return Kept(FolderBlobs(root), overwrite)


STORES: dict[str, Callable[[Path], Kept]] = {"folder": in_folder}


@pytest.fixture(params=STORES.values(), ids=list(STORES))
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    return request.param(tmp_path / "blobs")


async def test_what_was_put_can_be_got(kept: Kept) -> None:
    assert await kept.store.put(CONTENT) == KEY
    assert await kept.store.get(KEY) == CONTENT


@pytest.mark.parametrize("content", [b"", bytes(range(256)), b"x" * 10_000_000])
async def test_any_content_comes_back_as_it_was(kept: Kept, content: bytes) -> None:
    assert await kept.store.get(await kept.store.put(content)) == content


async def test_putting_the_same_again_changes_nothing(kept: Kept) -> None:
    assert [await kept.store.put(CONTENT) for _ in range(3)] == [KEY] * 3
    assert await kept.store.get(KEY) == CONTENT


async def test_the_same_content_may_be_put_by_many_at_once(kept: Kept) -> None:
    content = b"y" * 1_000_000

    keys = await asyncio.gather(*(kept.store.put(content) for _ in range(20)))

    assert len(set(keys)) == 1
    assert await kept.store.get(keys[0]) == content


async def test_a_blob_that_is_not_there_may_come_and_names_its_key(kept: Kept) -> None:
    with pytest.raises(ProviderUnavailableError, match=f"^blob {KEY} is not in blob storage"):
        await kept.store.get(KEY)


async def test_content_that_was_changed_is_never_given_away(kept: Kept) -> None:
    await kept.store.put(CONTENT)
    kept.overwrite(KEY, b'{"a": 2}')

    with pytest.raises(NodeError, match=f"^the content of blob {KEY} is not what was stored") as caught:
        await kept.store.get(KEY)
    assert not caught.value.retryable


async def test_content_that_was_cut_short_is_mended_by_putting_it_again(kept: Kept) -> None:
    await kept.store.put(CONTENT)
    kept.overwrite(KEY, CONTENT[:3])

    await kept.store.put(CONTENT)

    assert await kept.store.get(KEY) == CONTENT


@pytest.mark.parametrize("key", ["", "../../etc/passwd", f"../{KEY}", KEY.removesuffix(".json"), f"{KEY}\n", f"/{KEY}"])
async def test_only_keys_are_looked_for(kept: Kept, key: str) -> None:
    with pytest.raises(NodeError, match="is not the key of a blob"):
        await kept.store.get(key)


async def test_files_can_be_read_by_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await FolderBlobs(tmp_path / "a" / "blobs").put(CONTENT)
    finally:
        os.umask(before)

    file = path_in(tmp_path / "a" / "blobs", KEY)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, *file.parents[:4])]
    assert modes == [0o600, 0o700, 0o700, 0o700, 0o700]


async def test_nothing_but_the_blob_is_left_in_the_folder(tmp_path: Path) -> None:
    await FolderBlobs(tmp_path).put(CONTENT)

    assert files(tmp_path) == [path_in(tmp_path, KEY)]


async def test_a_blob_that_is_put_again_counts_as_new(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path)
    await store.put(CONTENT)
    os.utime(path_in(tmp_path, KEY), (0, 0))

    await store.put(CONTENT)

    assert path_in(tmp_path, KEY).stat().st_mtime > 0


async def test_a_store_that_only_reads_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailableError):
        await FolderBlobs(tmp_path / "blobs").get(KEY)

    assert not (tmp_path / "blobs").exists()


async def test_a_folder_that_cannot_be_used_is_told_with_the_setting_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = FolderBlobs(tmp_path / "file" / "blobs")

    with pytest.raises(ProviderUnavailableError, match=r"cannot be written \(.+\).*ORCHESTRATOR_BLOB_DIR"):
        await store.put(CONTENT)
    with pytest.raises(ProviderUnavailableError, match=r"cannot be read \(.+\).*ORCHESTRATOR_BLOB_DIR"):
        await store.get(KEY)


async def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    (tmp_path / KEY[:2] / KEY[2:4]).mkdir(parents=True)
    with pytest.raises(ProviderUnavailableError, match="No space left on device"):
        await FolderBlobs(tmp_path).put(CONTENT)

    assert files(tmp_path) == []
