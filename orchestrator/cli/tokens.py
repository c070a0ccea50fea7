"""Reads along what the models of a run write, where the log of streams can be reached from here."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.client import Client

from orchestrator.cli.writing import Writing
from orchestrator.client.lineage import first_run_id
from orchestrator.client.texts import Said, texts
from orchestrator.contracts import visit_label
from orchestrator.errors import OrchestratorError, ServerUnavailableError, StorageUnavailableError
from orchestrator.settings import Settings, load_settings
from orchestrator.stopping import stop
from storage.streams import Transcript

__all__ = ["elsewhere", "first_run_id", "read_along", "reading", "where"]

_SHOWN_S = 0.05
"""Between two pictures of what is written: more nobody sees."""
_AGAIN_S = 2.0
_LOOK_S = 0.3


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
    settings: Settings, client: Client, run_id: str, *, after: Mapping[str, int], until: asyncio.Event | None = None
) -> AsyncGenerator[Said]:
    """What the models of a run and of its child runs write. See ``texts``, for which this waits until there is a log.

    Args:
        settings: Say where the log is.
        client: The server.
        run_id: The run.
        after: By first run id, the ids that were read last.
        until: Set when no log is to be waited for any longer.

    Raises:
        RunNotFoundError: There is no such run.
        RequestError: The run has not come to ``after``.
        SettingsError: The address of the log cannot be used.
        ServerUnavailableError: The server does not answer.
        StorageUnavailableError: The log is away.
    """
    from activities.streaming import token_log

    while elsewhere(settings):
        if until is not None and until.is_set():
            return
        await asyncio.sleep(_LOOK_S)
    async with token_log(settings) as log, aclosing(texts(client, log, run_id, after=after)) as told:
        async for said in told:
            yield said


@asynccontextmanager
async def read_along(
    client: Client, run_id: str, show: Callable[[Sequence[Writing]], Any], complain: Callable[[str], Any]
) -> AsyncGenerator[None]:
    """While the block runs, show what is written, also in the runs that this one has started.

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
        await stop(following)


async def _follow(
    client: Client, run_id: str, show: Callable[[Sequence[Writing]], Any], complain: Callable[[str], Any]
) -> None:
    settings, desk, complained = load_settings(), _Desk(), False
    while True:
        try:
            async with _shown(desk, show), aclosing(reading(settings, client, run_id, after=desk.last)) as told:
                async for said in told:
                    desk.take(said)
        except OrchestratorError as error:
            if not complained:
                complain(f"what models write cannot be shown: {error.message}")
                complained = True
            if not isinstance(error, (StorageUnavailableError, ServerUnavailableError)):
                return
        else:
            show(())
            return
        await asyncio.sleep(_AGAIN_S)


class _Desk:
    """What is being written at present, and how far it was read."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self._transcripts: dict[str, Transcript] = {}

    def take(self, said: Said) -> None:
        """Take what comes next."""
        if said.record is None or said.placed is None:
            # Nobody writes in a run that has ended, though some of its texts may have no end.
            self._transcripts.pop(said.life, None)
            return
        self.last[said.life] = said.record.id
        self._transcripts.setdefault(said.life, Transcript()).apply(said.placed)

    def written(self) -> list[Writing]:
        """What is being written."""
        return [
            Writing(visit_label(*visit), str(text))
            for transcript in self._transcripts.values()
            for visit, text in transcript
            if text.ending is None
        ]


@asynccontextmanager
async def _shown(desk: _Desk, show: Callable[[Sequence[Writing]], Any]) -> AsyncGenerator[None]:
    async def draw() -> None:
        before: Sequence[Writing] = ()
        while True:
            now = desk.written()
            if now != before:
                show(now)
                before = now
            await asyncio.sleep(_SHOWN_S)

    drawing = asyncio.create_task(draw())
    try:
        yield
    finally:
        await stop(drawing)
