"""How soon another worker takes over when one is killed: real worker processes, SIGKILL, and what they had in hand."""

import asyncio
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.effects import Effects, Room, open_effects
from benchmarks.figures import Figure
from benchmarks.fleet import Fleet, open_fleet
from benchmarks.lab import Lab
from benchmarks.story import persist, shows
from orchestrator.client import Orchestrator
from orchestrator.contracts import Message, RunRequest
from orchestrator.settings import Settings

__all__ = ["PATIENCES", "recovery"]

_RUNS = 5
_CALL = {"type": "HttpRequest", "config": {"url": "{{ inputs.far }}/next", "method": "POST", "json": 1}}
_INPUTS = {"far": {"type": "string"}}
_ASKED: Mapping[str, Any] = {
    "name": "recover-asked",
    "version": "1.0.0",
    "inputs": _INPUTS,
    "nodes": [{"id": "ask", "type": "UserInput", "config": {"question": "What next?"}}, {"id": "next", **_CALL}],
    "edges": [{"from": "ask", "to": "next"}],
}
_BUSY: Mapping[str, Any] = {
    "name": "recover-busy",
    "version": "1.0.0",
    "inputs": _INPUTS,
    "nodes": [{"id": "next", **_CALL}],
}


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long a killed worker's work waits, in seconds: runs, and nodes in flight."""

    what: str
    sticky: float
    heartbeat: float


PATIENCES = (
    _Patience(
        "by default",
        Settings.model_fields["sticky_timeout"].default,
        Settings.model_fields["heartbeat_timeout"].default,
    ),
    _Patience("impatient", 1, 3),
)


async def recovery(lab: Lab) -> list[Figure]:
    """Seconds from the kill of a worker until the next node of its runs begins on another."""
    return [figure for patience in PATIENCES for figure in await _recovered(lab, patience)]


async def _recovered(lab: Lab, patience: _Patience) -> list[Figure]:
    settings = {
        "ORCHESTRATOR_STICKY_TIMEOUT": f"{patience.sticky:g}",
        "ORCHESTRATOR_HEARTBEAT_TIMEOUT": f"{patience.heartbeat:g}",
    }
    told = f"sticky_timeout {patience.sticky:g} s, heartbeat_timeout {patience.heartbeat:g} s ({patience.what})"
    lab.told(f"recovery, {patience.what}: at most {patience.heartbeat + patience.sticky:g} s and a bit")
    with tempfile.TemporaryDirectory() as folder:
        async with (
            open_effects() as effects,
            open_fleet(lab.client, f"recovery-{uuid.uuid4().hex}", Path(folder), {}, settings) as fleet,
        ):
            asked, busy = await _killed(fleet, effects)
    return [
        Figure(
            measure="recovery",
            what=f"from SIGKILL until the next node begins, of a run that is answered right after: {patience.what}",
            unit="s",
            samples=asked,
            note=told,
        ),
        Figure(
            measure="recovery",
            what=f"from SIGKILL until a node that was in flight begins again: {patience.what}",
            unit="s",
            samples=busy,
            note=told,
        ),
    ]


async def _killed(fleet: Fleet, effects: Effects) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Have one worker begin runs, kill it while another is there, and see when that one goes on with each."""
    first = await fleet.ready(await fleet.start())
    asked = [await _begin(fleet, effects, _ASKED) for _ in range(_RUNS)]
    busy = [await _begin(fleet, effects, _BUSY) for _ in range(_RUNS)]
    await asyncio.gather(
        *(shows(fleet.client, run, RunStatus="awaiting_input") for run, _ in asked),
        *(room.arrival("next") for _, room in busy),
    )
    await fleet.ready(await fleet.start())
    killed = time.monotonic()
    await fleet.kill(first)
    door = Orchestrator(fleet.client, fleet.task_queue)

    async def answered(run: str, room: Room) -> float:
        message = Message(text="go on", message_id="m-1")
        answering = asyncio.create_task(persist(lambda: door.answer(run, message)))
        moment = await room.arrival("next")
        await answering
        return moment - killed

    async def again(room: Room) -> float:
        return await room.arrival("next", 2) - killed

    found = await asyncio.gather(*(answered(run, room) for run, room in asked), *(again(room) for _, room in busy))
    for run, _ in (*asked, *busy):
        effects.close(run)
    return tuple(found[:_RUNS]), tuple(found[_RUNS:])


async def _begin(fleet: Fleet, effects: Effects, definition: Mapping[str, Any]) -> tuple[str, Room]:
    """Start a run. The node of a busy one gets no answer, so it is in flight when its worker is killed."""
    run = f"recovery-{uuid.uuid4().hex}"
    room = effects.open(run, held={"next"} if definition is _BUSY else None)
    request = RunRequest(definition=dict(definition), inputs={"far": room.url})
    await Orchestrator(fleet.client, fleet.task_queue).start(request, run)
    return run, room
