"""How a worker process lives and stops: its probes, its drain, and what a second signal does."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.addresses import free_address
from tests.e2e.kills.cases.building import call, once, world
from tests.e2e.kills.driver import Case, Stage
from tests.e2e.kills.people import arrived
from tests.e2e.kills.servers import mortal_server
from tests.e2e.operated import operated

ROOT = Path(__file__).parents[2]
_ONE = Case(world([call("a")], outputs={"path": "{{ nodes.a.body.path }}"}), done=once("a#1"), held=frozenset({"a"}))


async def probe(address: str, path: str) -> tuple[int, Any]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{address}{path}")
    return answer.status_code, answer.json()


async def until(address: str, path: str, status: int) -> Any:
    """Ask until the probe has this status; returns what it says."""
    async with asyncio.timeout(30):
        while True:
            try:
                found, said = await probe(address, path)
            except httpx.ConnectError:
                found, said = 0, None
            if found == status:
                return said
            await asyncio.sleep(0.02)


async def test_told_to_stop_it_is_unready_at_once_and_finishes_the_node_in_flight(stage: Stage) -> None:
    scene = await stage.open(_ONE)
    address = free_address()
    worker = await operated(stage, scene.run, {"ORCHESTRATOR_HEALTH_ADDRESS": address})
    assert await until(address, "/readyz", 200) == {"status": "ok"}
    await arrived("a")(scene)

    stopping = asyncio.ensure_future(worker.tell(signal.SIGTERM))
    said = await until(address, "/readyz", 503)
    alive = await probe(address, "/healthz")
    await scene.room.release()
    code = await stopping
    after = await operated(stage, scene.run)
    result = await scene.door.result(scene.run)
    await after.kill()

    assert "draining" in said["reason"]
    assert alive == (200, {"status": "ok"})
    assert code == 0
    # It was done once: the first worker saw it through.
    assert (result.status, dict(scene.room.asked)) == ("completed", {"a#1": 1})


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_told_twice_it_ends_at_once_and_another_worker_does_the_node_again(
    second: signal.Signals, stage: Stage
) -> None:
    scene = await stage.open(_ONE)
    worker = await operated(stage, scene.run, {"ORCHESTRATOR_GRACEFUL_SHUTDOWN_TIMEOUT": "60"})
    await arrived("a")(scene)

    stopping = asyncio.ensure_future(worker.tell(signal.SIGTERM))
    await worker.says("stopping")
    began = time.monotonic()
    code = await worker.tell(second)
    took = time.monotonic() - began
    await stopping
    await scene.room.release()
    after = await operated(stage, scene.run)
    result = await scene.door.result(scene.run)
    await after.kill()

    assert (code, result.status) == (0, "completed")
    assert took < 20
    assert scene.room.asked["a#1"] == 2


async def test_when_the_grace_period_is_over_the_node_is_left_to_another_worker(stage: Stage) -> None:
    scene = await stage.open(_ONE)
    worker = await operated(stage, scene.run, {"ORCHESTRATOR_GRACEFUL_SHUTDOWN_TIMEOUT": "1"})
    await arrived("a")(scene)

    code = await worker.tell(signal.SIGTERM)
    await scene.room.release()
    after = await operated(stage, scene.run)
    result = await scene.door.result(scene.run)
    await after.kill()

    assert (code, result.status) == (0, "completed")
    assert scene.room.asked["a#1"] == 2


async def test_without_its_server_a_worker_lives_and_is_not_ready(stage: Stage, tmp_path: Path) -> None:
    address = free_address()
    async with mortal_server(tmp_path) as server:
        client = await server.start()
        told = {
            "TEMPORAL_ADDRESS": client.service_client.config.target_host,
            "ORCHESTRATOR_HEALTH_ADDRESS": address,
        }
        worker = await operated(stage, "probed", told)
        await until(address, "/readyz", 200)
        await server.kill()

        said = await until(address, "/readyz", 503)
        alive = await probe(address, "/healthz")
        await server.start()
        again = await until(address, "/readyz", 200)
        await worker.kill()

    assert "Temporal server does not answer" in said["reason"]
    assert (alive[0], again) == (200, {"status": "ok"})


def test_the_first_process_of_a_container_can_be_stopped_before_it_has_begun() -> None:
    # Its own numbering of processes makes the worker number 1 there, as a container does.
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "starter.py", "worker"]
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and the program unshare, to number processes anew")
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as outer:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        _until(lambda: children.read_text().split() != [])
        inner = int(children.read_text().split()[0])
        _until(lambda: _handles(inner, signal.SIGTERM))
        os.kill(inner, signal.SIGTERM)

        assert outer.wait(30) == 128 + signal.SIGTERM


def _handles(pid: int, number: signal.Signals) -> bool:
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)
