"""The worker as a process: how it starts, stops and refuses, by its exit code and its own words."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from orchestrator.contracts import Message
from orchestrator.devserver import DevServer
from orchestrator.encryption import new_key
from tests.e2e.kills.cases.building import call, world
from tests.e2e.kills.driver import Case, Stage
from tests.e2e.kills.far_side import Answer
from tests.e2e.kills.people import asked
from tests.e2e.operated import FEW_KEPT, crowd_out, operated
from tests.scenarios import ask, edge

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
async def test_told_to_stop_while_it_waits_for_the_server_it_stops(how: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0)
        host, port = silent.getsockname()
        process = await start(tmp_path, TEMPORAL_ADDRESS=f"{host}:{port}")
        caller, _ = await asyncio.get_running_loop().sock_accept(silent)

        process.send_signal(how)

        with caller:
            code, said = await ended(process)
    assert code == 0
    assert [json.loads(line)["event"] for line in said.splitlines()] == ["worker stopped"]


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


async def test_what_a_run_and_a_node_log_says_which_and_is_said_once_however_often_the_run_is_replayed(
    stage: Stage,
) -> None:
    definition = world([call("pay"), ask("name", "Who?")], [edge("pay", "name")])
    scene = await stage.open(Case(definition, done={}, answers={"pay": (Answer(503),)}))
    worker = await operated(stage, scene.run, FEW_KEPT)
    await asked("name")(scene)
    await scene.client.get_workflow_handle(scene.run).signal("child", {"nonsense": 1})
    await worker.says("report was dropped")
    await crowd_out(stage, scene.run)
    await scene.door.answer(scene.run, Message(text="Ada"))
    await scene.door.result(scene.run)
    assert await worker.tell(signal.SIGTERM) == 0

    lines = [json.loads(line) for line in worker.log.read_text(encoding="utf-8").splitlines()]
    [dropped] = [line for line in lines if "report was dropped" in line["event"]]
    [failed] = [line for line in lines if line["event"] == "Completing activity as failed"]
    assert dropped["run"] == scene.run
    assert (failed["run"], failed["node"], failed["attempt"]) == (scene.run, "pay", 1)


async def test_a_key_that_is_missing_is_one_sentence_in_the_log_that_names_the_run(stage: Stage) -> None:
    scene = await stage.open(Case(world([ask("name", "Who?")]), done={}))
    first = await operated(stage, scene.run, {"ORCHESTRATOR_ENCRYPTION_KEYS": new_key("first")})
    await asked("name")(scene)
    await first.kill()
    second = await operated(stage, scene.run, {"ORCHESTRATOR_ENCRYPTION_KEYS": new_key("second")})
    await scene.client.get_workflow_handle(scene.run).signal("message", {"text": "Ada"})
    # What the SDK's native part says of it comes last.
    await second.says("Failing workflow task")
    assert await second.tell(signal.SIGTERM) == 0

    lines = [json.loads(line) for line in second.log.read_text(encoding="utf-8").splitlines()]
    told = [line for line in lines if "reason" in line]
    assert {(line["run"], "exception" in line) for line in told} == {(scene.run, False)}
    assert "'first'" in told[0]["reason"]
    assert "ORCHESTRATOR_ENCRYPTION_KEYS" in told[0]["reason"]
