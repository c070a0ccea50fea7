"""Reading the archive from the command line, and what wrong settings of it are told."""

import json
from pathlib import Path

import pytest

from activities.archive import SEALED, Folder, place_of
from activities.blobs.encrypted import sealed
from orchestrator.blob_place import shown_place
from orchestrator.cli.app import call
from orchestrator.encryption.keys import new_key, read_keys
from orchestrator.errors import SettingsError
from orchestrator.settings import load_settings

KEY = new_key("old")
ONE = "acme/2027/01/31/triage-1/answer#1.1.1.1.456789ab.json"
TWO = f"acme/2027/02/01/triage-1/answer#1.1.1.1.456789ab.json{SEALED}"
OTHER = "_/2027/01/31/run%2F2/items%5B3%5D.answer#1.1.1.1.456789ab.json"


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive with a few documents, and something that is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_ARCHIVE", "kept")
    monkeypatch.setenv("ORCHESTRATOR_ENCRYPTION_KEYS", KEY)
    folder = Folder(tmp_path / "kept")
    folder.put(ONE, b'{"form": 1, "text": "\xe2\x82\xac"}')
    folder.put(TWO, sealed(b'{"form": 1, "text": "sealed"}', read_keys(KEY, "keys")))
    folder.put(OTHER, b'{"form": 1}')
    folder.put("written-by-doctor.json", b"{}")
    folder.put("acme/2027/02/01/triage-1/.half.part", b"{")
    return tmp_path / "kept"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), [OTHER, ONE, TWO]),
        (("--run", "triage-1"), [ONE, TWO]),
        (("--run", "run/2"), [OTHER]),
        (("--tenant", "acme", "--day", "2027-02-01", "--run", "triage-1"), [TWO]),
        (("--tenant", "acme", "--day", "2027-01-31"), [ONE]),
        (("--tenant", "_"), [OTHER]),
        (("--day", "2027-01-31"), [OTHER, ONE]),
        (("--tenant", "../kept/acme"), []),
        (("--limit", "1"), [OTHER]),
    ],
)
def test_calls_are_listed_by_run_tenant_and_day(
    options: tuple[str, ...], found: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(("archive", "list", *options)) == 0

    captured = capsys.readouterr()
    assert captured.out.splitlines() == found
    assert ("no such call" in captured.err) == (not found)
    assert ("there are more than 1" in captured.err) == ("--limit" in options)


def test_names_are_listed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(("archive", "list", "--json", "--tenant", "acme")) == 0

    assert json.loads(capsys.readouterr().out) == [ONE, TWO]


@pytest.mark.parametrize(("name", "text"), [(ONE, "€"), (TWO, "sealed")])
def test_a_call_is_shown_also_where_it_is_encrypted(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(("archive", "show", name)) == 0

    assert json.loads(capsys.readouterr().out) == {"form": 1, "text": text}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("list", "--day", "yesterday"), "write it as 2027-01-31"),
        (("show", "no/such.json"), "`orchestrator archive list` has what is"),
        (("show", "../secret.json"), "is not in the archive"),
        (("show", "acme"), "is not in the archive"),
        (("show", "acme/2027/02/01/triage-1/.half.part"), "cannot be read"),
    ],
)
def test_what_cannot_be_shown_is_one_clear_error(
    arguments: tuple[str, ...], reason: str, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (archive.parent / "secret.json").write_text("{}", encoding="utf-8")

    assert call(("archive", *arguments)) == 2

    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.out == ""


def test_without_the_key_it_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_ENCRYPTION_KEYS", new_key("new"))

    assert call(("archive", "show", TWO)) == 2
    assert "is encrypted with the key 'old'" in capsys.readouterr().err


def test_without_an_archive_the_setting_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORCHESTRATOR_ARCHIVE")

    assert call(("archive", "list")) == 2
    assert "set ORCHESTRATOR_ARCHIVE to the folder" in capsys.readouterr().err


@pytest.mark.parametrize(("place", "reason"), [("nosuch/x", "No such file or directory"), ("file", "it is no folder")])
@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("show", ONE)])
def test_an_archive_that_is_not_there_is_not_an_empty_one(
    place: str,
    reason: str,
    arguments: tuple[str, ...],
    archive: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (archive.parent / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ORCHESTRATOR_ARCHIVE", place)

    assert call(("archive", *arguments)) == 2

    captured = capsys.readouterr()
    assert f"ORCHESTRATOR_ARCHIVE: there is no archive in {archive.parent / place} ({reason})" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("place", ["gs://bucket/x", "https://s3.example/bucket", "S3://bucket", "file:///tmp/x"])
def test_an_address_of_another_kind_is_no_folder(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_ARCHIVE", place)

    with pytest.raises(SettingsError, match=r"ORCHESTRATOR_ARCHIVE: write a folder, or s3://bucket/prefix; .*neither"):
        load_settings(_env_file=None)


def test_a_bucket_that_there_cannot_be_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match=r"^ORCHESTRATOR_ARCHIVE: write s3://bucket/prefix"):
        place_of(load_settings(_env_file=None, archive="s3://Prompts"))


@pytest.mark.parametrize(("key", "place"), [("archive_kms_key", "ARCHIVE (kept)"), ("blob_kms_key", "BLOB_DIR (")])
def test_a_key_of_kms_does_not_pretend_to_encrypt_a_folder(key: str, place: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(_env_file=None, **{key: "alias/prompts"})

    assert f"{key.upper()} is for a bucket: ORCHESTRATOR_{place}" in raised.value.message


def test_doctor_tells_of_a_folder_that_cannot_be_written(
    archive: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    (archive.parent / "file").write_text("", encoding="utf-8")
    found: list[dict[str, str]] = []
    for place in ("kept", "file/below"):
        monkeypatch.setenv("ORCHESTRATOR_ARCHIVE", place)
        call(("doctor", "--json", "--timeout", "5"))
        checks = json.loads(capsys.readouterr().out)["checks"]
        found += [item for item in checks if item["check"] == "archive"]

    good, bad = found
    assert good["status"] == "ok"
    assert bad["status"] == "fail"
    assert "file/below cannot be written" in bad["says"]
    assert "ORCHESTRATOR_ARCHIVE" in bad["mend"]


def test_a_place_is_shown_as_people_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert shown_place(Path("s3://prompts/a/b/")) == "s3://prompts/a/b"
    assert shown_place(Path("s3://prompts")) == "s3://prompts"
    assert shown_place(Path("kept")) == str(tmp_path / "kept")
