"""The codec server, over HTTP: who is served, what is answered, and what is refused."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from orchestrator.encryption import EncryptingCodec, new_key
from orchestrator.encryption.keys import read_keys
from orchestrator.encryption.server import codec_app, serve_codec
from orchestrator.errors import SettingsError
from orchestrator.operating.serving import serving
from orchestrator.operating.telemetry import reserved
from orchestrator.settings import load_settings
from tests.addresses import free_address

LINE = new_key("k1")
CODEC = EncryptingCodec(read_keys(LINE, "keys"))
PLAIN = {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "ImhlbGxvIg=="}]}
ORIGIN = "https://temporal.example"


@asynccontextmanager
async def served(**options: Any) -> AsyncGenerator[httpx.AsyncClient]:
    address = free_address()
    async with (
        serving(codec_app(CODEC, **options), reserved(address, "address")),
        httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as client,
    ):
        yield client


async def test_what_is_encoded_can_be_decoded_again() -> None:
    async with served() as client:
        hidden = (await client.post("/encode", json=PLAIN)).json()
        back = await client.post("/decode", json=hidden, headers={"X-Namespace": "default"})

    assert "ImhlbGxvIg==" not in json.dumps(hidden)
    assert (back.status_code, back.json()) == (200, PLAIN)


async def test_what_is_not_encrypted_is_given_back() -> None:
    async with served() as client:
        answer = await client.post("/decode", json=PLAIN)

    assert answer.json() == PLAIN


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"payloads": 3}', b'{"payloads": [{"data": "not base64!"}]}', b"\xff", b"null"]
)
async def test_what_cannot_be_read_is_a_clear_400(body: bytes) -> None:
    async with served() as client:
        answer = await client.post("/decode", content=body)

    assert answer.status_code == 400
    assert "payloads" in answer.json()["error"]


async def test_a_key_that_is_missing_is_a_400_that_names_it() -> None:
    [hidden] = (await _encoded_elsewhere())["payloads"]
    async with served() as client:
        answer = await client.post("/decode", json={"payloads": [hidden]})

    assert answer.status_code == 400
    assert "'elsewhere'" in answer.json()["error"]


async def _encoded_elsewhere() -> dict[str, Any]:
    address = free_address()
    codec = EncryptingCodec(read_keys(new_key("elsewhere"), "keys"))
    async with serving(codec_app(codec), reserved(address, "address")), httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(f"http://{address}/encode", json=PLAIN)).json()


async def test_more_than_it_may_take_is_refused() -> None:
    async with served() as client:
        answer = await client.post("/decode", content=b" " * 20_000_001)

    assert answer.status_code == 400
    assert "20,000,000" in answer.json()["error"]


@pytest.mark.parametrize(("count", "status"), [(10_000, 200), (10_001, 400)])
async def test_so_many_payloads_as_would_take_all_memory_are_refused(count: int, status: int) -> None:
    async with served() as client:
        answer = await client.post("/decode", json={"payloads": PLAIN["payloads"] * count}, timeout=60)

    assert answer.status_code == status
    assert len(answer.json().get("payloads", [])) == (count if status == 200 else 0)


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "right"}])
async def test_with_a_token_nobody_is_served_without_it(given: dict[str, str]) -> None:
    async with served(token="right") as client:  # noqa: S106 - of this test only
        refused = await client.post("/decode", json=PLAIN, headers=given)
        taken = await client.post("/decode", json=PLAIN, headers={"Authorization": "Bearer right"})

    assert (refused.status_code, taken.status_code) == (401, 200)


async def test_without_a_token_a_foreign_name_that_leads_here_is_not_served() -> None:
    async with served() as client:
        answer = await client.post("/decode", json=PLAIN, headers={"Host": "evil.example"})

    assert answer.status_code == 403


@pytest.mark.parametrize(("origin", "allowed"), [(ORIGIN, ORIGIN), ("https://evil.example", None)])
async def test_a_browser_may_ask_only_from_the_page_of_the_web_ui(origin: str, allowed: str | None) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-namespace,authorization",
    }
    async with served(origin=ORIGIN) as client:
        before = await client.options("/decode", headers=asked)
        answer = await client.post("/decode", json=PLAIN, headers={"Origin": origin})

    assert before.headers.get("access-control-allow-origin") == allowed
    assert answer.headers.get("access-control-allow-origin") == allowed
    assert before.status_code == (200 if allowed else 400)


@pytest.mark.parametrize(
    ("address", "changes", "why"),
    [
        ("127.0.0.1:8081", {"encryption_keys": None}, "ORCHESTRATOR_ENCRYPTION_KEYS"),
        ("0.0.0.0:8081", {}, "ORCHESTRATOR_CODEC_TOKEN"),
        ("nowhere", {}, "no address"),
    ],
)
async def test_it_does_not_start_where_it_should_not(address: str, changes: dict[str, Any], why: str) -> None:
    settings = load_settings(_env_file=None, **{"encryption_keys": SecretStr(LINE), **changes})

    with pytest.raises(SettingsError, match=why):
        await serve_codec(address, settings, asyncio.Event())


async def test_an_address_that_is_taken_is_one_clear_error() -> None:
    settings = load_settings(_env_file=None, encryption_keys=SecretStr(LINE))
    address = free_address()

    with reserved(address, "other"), pytest.raises(SettingsError, match=address):
        await serve_codec(address, settings, asyncio.Event())
