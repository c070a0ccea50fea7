"""SaveToFile, into a real folder."""

import base64
import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydantic import ValidationError

from activities import folders
from activities.folders import save
from activities.save_to_file import handler
from orchestrator.errors import NodeError, ProviderUnavailableError
from orchestrator.node_types.save_to_file import SaveToFileConfig
from tests.unit.handling import handled


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that is allowed; beside it lies one that is not."""
    for name in ("allowed", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "outside/secret.txt").write_text("untouched", encoding="utf-8")
    return tmp_path / "allowed"


@pytest.fixture
def untouched(root: Path) -> Iterator[None]:
    """Whatever a test did, nothing came outside and no temporary file is left."""
    yield
    outside = root.parent / "outside"
    assert [path.name for path in outside.iterdir()] == ["secret.txt"]
    assert (outside / "secret.txt").read_text(encoding="utf-8") == "untouched"
    assert list(root.rglob("*.tmp")) == []


async def written(root: Path, path: str, content: Any, **more: Any) -> dict[str, Any]:
    return await handled(handler([root]), SaveToFileConfig, {"path": path, "content": content, **more})


def read(path: Path) -> bytes:
    return path.read_bytes()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def made(folder: Path) -> None:
    folder.mkdir()


def status(path: Path) -> os.stat_result:
    return path.stat()


def chmod(path: Path, mode: int) -> os.stat_result:
    path.chmod(mode)
    return path.stat()


async def test_text_is_written_and_told(root: Path) -> None:
    output = await written(root, "a.txt", "tëxt\n")
    content = "tëxt\n".encode()
    assert output == {"path": str(root / "a.txt"), "bytes": 6, "sha256": sha256(content).hexdigest()}
    assert read(root / "a.txt") == content


@pytest.mark.parametrize(
    ("format_", "content", "expected"),
    [
        ("text", {"a": [1]}, b'{"a":[1]}'),
        ("json", {"a": "é"}, '{\n  "a": "é"\n}\n'.encode()),
        ("csv", [{"a": 1, "b": 'x"y'}, {"b": None, "c": [True]}], b'a,b,c\r\n1,"x""y",\r\n,,[true]\r\n'),
        ("csv", [["a", 1.5], ["b\n", False]], b'a,1.5\r\n"b\n",false\r\n'),
        ("csv", [], b""),
        ("file", {"filename": "x", "content_type": "a/b", "base64": base64.b64encode(b"\0\xff").decode()}, b"\0\xff"),
    ],
)
async def test_content_is_written_in_the_format_asked_for(
    root: Path, format_: str, content: Any, expected: bytes
) -> None:
    await written(root, "out", content, format=format_)
    assert read(root / "out") == expected


@pytest.mark.parametrize(
    ("format_", "content", "part"),
    [
        ("csv", [1], "no table"),
        ("csv", {"a": 1}, "no table"),
        ("file", "text", "no file"),
        ("text", "\ud800", "surrogate"),
    ],
)
async def test_content_that_does_not_fit_its_format_is_refused(
    root: Path, format_: str, content: Any, part: str
) -> None:
    with pytest.raises(NodeError, match=part):
        await written(root, "out", content, format=format_)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "path",
    [
        "../outside/x",
        "a/../../outside/x",
        "..",
        ".",
        "a/",
        "a//b",
        "./a",
        "{root}/../outside/x",
        "{root}",
        "{root}/",
        "{root}-sibling/x",
        "/etc/passwd",
        "//etc/passwd",
        "a\0b",
        "a\nb",
        "x" * 256,
        "ü" * 128,
        "/".join(["d" * 100] * 50),
        "\ud800",
    ],
)
def test_a_path_out_of_the_folder_is_refused(root: Path, path: str) -> None:
    with pytest.raises(NodeError, match="the path"):
        save([root], path.format(root=root), b"x", create=False, parents=True)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("create", [True, False])
def test_no_link_is_followed_or_replaced(root: Path, *, create: bool) -> None:
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "file").symlink_to(root.parent / "outside/secret.txt")
    (root / "dangling").symlink_to(root.parent / "outside/new")
    for path in ("folder/x", "folder/secret.txt", "file", "dangling"):
        with pytest.raises(NodeError, match="link"):
            save([root], path, b"x", create=create, parents=True)
    assert (root / "file").is_symlink()


@pytest.mark.usefixtures("untouched")
def test_what_is_no_plain_file_is_refused(root: Path) -> None:
    (root / "folder").mkdir()
    (root / "plain").write_bytes(b"")
    os.mkfifo(root / "pipe")
    for path in ("folder", "pipe", "plain/x"):
        with pytest.raises(NodeError, match="the path"):
            save([root], path, b"x", create=False, parents=True)


@pytest.mark.usefixtures("untouched")
def test_a_link_swapped_in_between_leads_nowhere(root: Path) -> None:
    """Somebody turns the folder into a link and back, as fast as they can, while files are written into it."""
    folder, aside, done = root / "folder", root / "aside", Event()
    folder.mkdir()

    def swap() -> None:
        for real in cycle([True, False]):
            if done.is_set() and real:
                return
            if real:
                folder.rename(aside)
                folder.symlink_to(root.parent / "outside")
            else:
                folder.unlink()
                aside.rename(folder)

    refused = 0
    with ThreadPoolExecutor(1) as pool:
        swapping = pool.submit(swap)
        try:
            for number in range(500):
                try:
                    save([root], f"folder/{number}", b"x", create=bool(number % 2), parents=False)
                except NodeError:
                    refused += 1
        finally:
            done.set()
        swapping.result()
    assert len(list(folder.iterdir())) == 500 - refused


async def test_folders_that_are_missing_are_made_only_on_wish(root: Path) -> None:
    with pytest.raises(NodeError, match="`parents: true` makes it"):
        await written(root, "a/b/c.txt", "x")
    await written(root, "a/b/c.txt", "x", parents=True)
    await written(root, "a/b/d.txt", "x", parents=True)
    assert names_in(root / "a/b") == ["c.txt", "d.txt"]


async def test_writing_again_changes_nothing_and_other_content_replaces(root: Path) -> None:
    first = await written(root, "a", "one")
    before = chmod(root / "a", 0o640)
    assert await written(root, "a", "one") == first
    assert status(root / "a").st_ino == before.st_ino
    await written(root, "a", "two")
    assert (read(root / "a"), stat.S_IMODE(status(root / "a").st_mode)) == (b"two", 0o640)


async def test_create_takes_the_same_content_for_its_own_and_refuses_any_other(root: Path) -> None:
    assert await written(root, "a", "one", mode="create") == await written(root, "a", "one", mode="create")
    with pytest.raises(NodeError, match="is there already, with another content"):
        await written(root, "a", "two", mode="create")
    assert read(root / "a") == b"one"


def test_of_many_who_create_at_once_one_wins(root: Path) -> None:
    def attempt(number: int) -> bool:
        try:
            save([root], "a", b"%d" % number, create=True, parents=False)
        except NodeError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(40)))
    assert won.count(True) == 1
    assert (root / "a").read_bytes() == b"%d" % won.index(True)
    assert [path.name for path in root.iterdir()] == ["a"]


def test_a_reader_sees_all_of_the_old_or_all_of_the_new(root: Path) -> None:
    contents = {b"a" * 500_000, b"b" * 700_000}
    save([root], "big", b"a" * 500_000, create=False, parents=False)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(
            lambda: [save([root], "big", content, create=False, parents=False) for content in list(contents) * 10]
        )
        while not writing.done():
            assert (root / "big").read_bytes() in contents
        writing.result()


@pytest.mark.usefixtures("untouched")
def test_a_full_disk_leaves_what_was_there_and_is_tried_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save([root], "a", b"old", create=False, parents=False)

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.os, "fsync", full)
    with pytest.raises(ProviderUnavailableError, match="No space left"):
        save([root], "a", b"new", create=False, parents=False)
    assert (root / "a").read_bytes() == b"old"


async def test_an_absolute_path_may_be_in_any_of_the_folders(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    made(other)
    for path in (other / "x", root / "y"):
        config = {"path": str(path), "content": json.dumps(1)}
        assert (await handled(handler([root, other]), SaveToFileConfig, config))["path"] == str(path)


async def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="ORCHESTRATOR_FILES_DIRS"):
        await handled(handler([]), SaveToFileConfig, {"path": str(tmp_path / "x"), "content": "x"})
    with pytest.raises(NodeError, match="absent of ORCHESTRATOR_FILES_DIRS is not there"):
        await written(tmp_path / "absent", "x", "x")


def test_appending_is_refused_since_an_attempt_may_be_repeated() -> None:
    with pytest.raises(ValidationError):
        SaveToFileConfig.model_validate({"path": "a", "content": "x", "mode": "append"})
