"""Reads along what the models of a run write, where the log of streams can be reached from here."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.cli.writing import Writing
from orchestrator.contracts import visit_label
from orchestrator.errors import OrchestratorError, RunNotFoundError, ServerUnavailableError, StorageUnavailableError
from orchestrator.settings import Settings, load_settings
from storage.streams import Record, Transcript

__all__ = ["elsewhere", "first_run_id", "read_along", "reading", "where"]

_SHOWN_S = 0.05
"""Between two pictures of what is written: more nobody sees."""
_AGAIN_S = 2.0
_LOOK_S = 0.3


async def first_run_id(client: Client, run_id: str) -> str:
    """The first run id of a run, under which its text is kept.

    Raises:
        RunNotFoundError: There is no such run.
        ServerUnavailableError: The server does not answer.
    """
    try:
        events = client.get_workflow_handle(run_id).fetch_history_events(page_size=1)
        started = await anext(events)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise ServerUnavailableError(f"the server does not say what run `{run_id}` is: {error.message}") from None
        raise RunNotFoundError(f"no run has the id `{run_id}`; `orchestrator list` shows the runs") from None
    return started.workflow_execution_started_event_attributes.first_execution_run_id


def where(settings: Settings) -> str:
    """Where text is looked for, in words that hold no secret."""
    if settings.redis_url is not None:
        return "the Redis of ORCHESTRATOR_REDIS_URL"
    return "the database of ORCHESTRATOR_STORAGE_URL" if settings.storage_url else _default(settings).as_posix()


def elsewhere(settings: Settings) -> bool:
    """Whether the log can only be somewhere else: nobody has written to the one that is looked for by default."""
    return settings.redis_url is None and settings.storage_url is None and not _default(settings).exists()


def _default(settings: Settings) -> Path:
    return Path(settings.storage_address.removeprefix("sqlite:///"))


async def reading(
    settings: Settings, run: str, *, after: int = 0, until: asyncio.Event | None = None
) -> AsyncGenerator[Record]:
    """The records of a run. See ``TokenLog.read``, for which this waits until there is a log.

    Raises:
        RequestError: The run has not come to ``after``.
        SettingsError: The address of the log cannot be used.
        StorageUnavailableError: The log is away.
    """
    from activities.streaming import token_log

    while elsewhere(settings):
        if until is not None and until.is_set():
            return
        await asyncio.sleep(_LOOK_S)
    async with token_log(settings) as log, aclosing(log.read(run, after=after, until=until)) as records:
        async for record in records:
            yield record


@asynccontextmanager
async def read_along(
    client: Client, run_id: str, show: Callable[[Sequence[Writing]], Any], complain: Callable[[str], Any]
) -> AsyncGenerator[None]:
    """While the block runs, show what is written.

    Args:
        client: The server.
        run_id: The run.
        show: Given all that is being written, whenever that changes.
        complain: Told once why nothing is shown, where the log cannot be reached.
    """
    following = asyncio.create_task(_follow(client, run_id, show, complain))
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _follow(
    client: Client, run_id: str, show: Callable[[Sequence[Writing]], Any], complain: Callable[[str], Any]
) -> None:
    settings, transcript, cursor, complained, run = load_settings(), Transcript(), 0, False, ""
    while True:
        try:
            run = run or await first_run_id(client, run_id)
            async with _shown(transcript, show), aclosing(reading(settings, run, after=cursor)) as records:
                async for record in records:
                    transcript.apply(record)
                    cursor = record.id
        except OrchestratorError as error:
            if not complained:
                complain(f"what models write cannot be shown: {error.message}")
                complained = True
            if not isinstance(error, (StorageUnavailableError, ServerUnavailableError)):
                return
        await asyncio.sleep(_AGAIN_S)


@asynccontextmanager
async def _shown(transcript: Transcript, show: Callable[[Sequence[Writing]], Any]) -> AsyncGenerator[None]:
    async def draw() -> None:
        before: Sequence[Writing] = ()
        while True:
            now = [Writing(visit_label(*visit), str(text)) for visit, text in transcript if text.ending is None]
            if now != before:
                show(now)
                before = now
            await asyncio.sleep(_SHOWN_S)

    drawing = asyncio.create_task(draw())
    try:
        yield
    finally:
        drawing.cancel()
        with suppress(asyncio.CancelledError):
            await drawing
