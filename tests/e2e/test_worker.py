"""The worker as a process: how it starts, stops and refuses, by its exit code and its own words."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from orchestrator.devserver import DevServer

ROOT = Path(__file__).parents[2]


async def start(folder: Path, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        ROOT / "worker.py",
        cwd=folder,
        env={**os.environ, **environment},
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_when_told_to_and_says_so(how: signal.Signals, server: DevServer, tmp_path: Path) -> None:
    process = await start(tmp_path, TEMPORAL_ADDRESS=server.address)
    assert process.stderr is not None
    first = json.loads(await process.stderr.readline())
    assert server.address in first["event"]

    process.send_signal(how)

    code, said = await ended(process)
    assert code == 0
    assert json.loads(said.splitlines()[-1])["event"] == "worker stopped"


async def test_a_server_that_is_away_is_one_message_and_exit_code_3(tmp_path: Path) -> None:
    code, said = await ended(await start(tmp_path, TEMPORAL_ADDRESS="127.0.0.1:1"))

    assert code == 3
    assert said.count("\n") == 1
    assert "127.0.0.1:1" in said


@pytest.mark.parametrize(
    ("variable", "value"), [("ORCHESTRATOR_STICKY_TIMEOUT", "soon"), ("TEMPORAL_PROFILE", "missing")]
)
async def test_a_wrong_setting_is_one_message_and_exit_code_2(variable: str, value: str, tmp_path: Path) -> None:
    code, said = await ended(await start(tmp_path, **{variable: value}))

    assert code == 2
    assert said.count("\n") == 1
    assert variable in said


async def test_it_warns_once_that_models_are_simulated(server: DevServer, tmp_path: Path) -> None:
    process = await start(tmp_path, TEMPORAL_ADDRESS=server.address, OPENAI_API_KEY="", OPENAI_BASE_URL="")
    assert process.stderr is not None
    await process.stderr.readline()
    warning = json.loads(await process.stderr.readline())

    process.send_signal(signal.SIGTERM)

    _, said = await ended(process)
    assert (warning["level"], "simulated" in warning["event"]) == ("warning", True)
    assert "simulated" not in said


async def test_a_namespace_that_is_not_there_is_named_with_exit_code_2(server: DevServer, tmp_path: Path) -> None:
    code, said = await ended(await start(tmp_path, TEMPORAL_ADDRESS=server.address, TEMPORAL_NAMESPACE="nowhere"))

    assert code == 2
    assert "nowhere" in said.splitlines()[-1]
