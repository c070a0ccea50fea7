"""Blobs in a bucket: the contract of all blob stores over S3's own interface, then what is particular to a bucket."""

from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import boto3  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
import pytest
from moto.server import ThreadedMotoServer

from activities.blobs import EncryptedBlobs, blob_store
from activities.blobs.s3 import S3Blobs
from orchestrator.blob_place import S3Place
from orchestrator.encryption import new_key
from orchestrator.encryption.keys import read_keys
from orchestrator.errors import ProviderUnavailableError
from orchestrator.graph.blobs import blob_of
from orchestrator.settings import load_settings
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.scenarios import data, edge, graph
from tests.unit.test_blob_store import (
    CONTENT,
    KEY,
    Kept,
    test_a_blob_that_is_not_there_may_come_and_names_its_key,
    test_any_content_comes_back_as_it_was,
    test_content_that_was_changed_is_never_given_away,
    test_content_that_was_cut_short_is_mended_by_putting_it_again,
    test_only_keys_are_looked_for,
    test_putting_the_same_again_changes_nothing,
    test_the_same_content_may_be_put_by_many_at_once,
    test_what_was_put_can_be_got,
)

__all__ = [
    "test_a_blob_that_is_not_there_may_come_and_names_its_key",
    "test_any_content_comes_back_as_it_was",
    "test_content_that_was_changed_is_never_given_away",
    "test_content_that_was_cut_short_is_mended_by_putting_it_again",
    "test_only_keys_are_looked_for",
    "test_putting_the_same_again_changes_nothing",
    "test_the_same_content_may_be_put_by_many_at_once",
    "test_what_was_put_can_be_got",
]

BUCKET = "blobs-of-tests"
SECRET_CONTENT = b'"a secret' + b"." * 200_000 + b'"'


@pytest.fixture(scope="module")
def service() -> Generator[str]:
    """The address of a service that speaks as S3 does."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-nobody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")


@pytest.fixture
def bucket(service: str, credentials: None) -> Any:
    """A bucket with nothing in it."""
    del credentials
    session = cast("Any", boto3).Session()
    made = session.resource("s3", endpoint_url=service, region_name="us-east-1").Bucket(BUCKET)
    made.create()
    made.objects.all().delete()
    return made


@pytest.fixture
def kept(service: str, bucket: Any) -> Kept:
    def overwrite(key: str, content: bytes) -> None:
        bucket.put_object(Key=f"some/place/{key}", Body=content)

    return Kept(S3Blobs(S3Place(BUCKET, "some/place/"), endpoint_url=service), overwrite)


def names(bucket: Any) -> list[str]:
    return [found.key for found in bucket.objects.all()]


@pytest.mark.parametrize(("place", "name"), [("some/place", f"some/place/{KEY}"), ("", KEY)])
async def test_a_setting_that_names_a_bucket_is_heeded(service: str, bucket: Any, place: str, name: str) -> None:
    settings = load_settings(_env_file=None, blob_dir=Path(f"s3://{BUCKET}/{place}"), blob_s3_endpoint_url=service)

    assert await blob_store(settings).put(CONTENT) == KEY
    assert names(bucket) == [name]


async def test_a_blob_is_told_to_be_json(kept: Kept, bucket: Any) -> None:
    await kept.store.put(CONTENT)

    assert bucket.Object(f"some/place/{KEY}").content_type == "application/json"


async def test_an_encrypted_blob_lies_there_encrypted_and_comes_back(kept: Kept, bucket: Any) -> None:
    store = EncryptedBlobs(kept.store, read_keys(new_key("old"), "keys"))

    key = await store.put(SECRET_CONTENT)

    assert await store.get(key) == SECRET_CONTENT
    assert names(bucket) == [f"some/place/{key}"]
    lies_there = bucket.Object(f"some/place/{key}").get()["Body"].read()
    assert b"secret" not in lies_there
    assert b"...." not in lies_there


async def test_a_bucket_that_is_not_there_is_told_with_the_setting_that_names_it(service: str) -> None:
    store = S3Blobs(S3Place("no-such-bucket", ""), endpoint_url=service)

    with pytest.raises(
        ProviderUnavailableError, match=r"written \(NoSuchBucket\).*no-such-bucket.*ORCHESTRATOR_BLOB_DIR"
    ):
        await store.put(CONTENT)
    with pytest.raises(ProviderUnavailableError, match=r"read \(NoSuchBucket\).*no-such-bucket.*ORCHESTRATOR_BLOB_DIR"):
        await store.get(KEY)


async def test_missing_credentials_are_told_without_a_traceback(
    service: str, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bucket
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(ProviderUnavailableError, match=r"NoCredentialsError.*AWS credentials of the worker"):
        await S3Blobs(S3Place(BUCKET, ""), endpoint_url=service).put(CONTENT)


async def test_a_run_keeps_its_large_values_in_the_bucket(
    runs: Runs, running_worker: RunningWorker, service: str, bucket: Any
) -> None:
    # An input stays in the history, so the value is made large by a node.
    nodes = [
        data("made", {"texts": ["{{ inputs.text }}"] * 3}),
        data("passed", "{{ nodes.made.data.texts }}"),
        {"id": "told", "type": "Format", "config": {"template": "{{ nodes.passed.data[2] | length }}"}},
    ]
    definition = graph(
        nodes,
        [edge("made", "passed"), edge("passed", "told")],
        inputs={"text": {"type": "string"}},
        outputs={"texts": "{{ nodes.passed.data }}", "told": "{{ nodes.told.text }}"},
    )

    async with running_worker(blob_dir=Path(f"s3://{BUCKET}/of-runs"), blob_s3_endpoint_url=service):
        result = await runs.run(definition, {"text": "x" * 60_000})

    assert result.status == "completed", result.error
    assert result.outputs["told"] == "60000"
    blob = blob_of(result.outputs["texts"])
    assert blob is not None
    assert names(bucket) == [f"of-runs/{blob.key}"]
