"""HttpRequest through its activity, against a real server on loopback."""

import gzip
import json
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from activities.blobs import FolderBlobs
from activities.files import content_of, file_value
from activities.http_request import handler
from activities.web import web_client
from orchestrator.graph.blobs import is_blob
from orchestrator.node_types.http_request import HttpRequestConfig
from tests.unit.loopback import Answer, Web, call, fetch, perform, refused, web


async def test_a_json_answer_is_parsed(site: Web) -> None:
    site.answers = [Answer(body={"a": [1]}, headers={"x-extra": "1", "set-cookie": "id=secret"})]
    output = await fetch(f"{site.url}/things", query={"q": "a b", "tags": ["x", "y"], "none": None})
    assert (output["status"], output["body"], output["headers"]["x-extra"]) == (200, {"a": [1]}, "1")
    assert "set-cookie" not in output["headers"]
    assert site.seen[0].path == "/things?q=a+b&tags=x&tags=y"


async def test_a_cookie_never_travels_from_one_run_to_another(site: Web) -> None:
    site.answers = [Answer(headers={"set-cookie": "session=secret; Path=/"})]
    async with web_client(["127.0.0.1"]) as client:
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
        Answer(body=b"\xff\xfe\x00", headers={"content-type": "text/plain"}),
        Answer(body="x", headers={"content-type": "text/plain; charset=nothing"}),
        Answer(body=b"\x1f\x8bxx", headers={"content-encoding": "gzip"}),
        Answer(body=gzip.compress(b"whole")[:-9], headers={"content-encoding": "gzip"}),
        Answer(body=gzip.compress(gzip.compress(b"x")), headers={"content-encoding": "gzip, gzip"}),
        Answer(body=b"x", headers={"content-encoding": "br"}),
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
        (304, "PROVIDER_REJECTED", False),
        (408, "PROVIDER_UNAVAILABLE", True),
        (429, "PROVIDER_RATE_LIMITED", True),
        (500, "PROVIDER_UNAVAILABLE", True),
        (503, "PROVIDER_UNAVAILABLE", True),
    ],
)
async def test_the_status_says_whether_to_try_again(site: Web, status: int, code: str, *, retryable: bool) -> None:
    site.answers = [Answer(status=status, headers={"retry-after": "7", "location": "/elsewhere"})]
    error = await refused(site.url, max_redirects=0)
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
    "config",
    [
        {"json": 1, "text": "a"},
        {"form": {}, "file": file_value(b"", "a")},
        {"json": None, "files": {"a": file_value(b"", "a")}},
        {"method": "BREW"},
        {"timeout": 0},
        {"headers": {"a": "é\n"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"content-length": "5"}},
        {"file": "text"},
        {"files": {"a": {"filename": "a", "content_type": "text/plain", "base64": "?"}}},
        {"files": {"a": {"filename": "a", "content_type": "text/plain\r\nx: 1", "base64": ""}}},
    ],
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


BYTES = bytes(range(256))


@pytest.mark.parametrize(
    ("headers", "path", "filename", "kind"),
    [
        ({"content-type": "image/png"}, "/a/b%20c.png", "b c.png", "image/png"),
        (
            {"content-type": "image/png", "content-disposition": 'attachment; filename="x.png"'},
            "/a",
            "x.png",
            "image/png",
        ),
        (
            {
                "content-type": "application/pdf",
                "content-disposition": "attachment; filename*=UTF-8''..%2F..%2Fna%C3%AFve.pdf",
            },
            "/",
            "naïve.pdf",
            "application/pdf",
        ),
        ({}, "/", "download", "application/octet-stream"),
    ],
)
async def test_a_binary_answer_becomes_a_file(
    site: Web, headers: dict[str, str], path: str, filename: str, kind: str
) -> None:
    site.answers = [Answer(body=BYTES, headers=headers)]
    body = (await fetch(f"{site.url}{path}"))["body"]
    assert (body["filename"], body["content_type"], content_of(body)) == (filename, kind, BYTES)


async def test_how_the_body_is_read_can_be_said(site: Web) -> None:
    site.answers = [Answer(body='{"a": 1}', headers={"content-type": "text/plain"})]
    assert (await fetch(site.url, read="json"))["body"] == {"a": 1}
    assert (await fetch(site.url, read="text"))["body"] == '{"a": 1}'
    assert content_of((await fetch(site.url, read="file"))["body"]) == b'{"a": 1}'
    site.answers = [Answer(body="nothing", headers={})]
    assert (await refused(site.url, read="json")).type == "PROVIDER_REJECTED"


async def test_a_form_is_sent_as_fields(site: Web) -> None:
    await fetch(site.url, method="POST", form={"a": "x y&", "n": [1, True, "é"], "none": None, "map": {"k": 1}})
    assert site.seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert site.seen[0].body == b"a=x+y%26&n=1&n=true&n=%C3%A9&map=%7B%22k%22%3A1%7D"


async def test_files_are_uploaded_the_same_on_every_attempt(site: Web) -> None:
    files = {
        "doc": file_value(BYTES, 'a"b\r\n.bin', "image/png"),
        "more": [file_value(b"1", "1.txt", "text/plain")] * 2,
    }
    for _ in range(2):
        await fetch(site.url, method="POST", form={"title": "é"}, files=files)
    one, two = site.seen
    assert (one.body, one.headers["content-type"]) == (two.body, two.headers["content-type"])
    parts = parsed(one.headers["content-type"], one.body)
    assert [(part.get_param("name", header="content-disposition"), part.get_filename()) for part in parts] == [
        ("title", None),
        ("doc", "a%22b.bin"),
        ("more", "1.txt"),
        ("more", "1.txt"),
    ]
    assert [part.get_payload(decode=True) for part in parts] == ["é".encode(), BYTES, b"1", b"1"]
    assert parts[1].get_content_type() == "image/png"


async def test_a_file_goes_from_one_request_to_the_next_through_blob_storage(site: Web, tmp_path: Path) -> None:
    content = BYTES * 2000
    site.answers = [Answer(body=content, headers={"content-type": "image/png"})]
    blobs = FolderBlobs(tmp_path)
    got = await perform(call("HttpRequest", {"url": f"{site.url}/a.png"}), blobs=blobs)
    assert is_blob(got.output["body"]["base64"])
    config = {"url": site.url, "method": "PUT", "file": "{{ nodes.get.body }}"}
    await perform(call("HttpRequest", config, {"nodes": {"get": got.output}}), blobs=blobs)
    assert (site.seen[1].headers["content-type"], site.seen[1].body) == ("image/png", content)


def parsed(content_type: str, body: bytes) -> list[Message]:
    message = message_from_bytes(f"content-type: {content_type}\r\n\r\n".encode() + body)
    assert message.is_multipart()
    return [part for part in message.walk() if part is not message]
