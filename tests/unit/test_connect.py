"""Connecting: a server that is away, and connection settings that are wrong, are one clear error each."""

import socket
import time
from pathlib import Path

import pytest

from orchestrator.connect import connect, connect_to
from orchestrator.errors import ServerUnavailableError, SettingsError


async def test_a_server_that_is_away_says_where_it_was_and_how_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    with pytest.raises(ServerUnavailableError) as caught:
        await connect()

    for part in ("127.0.0.1:1", "orchestrator dev", "TEMPORAL_ADDRESS"):
        assert part in caught.value.message


async def test_a_server_that_accepts_and_stays_silent_is_given_up_in_time() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        began = time.monotonic()

        with pytest.raises(ServerUnavailableError, match=r"no answer within 0\.5 seconds"):
            await connect_to(f"127.0.0.1:{listener.getsockname()[1]}", timeout=0.5)

    assert time.monotonic() - began < 3


@pytest.mark.parametrize("address", ["http://localhost:7233", "not an address"])
async def test_an_address_that_is_none_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)

    with pytest.raises(SettingsError, match="TEMPORAL_ADDRESS must be host:port"):
        await connect()


async def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_PROFILE", "production")

    with pytest.raises(SettingsError, match=r"production.*TEMPORAL_PROFILE"):
        await connect()


async def test_a_profile_file_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporal.toml").write_text("bad [")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "temporal.toml"))

    with pytest.raises(SettingsError, match="TEMPORAL_CONFIG_FILE") as caught:
        await connect()

    assert "\n" not in caught.value.message


async def test_a_certificate_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", "missing.pem")
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", "missing.key")

    with pytest.raises(SettingsError, match=r"missing\.pem"):
        await connect()


async def test_a_certificate_that_is_none_is_refused_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_DATA", "hidden")
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_KEY_DATA", "hidden")

    with pytest.raises(SettingsError, match="TLS") as caught:
        await connect()

    assert "hidden" not in caught.value.message
