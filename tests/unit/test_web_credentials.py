"""Named secrets in requests: how they are sent, where they may go, and that nothing shows them."""

import base64
import json
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.files import content_of
from activities.secrets import SECRET_PREFIX, NamedSecrets
from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError
from tests.unit.loopback import Answer, Web, call, perform

SECRET = 's3"cret/+value'  # noqa: S105 - a made-up one
NAME = "crm_token"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_CRM_TOKEN", SECRET)


async def fetch(url: str, auth: Any, hosts: dict[str, list[str]] | None = None, **config: Any) -> dict[str, Any]:
    node_call = call("HttpRequest", {"url": url, "auth": auth, **config})
    output = await perform(node_call, secrets=NamedSecrets(SECRET_PREFIX), secret_hosts=hosts)
    return output.output


async def refused(url: str, auth: Any, hosts: dict[str, list[str]] | None = None, **config: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await fetch(url, auth, hosts, **config)
    assert SECRET not in f"{caught.value} {caught.value.details}"
    return caught.value


TOKEN = base64.b64encode(f"ada:{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ({"type": "bearer", "secret": NAME}, "authorization", f"Bearer {SECRET}"),
        ({"type": "basic", "user": "ada", "secret": NAME}, "authorization", f"Basic {TOKEN}"),
        ({"type": "header", "name": "X-Api-Key", "secret": NAME}, "x-api-key", SECRET),
    ],
)
async def test_the_secret_is_sent_in_a_header(site: Web, auth: dict[str, str], name: str, value: str) -> None:
    await fetch(site.url, auth)
    assert site.seen[0].headers[name] == value


async def test_the_secret_is_sent_in_the_query(site: Web) -> None:
    await fetch(f"{site.url}/?a=1", {"type": "query", "name": "key", "secret": NAME}, query={"b": 2})
    assert site.seen[0].path == "/?a=1&b=2&key=s3%22cret%2F%2Bvalue"


@pytest.mark.parametrize("way", ["bearer", "basic"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "image/png", "application/problem+json"])
async def test_a_server_that_echoes_the_secret_gives_it_to_nobody(site: Web, way: str, kind: str) -> None:
    auth = {"type": way, "secret": NAME, **({"user": "ada"} if way == "basic" else {})}
    said = {"token": [SECRET, {SECRET: TOKEN}], "url": "/?key=s3%22cret%2F%2Bvalue"}
    text = json.dumps(said) if "json" in kind else f"{SECRET} {TOKEN if way == 'basic' else ''}"
    site.answers = [Answer(body=text, headers={"content-type": kind, "x-echo": f"Bearer {SECRET}"})]
    output = await fetch(f"{site.url}/{NAME}.png", auth)
    shown = json.dumps(output)
    content = content_of(output["body"]) or b""
    for hidden in (SECRET, json.dumps(SECRET)[1:-1], "s3%22cret", *([TOKEN] if way == "basic" else [])):
        assert hidden not in shown
        assert hidden.encode() not in content
    assert "***" in shown
    assert output["headers"]["x-echo"] == "Bearer ***"


async def test_an_error_does_not_carry_what_the_server_echoed(site: Web) -> None:
    site.answers = [Answer(status=302, headers={"location": f"/{SECRET}"}), Answer(status=404)]
    error = await refused(site.url, {"type": "bearer", "secret": NAME})
    assert "/***" in error.message


async def test_a_secret_that_is_not_there_is_named_with_where_it_was_looked_for(site: Web) -> None:
    error = await refused(site.url, {"type": "bearer", "secret": "other"})
    assert (error.type, error.non_retryable) == ("NODE_FAILED", True)
    for part in ("'other'", "ORCHESTRATOR_SECRET_OTHER"):
        assert part in error.message
    assert site.seen == []


@pytest.mark.parametrize("hosts", [["127.0.0.1"], ["127.0.0.0/8"], ["api.example", "*"]])
async def test_a_secret_goes_where_it_may(site: Web, hosts: list[str]) -> None:
    assert (await fetch(site.url, {"type": "bearer", "secret": NAME}, {NAME: hosts}))["status"] == 200


@pytest.mark.parametrize("hosts", [[], ["api.example"], ["*.0.0.1"]])
async def test_a_secret_goes_nowhere_else(site: Web, hosts: list[str]) -> None:
    error = await refused(site.url, {"type": "bearer", "secret": NAME}, {NAME: hosts})
    assert error.non_retryable
    assert "ORCHESTRATOR_SECRET_HOSTS" in error.message
    assert site.seen == []


@pytest.mark.parametrize("value", ["line\nbreak", "é-value", " leading", "x" * 3])
async def test_a_secret_that_no_header_can_carry_is_refused(
    site: Web, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_ODD", value)
    error = await refused(site.url, {"type": "header", "name": "X-Key", "secret": "odd"})
    assert error.non_retryable
    assert value not in error.message


@pytest.mark.parametrize(
    ("auth", "more"),
    [
        ({"type": "bearer", "secret": "{{ inputs.name }}"}, {}),
        ({"type": "bearer", "secret": "Upper"}, {}),
        ({"type": "bearer", "secret": "../file"}, {}),
        ({"type": "bearer", "secret": "a" * 65}, {}),
        ({"type": "bearer"}, {}),
        ({"type": "magic", "secret": NAME}, {}),
        ({"type": "basic", "secret": NAME}, {}),
        ({"type": "basic", "user": "a:b", "secret": NAME}, {}),
        ({"type": "header", "name": "Host", "secret": NAME}, {}),
        ({"type": "header", "name": "bad name", "secret": NAME}, {}),
        ({"type": "bearer", "secret": NAME}, {"headers": {"Authorization": "Bearer x"}}),
        ({"type": "bearer", "secret": NAME}, {"headers": {"Host": "elsewhere"}}),
        ({"type": "header", "name": "X-Key", "secret": NAME}, {"headers": {"x-key": "1"}}),
        ({"type": "query", "name": "key", "secret": NAME}, {"query": {"key": "1"}}),
        ({"type": "bearer", "secret": NAME}, {"url": "http://user:pass@127.0.0.1:1/"}),
    ],
)
async def test_auth_that_makes_no_sense_is_refused(site: Web, auth: Any, more: dict[str, Any]) -> None:
    rest = {name: value for name, value in more.items() if name != "url"}
    error = await refused(more.get("url", site.url), auth, None, **rest)
    assert (error.type, error.non_retryable) == ("NODE_FAILED", True)
    assert site.seen == []


def codes(auth: dict[str, str]) -> list[str]:
    config = {"url": "https://api.example", "auth": auth}
    try:
        load_mapping({"name": "test", "nodes": [{"id": "a", "type": "HttpRequest", "config": config}]})
    except DefinitionError as error:
        return sorted(issue.code for issue in error.issues)
    return []


def test_the_validator_takes_a_name_and_refuses_a_template_or_a_value() -> None:
    assert codes({"type": "bearer", "secret": "crm_token"}) == []
    assert codes({"type": "bearer", "secret": "{{ inputs.name }}"}) != []
    assert "DEF080" in codes({"type": "bearer", "secret": "ghp_" + "a" * 36})
    assert codes({"type": "basic", "user": "{{ inputs.name }}", "secret": "crm_token"}) != []
