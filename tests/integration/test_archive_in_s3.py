"""The archive of model calls in runs: in a bucket with a key of KMS, over S3's own interface, and in a folder."""

import json
import logging
from pathlib import Path
from typing import Any, cast

import boto3  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
import pytest

from activities.archive import place_of
from activities.blobs import blob_store
from orchestrator.cli.doctor.folders import checks
from orchestrator.contracts import RunContext, RunRequest
from orchestrator.errors import ProviderUnavailableError
from orchestrator.settings import Settings, load_settings
from tests.integration.conftest import RunningWorker
from tests.integration.paying import ask, completion, talk
from tests.integration.running import Runs
from tests.integration.test_blobs_in_s3 import BUCKET, bucket, credentials, service
from tests.scenarios import graph, model
from tests.unit.loopback import Answer, Web

__all__ = ["bucket", "credentials", "service"]

SECRET = "correct-horse-battery"  # noqa: S105 - made up, to look for it
MAIL = "ada@example.org"


@pytest.fixture
def kms_key(service: str, credentials: None) -> str:
    """The ARN of a key that the service has."""
    del credentials
    client = cast("Any", boto3).Session().client("kms", endpoint_url=service, region_name="us-east-1")
    return client.create_key()["KeyMetadata"]["Arn"]


def documents(bucket: Any) -> list[dict[str, Any]]:
    found = [json.loads(it.get()["Body"].read()) for it in bucket.objects.filter(Prefix="prompts/")]
    return sorted(found, key=lambda it: (it["visit"]["node"], it["visit"]["call"]))


def of(archive: str, service: str, **more: Any) -> Settings:
    return load_settings(_env_file=None, archive=archive, blob_s3_endpoint_url=service, **more)


async def test_a_run_leaves_its_calls_in_the_bucket_encrypted_with_the_key_and_without_secrets(
    runs: Runs,
    running_worker: RunningWorker,
    service: str,
    bucket: Any,
    kms_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_CRM", SECRET)
    prompt = f"I am {MAIL}; the word is {SECRET}"
    again = {"id": "again", "type": "ModelInvoke", "config": {"model": "simulated", "prompt": "Say it", "stream": True}}
    definition = graph([model("answer", prompt), again])
    changes = {"archive": Path(f"s3://{BUCKET}/prompts"), "archive_kms_key": kms_key, "blob_s3_endpoint_url": service}

    async with running_worker(**changes):
        run_id = await runs.door.start(
            RunRequest(definition=definition, context=RunContext(tenant="acme")), "run/../with a slash"
        )
        result = await runs.result(run_id)

    assert result.status == "completed", result.error
    names = [found.key for found in bucket.objects.all()]
    assert all(name.startswith("prompts/acme/2") and "/run%2F..%2Fwith%20a%20slash/" in name for name in names)
    heads = [bucket.meta.client.head_object(Bucket=BUCKET, Key=name) for name in names]
    kept = [(head["ServerSideEncryption"], head["SSEKMSKeyId"], head["ContentType"]) for head in heads]
    assert kept == [("aws:kms", kms_key, "application/json")] * 2
    streamed, answer = documents(bucket)
    assert answer["request"]["turns"][0]["content"] == "I am [e-mail address]; the word is ***"
    assert (answer["visit"]["node"], answer["simulated"], answer["run"]["definition"]) == ("answer", True, "scenario")
    assert streamed["streamed"]
    assert SECRET not in json.dumps(documents(bucket))
    assert MAIL not in json.dumps(documents(bucket))


async def test_calls_that_are_paid_are_kept_with_their_fallbacks_and_cost_and_a_kept_answer_is_no_call(
    runs: Runs, running_worker: RunningWorker, paid: dict[str, Any], site: Web, service: str, bucket: Any
) -> None:
    site.answers = [Answer(status=503, body={"error": {"message": "busy"}}), Answer(body=completion())]
    definition = talk(ask(model="gpt-4o", fallback=["gpt-4o-mini"]) | {"cache": "1h"})

    async with running_worker(**paid, archive=Path(f"s3://{BUCKET}/prompts"), blob_s3_endpoint_url=service):
        first = await runs.run(definition)
        second = await runs.run(definition)

    assert (first.status, second.status) == ("completed", "completed")
    assert len(site.seen) == 2
    declined, served = documents(bucket)
    assert (declined["model"], declined["answer"]) == ("gpt-4o", None)
    assert declined["error"]["code"] in {"PROVIDER_OVERLOADED", "PROVIDER_UNAVAILABLE"}
    assert (served["model"], served["answered_by"]) == ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")
    assert served["answer"]["text"] == "Hello"
    assert served["cost_usd"] == pytest.approx(0.00045)


async def test_a_bucket_that_is_not_there_fails_no_run(
    runs: Runs, running_worker: RunningWorker, service: str, bucket: Any, caplog: pytest.LogCaptureFixture
) -> None:
    del bucket
    with caplog.at_level(logging.WARNING, logger="activities.archive"):
        async with running_worker(archive=Path("s3://no-such-bucket"), blob_s3_endpoint_url=service):
            result = await runs.run(graph([model("answer", "Hello")]))

    assert result.status == "completed"
    assert "the archive cannot be written (NoSuchBucket)" in caplog.text
    assert "ORCHESTRATOR_ARCHIVE" in caplog.text
    assert "1 calls of models are not in the archive" in caplog.text


async def test_large_values_are_encrypted_with_their_key_too(service: str, bucket: Any, kms_key: str) -> None:
    settings = load_settings(
        _env_file=None, blob_dir=f"s3://{BUCKET}/b", blob_kms_key=kms_key, blob_s3_endpoint_url=service
    )

    key = await blob_store(settings).put(b'"large"')

    head = bucket.meta.client.head_object(Bucket=BUCKET, Key=f"b/{key}")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", kms_key)
    assert await blob_store(settings).get(key) == b'"large"'


async def test_without_a_key_the_bucket_decides(service: str, bucket: Any) -> None:
    place = place_of(of(f"s3://{BUCKET}/prompts", service))
    assert place is not None

    place.put("a.json", b"{}")

    assert "SSEKMSKeyId" not in bucket.meta.client.head_object(Bucket=BUCKET, Key="prompts/a.json")
    assert list(place.names()) == ["a.json"]
    assert (place.get("a.json"), place.get("b.json")) == (b"{}", None)


async def test_doctor_says_whether_the_bucket_of_the_archive_can_be_written(
    service: str, bucket: Any, kms_key: str
) -> None:
    del bucket
    [good] = await checks(of(f"s3://{BUCKET}/prompts", service, archive_kms_key=kms_key))["archive"]()
    [bad] = await checks(of("s3://no-such-bucket", service))["archive"]()

    assert (good.status, good.says) == ("ok", f"s3://{BUCKET}/prompts can be written, with the key {kms_key}")
    assert bad.status == "fail"
    assert "NoSuchBucket" in bad.says
    assert "ORCHESTRATOR_ARCHIVE" in bad.says


def test_an_archive_that_cannot_be_listed_says_why(service: str, credentials: None) -> None:
    del credentials
    place = place_of(of("s3://no-such-bucket", service))
    assert place is not None

    with pytest.raises(ProviderUnavailableError, match=r"archive cannot be listed \(NoSuchBucket\)"):
        list(place.names())
