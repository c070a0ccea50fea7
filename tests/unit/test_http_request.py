"""HttpRequest through its activity, against a real server on loopback."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError

from activities.blobs import FolderBlobs
from activities.http_request import handler
from orchestrator.graph.blobs import is_blob
from orchestrator.node_types.http_request import HttpRequestConfig
from tests.unit.loopback import Answer, Web, call, perform, web


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as state:
        yield state


async def fetch(url: str, *, max_bytes: int = 800_000, **config: Any) -> dict[str, Any]:
    output = await perform(call("HttpRequest", {"url": url, **config}), http_max_bytes=max_bytes)
    return output.output


async def refused(url: str, **config: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await fetch(url, **config)
    return caught.value


async def test_a_json_answer_is_parsed(site: Web) -> None:
    site.answers = [Answer(body={"a": [1]}, headers={"x-extra": "1", "set-cookie": "id=secret"})]
    output = await fetch(f"{site.url}/things", query={"q": "a b", "tags": ["x", "y"], "none": None})
    assert (output["status"], output["body"], output["headers"]["x-extra"]) == (200, {"a": [1]}, "1")
    assert "set-cookie" not in output["headers"]
    assert site.seen[0].path == "/things?q=a+b&tags=x&tags=y"


async def test_a_cookie_never_travels_from_one_run_to_another(site: Web) -> None:
    site.answers = [Answer(headers={"set-cookie": "session=secret; Path=/"})]
    async with httpx.AsyncClient(trust_env=False) as client:
        handle = handler(client, max_bytes=1000)
        for _ in range(2):
            await handle(HttpRequestConfig(url=site.url), call("HttpRequest", {}))
    assert [seen.headers.get("cookie") for seen in site.seen] == [None, None]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Answer(body="plain"), "plain"),
        (Answer(status=204), None),
        (Answer(body='{"a":1}', headers={"content-type": "application/problem+json; charset=utf-8"}), {"a": 1}),
        (Answer(body="é".encode("latin-1"), headers={"content-type": "text/plain; charset=latin-1"}), "é"),
    ],
)
async def test_the_body_is_what_its_content_type_says(site: Web, answer: Answer, body: Any) -> None:
    site.answers = [answer]
    assert (await fetch(site.url))["body"] == body


@pytest.mark.parametrize(
    "answer",
    [
        *(
            Answer(body=body, headers={"content-type": "application/json"})
            for body in ("{", "NaN", '{"a": -Infinity}', "[1e999]", "[" * 100_000)
        ),
        Answer(body=b"\xff\xfe\x00", headers={}),
    ],
)
async def test_a_body_that_cannot_be_read_is_an_error(site: Web, answer: Answer) -> None:
    site.answers = [answer]
    error = await refused(site.url)
    assert (error.type, error.non_retryable) == ("PROVIDER_REJECTED", True)


async def test_json_is_sent_with_the_idempotency_key_of_the_visit(site: Web) -> None:
    await fetch(site.url, method="POST", json={"a": None}, headers={"x-n": 5})
    seen = site.seen[0]
    assert (seen.method, seen.body, seen.headers["x-n"]) == ("POST", b'{"a":null}', "5")
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["idempotency-key"] == "run-1/node#1"


async def test_the_idempotency_header_can_be_renamed_or_left_out(site: Web) -> None:
    await fetch(site.url, method="PUT", text="hi", idempotency_header="X-Once")
    await fetch(site.url, method="DELETE", idempotency_header=None)
    await fetch(site.url)
    assert site.seen[0].headers["x-once"] == "run-1/node#1"
    assert not any("idempotency-key" in seen.headers for seen in site.seen)


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "PROVIDER_REJECTED", False),
        (401, "PROVIDER_AUTH", False),
        (302, "PROVIDER_REJECTED", False),
        (408, "PROVIDER_UNAVAILABLE", True),
        (429, "PROVIDER_RATE_LIMITED", True),
        (500, "PROVIDER_UNAVAILABLE", True),
        (503, "PROVIDER_UNAVAILABLE", True),
    ],
)
async def test_the_status_says_whether_to_try_again(site: Web, status: int, code: str, *, retryable: bool) -> None:
    site.answers = [Answer(status=status, headers={"retry-after": "7", "location": "/elsewhere"})]
    error = await refused(site.url)
    assert (error.type, error.non_retryable) == (code, not retryable)
    assert error.next_retry_delay == (timedelta(seconds=7) if retryable else None)
    assert len(site.seen) == 1


async def test_a_retry_after_date_is_honoured(site: Web) -> None:
    site.answers = [Answer(status=503, headers={"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"})]
    assert (await refused(site.url)).next_retry_delay == timedelta(days=1)


async def test_an_expected_status_is_success_and_no_other(site: Web) -> None:
    site.answers = [Answer(status=404, body="gone"), Answer(status=200)]
    assert (await fetch(site.url, expect_status=[404]))["body"] == "gone"
    assert (await refused(site.url, expect_status=[404])).type == "PROVIDER_REJECTED"


async def test_messages_show_neither_query_nor_credentials(site: Web) -> None:
    site.answers = [Answer(status=500)]
    error = await refused(f"{site.url}/path?token=hidden#f".replace("://", "://user:hidden@"), query={"k": "hidden"})
    assert "hidden" not in error.message
    assert "/path" in error.message


async def test_a_server_that_stays_silent_is_retried(site: Web) -> None:
    silent = Event()
    site.answers = [Answer(hold=silent)]
    error = await refused(site.url, timeout=0.1)
    silent.set()
    assert (error.type, error.non_retryable) == ("PROVIDER_UNAVAILABLE", False)


async def test_a_server_that_is_away_is_retried() -> None:
    with web() as gone:
        url = gone.url
    error = await refused(url)
    assert (error.type, error.non_retryable) == ("PROVIDER_UNAVAILABLE", False)


async def test_too_large_an_answer_is_refused(site: Web) -> None:
    site.answers = [Answer(body="x" * 2000)]
    assert "more than 1000 bytes" in (await refused(site.url, max_bytes=1000)).message


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/x", "/path", "http://", "http://[", "http://h:99999999/"]
)
async def test_only_web_addresses_are_requested(url: str) -> None:
    error = await refused(url)
    assert (error.type, error.non_retryable) == ("NODE_FAILED", True)


@pytest.mark.parametrize(
    "config", [{"json": 1, "text": "a"}, {"method": "BREW"}, {"timeout": 0}, {"headers": {"a": "é\n"}}]
)
async def test_a_request_that_makes_no_sense_is_refused(site: Web, config: dict[str, Any]) -> None:
    assert (await refused(site.url, **config)).type == "NODE_FAILED"


@pytest.mark.parametrize("value", ["a\r\nx-forged: 1", "a\nb"])
async def test_a_header_with_a_line_break_is_refused_and_not_retried(site: Web, value: str) -> None:
    error = await refused(site.url, headers={"x-a": value})
    assert (error.type, error.non_retryable) == ("PROVIDER_REJECTED", True)
    assert "forged" not in error.message
    assert site.seen == []


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
async def test_a_large_answer_goes_to_blob_storage_and_may_be_the_body_of_another_request(
    site: Web, tmp_path: Path, kind: str
) -> None:
    rows = [{"id": index, "text": "é" * 50} for index in range(20_000)]
    body = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    site.answers = [Answer(body=body, headers={"content-type": kind})]
    blobs = FolderBlobs(tmp_path)

    got = await perform(call("HttpRequest", {"url": site.url}), http_max_bytes=len(body), blobs=blobs)
    assert (got.output["status"], is_blob(got.output["body"])) == (200, True)

    config = {"url": site.url, "method": "POST", "json" if kind.endswith("json") else "text": "{{ nodes.get.body }}"}
    await perform(call("HttpRequest", config, {"nodes": {"get": got.output}}), http_max_bytes=len(body), blobs=blobs)

    assert site.seen[1].body == body
