"""Redirects: which are followed and how, and what does not go along to another origin."""

from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.secrets import SECRET_PREFIX, NamedSecrets
from tests.unit.loopback import Answer, Web, call, perform, web

SECRET = "s3cret/+value"  # noqa: S105 - a made-up one
BEARER = {"type": "bearer", "secret": "crm_token"}


@pytest.fixture
def other() -> Iterator[Web]:
    with web() as state:
        yield state


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_CRM_TOKEN", SECRET)


def to(location: str, status: int = 302, **headers: str) -> Answer:
    return Answer(status=status, headers={"location": location, **headers})


async def fetch(url: str, **config: Any) -> dict[str, Any]:
    output = await perform(call("HttpRequest", {"url": url, **config}), secrets=NamedSecrets(SECRET_PREFIX))
    return output.output


async def refused(url: str, **config: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await fetch(url, **config)
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (301, "PUT", "PUT", b"hi"),
        (302, "DELETE", "DELETE", b"hi"),
        (307, "POST", "POST", b"hi"),
        (308, "PATCH", "PATCH", b"hi"),
    ],
)
async def test_the_status_says_what_becomes_of_method_and_body(
    site: Web, status: int, method: str, then: str, body: bytes
) -> None:
    site.answers = [to("next?a=1", status), Answer(body="there")]
    output = await fetch(f"{site.url}/dir/first", method=method, text="hi", auth=BEARER)
    seen = site.seen[1]
    assert (output["body"], seen.method, seen.path, seen.body) == ("there", then, "/dir/next?a=1", body)
    assert ("content-type" in seen.headers, "idempotency-key" in seen.headers) == (bool(body), bool(body))
    assert seen.headers["authorization"] == f"Bearer {SECRET}"


async def test_head_stays_head(site: Web) -> None:
    site.answers = [to("/next", 303), Answer()]
    await fetch(site.url, method="HEAD")
    assert site.seen[1].method == "HEAD"


async def test_to_another_origin_goes_nothing_that_was_meant_for_the_first(site: Web, other: Web) -> None:
    site.answers = [to(f"http://user:pass@{other.url[7:]}/b", 303)]
    other.answers = [to("/c"), Answer(body="there")]
    headers = {"Cookie": "session=1", "X-Api-Key": "key", "Accept": "text/plain", "Proxy-Authorization": "p"}
    output = await fetch(site.url, method="POST", json={"password": "p"}, headers=headers, auth=BEARER)
    assert output["body"] == "there"
    for seen in other.seen:
        assert (seen.method, seen.body) == ("GET", b"")
        assert set(seen.headers) == {"host", "accept", "accept-encoding", "connection", "user-agent"}
        assert seen.headers["accept"] == "text/plain"


async def test_what_was_dropped_does_not_come_back_with_the_first_origin(site: Web, other: Web) -> None:
    site.answers = [to(f"{other.url}/b"), Answer(body="there")]
    other.answers = [to(f"{site.url}/c")]
    await fetch(site.url, auth={"type": "query", "name": "key", "secret": "crm_token"})
    assert [seen.path.partition("?")[0] for seen in site.seen] == ["/", "/c"]
    assert "key=" in site.seen[0].path
    assert "key=" not in site.seen[1].path


async def test_a_key_in_the_query_goes_along_within_the_origin(site: Web) -> None:
    site.answers = [to("/b?page=2"), Answer(body="there")]
    await fetch(site.url, auth={"type": "query", "name": "key", "secret": "crm_token"})
    assert site.seen[1].path == "/b?page=2&key=s3cret%2F%2Bvalue"


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_is_not_repeated_at_another_origin(site: Web, other: Web, status: int) -> None:
    site.answers = [to(other.url, status)]
    error = await refused(site.url, method="POST", text="hi")
    assert (error.type, error.non_retryable) == ("PROVIDER_REJECTED", True)
    assert "another origin" in error.message
    assert other.seen == []


async def test_a_redirect_that_carries_the_secret_elsewhere_is_refused(site: Web, other: Web) -> None:
    site.answers = [to(f"{other.url}/?key=s3cret%2F%2Bvalue")]
    error = await refused(site.url, auth={"type": "query", "name": "key", "secret": "crm_token"})
    assert "with the secret in its address" in error.message
    assert other.seen == []


@pytest.mark.parametrize("most", [1, 5])
async def test_redirects_have_a_limit(site: Web, most: int) -> None:
    site.answers = [to("/again")]
    error = await refused(site.url, max_redirects=most)
    assert error.type == "PROVIDER_REJECTED"
    assert f"after {most} redirects" in error.message
    assert len(site.seen) == most + 1


async def test_a_redirect_that_is_expected_is_the_answer(site: Web) -> None:
    site.answers = [to("/next")]
    output = await fetch(site.url, expect_status=[302])
    assert (output["status"], output["headers"]["location"], len(site.seen)) == (302, "/next", 1)


@pytest.mark.parametrize(
    "location", ["ftp://host/x", "file:///etc/passwd", "http://[", "http://h:99999999/", "javascript:alert(1)"]
)
async def test_only_web_addresses_are_gone_to(site: Web, location: str) -> None:
    site.answers = [to(location)]
    assert "no web address" in (await refused(site.url)).message
    assert len(site.seen) == 1


async def test_the_time_for_all_of_it_is_bounded(site: Web) -> None:
    site.answers = [to("/again")]
    error = await refused(site.url, max_redirects=20, timeout=0.001)
    assert (error.type, error.non_retryable) == ("PROVIDER_UNAVAILABLE", False)
