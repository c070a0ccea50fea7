"""What every test shares: one development server, workers, and no way out to the network."""

import os
import socket
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from orchestrator.devserver import DevServer
from orchestrator.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses connections beyond this machine. Temporal's own traffic does not pass through Python's sockets."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse_beyond_loopback(sock: socket.socket, address: tuple[object, ...]) -> None:
        if sock.family == socket.AF_UNIX:
            return
        host = str(address[0])
        if host not in {"localhost", "::1"} and not host.startswith("127."):
            pytest.fail(f"A test tried to reach {host}: tests talk to this machine only.")

    def guarded_connect(sock: socket.socket, address: tuple[object, ...]) -> None:
        refuse_beyond_loopback(sock, address)
        connect(sock, address)

    def guarded_connect_ex(sock: socket.socket, address: tuple[object, ...]) -> int:
        refuse_beyond_loopback(sock, address)
        return connect_ex(sock, address)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI every part is there: a test that skips because it ``needs`` one fails instead."""
    report = yield
    if os.environ.get("CI") and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith("needs "):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped in CI, where every part has to be there: {reason}"
    return report


@pytest.fixture(scope="session")
async def server() -> AsyncGenerator[DevServer]:
    """One development server for the whole session."""
    async with DevServer.start() as started:
        yield started


@pytest.fixture(scope="session")
async def client(server: DevServer) -> Client:
    """A client of the session's server."""
    return await server.client()


@pytest.fixture
def task_queue() -> str:
    """A task queue nobody else uses."""
    return f"test-{uuid.uuid4()}"


@pytest.fixture
def worker_settings(task_queue: str, tmp_path: Path) -> Settings:
    """Settings of a sandboxed worker, with a definitions folder of its own and short patience."""
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    return load_settings(
        _env_file=None,
        task_queue=task_queue,
        definitions_dir=definitions,
        blob_dir=tmp_path / "blobs",
        storage_url=SecretStr(f"sqlite:///{tmp_path / 'storage.db'}"),
        sandboxed=True,
        heartbeat_timeout=2,
        sticky_timeout=1,
        graceful_shutdown_timeout=2,
        http_allow_private=["127.0.0.0/8", "::1"],
    )
