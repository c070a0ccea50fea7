"""The setting of where blobs are: a folder, or a bucket that it names."""

from pathlib import Path

import pytest

from activities.blobs import blob_store
from orchestrator.blob_place import S3Place, s3_place
from orchestrator.errors import SettingsError
from orchestrator.settings import load_settings


@pytest.mark.parametrize("folder", [".orchestrator/blobs", "/var/s3/blobs", "s3", "as3://bucket", "S3://bucket"])
def test_a_folder_is_no_bucket(folder: str) -> None:
    assert s3_place(Path(folder)) is None


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://blobs", "blobs", ""),
        ("s3://blobs/", "blobs", ""),
        ("s3://my.blobs-1/a", "my.blobs-1", "a/"),
        ("s3://blobs/a/b=c", "blobs", None),
        ("s3://blobs/a//b/", "blobs", "a/b/"),
    ],
)
def test_a_bucket_is_named_with_what_its_objects_begin_with(url: str, bucket: str, prefix: str | None) -> None:
    if prefix is None:
        with pytest.raises(SettingsError, match="ORCHESTRATOR_BLOB_DIR"):
            s3_place(Path(url))
    else:
        assert s3_place(Path(url)) == S3Place(bucket, prefix)


@pytest.mark.parametrize("url", ["s3://", "s3://B", "s3://Blobs", "s3://blobs?x", "s3://blobs/ä", "s3://-blobs-"])
def test_a_bucket_that_there_cannot_be_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^ORCHESTRATOR_BLOB_DIR: write s3://bucket/prefix"):
        blob_store(load_settings(_env_file=None, blob_dir=Path(url)))
