"""The development server: what is started, used, refused, and never left behind."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from temporalio.api.operatorservice.v1 import RemoveSearchAttributesRequest
from temporalio.client import Client

from orchestrator.connect import connect
from orchestrator.contracts import SearchAttribute
from orchestrator.devserver import DevServer, ensure_server, register_search_attributes
from orchestrator.errors import ServerUnavailableError, SettingsError
from orchestrator.settings import load_settings
from orchestrator.temporal_binary import find_binary

ROOT = Path(__file__).parents[2]
HOLD = """
import asyncio
from orchestrator.devserver import DevServer
from orchestrator.leave import leave

async def hold():
    async with DevServer.start() as server:
        print(server.pid, flush=True)
        {then}

asyncio.run(hold())
leave(0)
"""


@asynccontextmanager
async def holder(then: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, psutil.Process]]:
    """Another process that holds a server: both of them."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD.format(then=then), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process, psutil.Process(int(await process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def program(folder: Path, text: str) -> Path:
    path = folder / "temporal"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def taken_port(listener: socket.socket) -> int:
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener.getsockname()[1]


async def test_it_says_what_it_started_and_that_answers(server: DevServer) -> None:
    assert server.started
    assert server.pid is not None
    assert psutil.Process(server.pid).exe() == str(server.binary)
    assert server.ui_url is not None
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(server.ui_url)).status_code == 200


async def test_it_listens_on_this_machine_only(server: DevServer) -> None:
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(server.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == int(server.address.split(":")[1])
    ]

    assert listening == ["127.0.0.1"]


async def test_it_is_tuned_and_fair(server: DevServer) -> None:
    command = psutil.Process(server.pid).cmdline()

    assert "history.transferProcessorMaxPollRPS=2000" in command
    assert "matching.enableFairness=true" in command
    assert "frontend.WorkflowPauseEnabled=true" in command


async def test_every_search_attribute_is_there(client: Client) -> None:
    assert await register_search_attributes(client) == ()


async def test_a_missing_search_attribute_is_registered() -> None:
    async with DevServer.start() as server:
        client = await server.client()
        await client.operator_service.remove_search_attributes(
            RemoveSearchAttributesRequest(namespace="default", search_attributes=[SearchAttribute.TENANT])
        )

        assert await register_search_attributes(client) == (SearchAttribute.TENANT,)
        assert await register_search_attributes(client) == ()


async def test_it_is_gone_when_the_context_is_left() -> None:
    async with DevServer.start() as server:
        process = psutil.Process(server.pid)

    assert not process.is_running()


async def test_it_is_gone_after_an_exception() -> None:
    seen: list[psutil.Process] = []

    async def fail() -> None:
        async with DevServer.start() as server:
            seen.append(psutil.Process(server.pid))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert not seen[0].is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_it_does_not_outlive_the_process_that_started_it(how: signal.Signals) -> None:
    async with holder("await asyncio.Event().wait()") as (process, server):
        process.send_signal(how)

        await process.wait()
        server.wait(timeout=15)


async def test_a_script_that_ends_leaves_nothing_and_ends_well() -> None:
    async with holder("await server.client()") as (process, server):
        assert await process.wait() == 0
        assert not server.is_running()


async def test_runs_in_a_file_are_there_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "dev.db"
    async with DevServer.start(db_file=file) as server:
        await (await server.client()).start_workflow("GraphWorkflow", id="kept", task_queue="nobody")

    async with DevServer.start(db_file=file) as server:
        description = await (await server.client()).get_workflow_handle("kept").describe()

    assert description.id == "kept"


async def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    async with DevServer.start(db_file=file):
        with pytest.raises(SettingsError, match="Another development server uses the file"):
            async with DevServer.start(db_file=file):
                pytest.fail("two servers have the file")


async def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match=r"file/dev\.db"):
        async with DevServer.start(db_file=tmp_path / "file" / "dev.db"):
            pytest.fail("it started")


async def test_a_port_in_use_is_an_error_in_the_servers_own_words() -> None:
    with socket.socket() as listener:
        port = taken_port(listener)

        with pytest.raises(ServerUnavailableError, match=rf"{port}.*address already in use"):
            async with DevServer.start(port=port):
                pytest.fail("it started")


async def test_a_web_page_port_in_use_is_an_error_too() -> None:
    with socket.socket() as listener:
        port = taken_port(listener)

        with pytest.raises(ServerUnavailableError, match=rf"UI port {port}.*address already in use"):
            async with DevServer.start(ui_port=port):
                pytest.fail("it started")


async def test_a_server_that_answers_is_used_and_left_running(
    server: DevServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)

    async with ensure_server() as found:
        assert not found.started
        assert found.address == server.address
        await found.client()

    await connect()


async def test_a_new_server_listens_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        port = taken_port(listener)
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"localhost:{port}")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "ours")

    async with ensure_server() as server:
        assert server.started
        assert (await connect()).namespace == "ours"
        assert await register_search_attributes(await server.client()) == ()


async def test_a_server_elsewhere_that_is_away_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.invalid:7233")

    with pytest.raises(ServerUnavailableError, match=r"temporal\.invalid:7233"):
        async with ensure_server():
            pytest.fail("it started")


@pytest.mark.parametrize("text", [None, "not a program", "\x7fELF nonsense"])
async def test_a_binary_that_is_none_is_one_clear_error(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "temporal" if text is None else program(tmp_path, text)
    if text == "not a program":
        path.chmod(0o644)

    with pytest.raises((SettingsError, ServerUnavailableError), match=r"temporal") as caught:
        async with DevServer.start(load_settings(_env_file=None, temporal_binary=path)):
            pytest.fail("it started")

    assert "Traceback" not in caught.value.message


async def test_a_server_whose_address_is_none_does_not_count_as_there(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\nexec sleep 20\n")

    with pytest.raises(SettingsError, match="99999"):
        async with DevServer.start(load_settings(_env_file=None, temporal_binary=path), port=99_999):
            pytest.fail("it started")


async def test_a_binary_that_fails_is_quoted(tmp_path: Path) -> None:
    path = program(tmp_path, "#!/bin/sh\necho 'disk on fire' >&2\nexit 7\n")

    with pytest.raises(ServerUnavailableError, match=r"exit code 7[^$]*disk on fire"):
        async with DevServer.start(load_settings(_env_file=None, temporal_binary=path)):
            pytest.fail("it started")


async def test_the_binary_is_looked_for_on_path_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert await find_binary() == path


async def test_without_one_on_path_the_installed_package_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert (await find_binary()).parent == Path(sys.executable).parent
