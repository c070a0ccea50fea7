"""What people do to a run while workers die: data, so that each run of a case meets the same people."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.converter import DataConverter

from orchestrator.client import Orchestrator
from orchestrator.contracts import Message, ResolveRequest, SearchAttribute, SubmitReply
from orchestrator.errors import NothingAwaitedError, NotParkedError, WorkerMissingError
from tests.e2e.kills.far_side import Room
from tests.e2e.kills.story import until

__all__ = [
    "Act",
    "Scene",
    "arrived",
    "asked",
    "cancel",
    "finished",
    "mend",
    "pause",
    "release",
    "resolves",
    "resume",
    "says",
    "signals",
    "submits",
]


@dataclass(frozen=True)
class Scene:
    """A run under way, and the outside world as it is for that run."""

    client: Client
    door: Orchestrator
    run: str
    room: Room


Act = Callable[[Scene], Awaitable[None]]
"""Waits until its moment has come, and does it. The acts of a case happen one after the other."""


def asked(node: str) -> Act:
    """Wait until the question at ``node`` is what the run waits for."""
    return says(RunStatus="awaiting_input", CurrentNode=node)


def says(**attributes: str) -> Act:
    """Wait until the run has said so in its search attributes. That takes neither a worker nor a poll."""

    async def wait(scene: Scene) -> None:
        shown: dict[str, Any] = {}

        def so(event: HistoryEvent) -> bool:
            shown.update(_shown(event))
            return attributes.items() <= shown.items()

        assert await until(scene.client, scene.run, so), f"{scene.run} ended without {attributes}, last {shown}"

    return wait


def arrived(path: str, times: int = 1) -> Act:
    """Wait until the far side was asked for ``path`` so many times."""

    async def wait(scene: Scene) -> None:
        await scene.room.arrival(path, times)

    return wait


def finished(visit: str) -> Act:
    """Wait until the activity of ``visit`` has finished well."""

    async def wait(scene: Scene) -> None:
        scheduled: set[int] = set()

        def so(event: HistoryEvent) -> bool:
            if event.activity_task_scheduled_event_attributes.activity_id == visit:
                scheduled.add(event.event_id)
            return event.activity_task_completed_event_attributes.scheduled_event_id in scheduled

        assert await until(scene.client, scene.run, so), f"{scene.run} ended without {visit}"

    return wait


def submits(message: Message, times: int = 1) -> Act:
    """Answer by the update ``submit``, so many times at once. Each gets the same outcome: it counts once."""
    assert message.message_id

    async def act(scene: Scene) -> None:
        replies = await asyncio.gather(*(_heard(scene, message) for _ in range(times)))
        told = {(reply.node, reply.visit) for reply in replies if reply is not None}
        assert len(told) == 1, replies

    return act


async def _heard(scene: Scene, message: Message) -> SubmitReply | None:
    """Submit until somebody hears it. Returns none where the run has ended over another that says the same."""
    while True:
        try:
            return await scene.door.answer(scene.run, message)
        except WorkerMissingError:
            continue
        except NothingAwaitedError as error:
            if "ended" in error.message:
                return None
            raise


def resolves(request: ResolveRequest) -> Act:
    """Say what becomes of a parked node, until somebody hears it."""

    async def act(scene: Scene) -> None:
        lost = False
        while True:
            try:
                await scene.door.resolve(scene.run, request)
            except WorkerMissingError:
                lost = True
                continue
            except NotParkedError:
                if not lost:
                    raise
            return

    return act


async def pause(scene: Scene) -> None:
    """Let the run start nothing new."""
    await scene.door.pause(scene.run)


def resume(**variables: Any) -> Act:
    """End the pause."""

    async def act(scene: Scene) -> None:
        await scene.door.resume(scene.run, variables)

    return act


def signals(message: Message) -> Act:
    """Answer by the signal ``message``, which waits for its question."""

    async def act(scene: Scene) -> None:
        await scene.door.send(scene.run, message)

    return act


async def cancel(scene: Scene) -> None:
    """Ask the run to cancel."""
    await scene.door.cancel(scene.run)


def mend(path: str) -> Act:
    """Let a broken path of the far side work again."""

    async def act(scene: Scene) -> None:
        await scene.room.mend(path)

    return act


async def release(scene: Scene) -> None:
    """Let the far side answer what it holds."""
    await scene.room.release()


def _shown(event: HistoryEvent) -> dict[str, Any]:
    """What an event says in search attributes of ours; an attribute that is taken away is empty."""
    upserted = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
    converter = DataConverter.default.payload_converter
    return {name: converter.from_payload(upserted[name]) for name in SearchAttribute.ALL if name in upserted}
