"""Does what ``stream`` asks for."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from orchestrator.cli.output import data, say, write
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.tokens import elsewhere, first_run_id, reading, where
from orchestrator.client.texts import Said
from orchestrator.contracts import visit_label
from orchestrator.errors import RequestError
from orchestrator.settings import load_settings
from orchestrator.stopping import stop
from storage.streams import Delta, Finished, Lost, Record, Superseded, Text, Transcript, as_dict

__all__ = ["Aloud", "stream"]

_ABOVE_ALL_IDS = 2**53
_ADVICE = "ORCHESTRATOR_REDIS_URL and ORCHESTRATOR_STORAGE_URL must be here what they are for the worker"


class Aloud:
    """Tells the texts of a run one after the other, each as it is written; those that are written meanwhile wait.

    Args:
        write: Takes text.
        say: Takes words about it.
    """

    def __init__(self, write: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._write, self._say = write, say
        self._transcript = Transcript()
        self._told: set[tuple[str, int]] = set()
        self._current: tuple[str, int] | None = None
        self._shown = 0
        self._runs: dict[tuple[str, int], str] = {}
        self._generations: dict[tuple[str, int], int] = {}
        self._over: set[str] = set()

    def tell(self, record: Record, of: str = "") -> None:
        """Take the next record; ``of`` is the run that it is of."""
        if isinstance(record, Superseded):
            self._begin_again((record.node, record.visit))
        elif isinstance(record, Lost):
            self._say("(what was written before is no longer kept)")
        self._transcript.apply(record)
        if isinstance(record, (Delta, Finished)):
            self._notice((record.node, record.visit), of)
        while self._go_on():
            continue

    def end(self, of: str) -> None:
        """Say that nothing more comes of a run; a text of it that nobody has ended ends here."""
        self._over.add(of)
        while self._go_on():
            continue

    def _notice(self, visit: tuple[str, int], of: str) -> None:
        """Remember whose it is. A text may begin again without a word of it, where that was lost."""
        self._runs[visit] = of
        generation = self._transcript[visit].generation
        if generation != self._generations.get(visit, generation):
            self._begin_again(visit)
        self._generations[visit] = generation

    def _begin_again(self, visit: tuple[str, int]) -> None:
        if visit not in self._told and visit != self._current:
            return
        if visit == self._current:
            self._write("\n")
            self._current = None
        self._told.discard(visit)
        self._say(f"({visit_label(*visit)} begins again: what it has said counts for nothing)")

    def _next(self) -> bool:
        self._current = next((visit for visit, _ in self._transcript if visit not in self._told), None)
        self._shown = 0
        return self._current is not None

    def _go_on(self) -> bool:
        """Tell what is new of the text that is told. Returns whether it has ended, so that the next may begin."""
        begins = self._current is None
        if begins and not self._next():
            return False
        visit = self._current
        if visit is None:
            return False
        text = self._transcript[visit]
        if begins:
            self._say(f"{visit_label(*visit)}:")
        self._more(text)
        ending = text.ending or ("unfinished" if self._runs.get(visit) in self._over else None)
        if ending is not None:
            self._close(visit, ending)
        return ending is not None

    def _more(self, text: Text) -> None:
        # In the middle of it something may have been lost: what is left begins where it belongs.
        whole, begins = str(text), text.begins
        if new := whole[max(self._shown - begins, 0) :]:
            self._write(new)
        self._shown = begins + len(whole)

    def _close(self, visit: tuple[str, int], ending: str) -> None:
        self._write("\n")
        if ending not in {"stop", "tool_calls"}:
            self._say(f"({visit_label(*visit)} ended: {ending})")
        self._told.add(visit)
        self._current = None


def stream(run_id: str, *, after: int, as_json: bool) -> None:
    """Print what the models of a run write, until it has ended.

    Raises:
        RequestError: ``after`` is no id of a record.
        RunNotFoundError: There is no such run.
        StorageUnavailableError: The log is away.
    """
    if after >= _ABOVE_ALL_IDS:
        raise RequestError(f"--after: {after} is no id of a record, which are below 2^53: take one that --json shows")
    on_server(lambda session: _stream(session, run_id, after, as_json=as_json))


async def _stream(session: Session, run_id: str, after: int, *, as_json: bool) -> None:
    settings, aloud, seen = load_settings(), Aloud(write, say), False
    life = await first_run_id(session.client, run_id)
    if elsewhere(settings):
        say(f"nobody has written to {where(settings)} yet; {_ADVICE}")
    over = asyncio.Event()
    ending = asyncio.create_task(session.orchestrator.result(run_id))
    ending.add_done_callback(lambda _: over.set())
    try:
        told = reading(settings, session.client, run_id, after={life: after}, until=over)
        async with aclosing(told):
            async for said in told:
                seen = seen or said.record is not None
                _tell(said, aloud, as_json=as_json)
        await ending
    finally:
        await stop(ending)
    if not seen and not after:
        say(f"nothing of this run is in {where(settings)}: no node of it streams, or it was trimmed; {_ADVICE}")


def _tell(said: Said, aloud: Aloud, *, as_json: bool) -> None:
    """Print what comes next. Records of child runs say whose they are; their ids are those of their own run."""
    if said.placed is None:
        aloud.end(said.life)
    elif not as_json:
        aloud.tell(said.placed, said.life)
    else:
        data(as_dict(said.placed) | ({"run": said.run} if said.place else {}), compact=True)
