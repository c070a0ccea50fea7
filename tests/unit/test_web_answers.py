"""What servers answer, taken apart: packed, in odd charsets, and with headers made to keep us busy."""

import gzip
import time
import tracemalloc
import zlib

import pytest

from tests.unit.loopback import Answer, Web, fetch, refused

BUSY_S = 5.0
"""Seconds of computing that no answer may cost; some of those here took minutes."""


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"plain text", mtime=0)),
        ("x-gzip", gzip.compress(b"plain text", mtime=0)),
        ("gzip", gzip.compress(b"plain ", mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b"text", mtime=0)),
        ("deflate", zlib.compress(b"plain text")),
        ("deflate", zlib.compress(b"plain text", wbits=-15)),
        ("identity", b"plain text"),
    ],
)
async def test_a_packed_answer_is_unpacked(site: Web, coding: str, packed: bytes) -> None:
    site.answers = [Answer(body=packed, headers={"content-encoding": coding, "content-type": "text/plain"})]
    assert (await fetch(site.url))["body"] == "plain text"
    assert site.seen[0].headers["accept-encoding"] == "gzip, deflate"


async def test_what_unpacks_to_more_than_allowed_is_refused_before_it_is_unpacked(site: Web) -> None:
    packed = gzip.compress(b"x" * 100_000_000, compresslevel=1, mtime=0)
    site.answers = [Answer(body=packed, headers={"content-encoding": "gzip"})]
    tracemalloc.start()
    try:
        error = await refused(site.url, max_bytes=2_000_000)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "more than 2000000 bytes" in error.message
    assert most < 30_000_000


async def test_what_follows_a_packed_answer_and_is_not_packed_is_an_error(site: Web) -> None:
    site.answers = [Answer(body=gzip.compress(b"one", mtime=0) + b"more", headers={"content-encoding": "gzip"})]
    assert "cannot be unpacked as gzip" in (await refused(site.url)).message


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "rot13"])
async def test_a_charset_that_no_text_has_is_an_error(site: Web, charset: str) -> None:
    site.answers = [Answer(body="x", headers={"content-type": f"text/plain; charset={charset}"})]
    assert "not text; `read: file` takes them as they are" in (await refused(site.url)).message


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Answer(body="x", headers={"content-disposition": f'a;b="{";" * 90_000}'}), "x"),
        (Answer(body="x", headers={"content-type": f"text/plain{';' * 90_000}"}), "x"),
    ],
)
async def test_a_header_is_not_taken_apart_for_minutes(site: Web, answer: Answer, body: str) -> None:
    site.answers = [answer]
    begun = time.process_time()
    assert (await fetch(site.url))["body"] == body
    output = await fetch(site.url, read="file")
    assert (output["body"]["filename"], time.process_time() - begun < BUSY_S) == ("download", True)


async def test_a_charset_that_takes_time_with_the_square_of_a_text_is_not_read(site: Web) -> None:
    body = b"a" * 300_000 + b"-" + b"9a" * 200_000
    site.answers = [Answer(body=body, headers={"content-type": "text/plain; charset=punycode"})]
    begun = time.process_time()
    assert (await refused(site.url)).type == "PROVIDER_REJECTED"
    assert time.process_time() - begun < BUSY_S
