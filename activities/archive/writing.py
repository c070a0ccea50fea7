"""Writes down every call of a model, beside the run: nothing waits for the archive or fails because of it.

A call is paid for, whatever becomes of its document. So documents are made and written in the background, a bounded
number of them wait, and what cannot be kept in the end is counted and told.
"""

import asyncio
import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from temporalio import activity
from temporalio.common import MetricMeter

from activities.archive.entries import Entry, document
from activities.archive.fitting import MOST_CHARACTERS, fitted
from activities.archive.naming import Visit, name_of
from activities.archive.places import Place
from activities.blobs.encrypted import sealed
from activities.masking import Masker
from activities.providers.base import ChatRequest, EmbedRequest
from activities.threads import Threads
from orchestrator.contracts import Account, NodeCall
from orchestrator.encryption import Keys
from orchestrator.errors import OrchestratorError
from orchestrator.models import ModelInfo

__all__ = ["FAILURES", "SEALED", "Archive", "Patience"]

FAILURES: Final = "orchestrator_archive_failures"
SEALED: Final = ".sealed"
"""What the name of a document ends with that is encrypted."""
_MASKED: Final = ("request", "answer", "error")
_AT_ONCE: Final = 8
_MADE_AT_ONCE: Final = 2
"""Masking computes, and the event loop needs its turn."""
_log = logging.getLogger(__name__)

_Reason = Literal["away", "full", "stopped", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long documents wait for an archive that is away, in seconds, and how many of them, in characters too."""

    waits: tuple[float, ...] = (1.0, 4.0, 15.0, 40.0)
    """Before each further attempt to write one."""
    answer: float = 30.0
    """For which one attempt may take to be answered."""
    close: float = 5.0
    """For which the end of the worker waits."""
    documents: int = 1_000
    characters: int = 50_000_000


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is over, all that the archive has to know of it."""

    entry: Entry
    visit: Visit
    account: Account | None
    first_run_id: str
    meter: MetricMeter
    type: str
    """Of the activity, a label of what ``meter`` counts."""
    weight: int


class Archive:
    """The archive of a worker's model calls.

    Args:
        place: Where documents are kept; none: nothing is.
        masker: Takes out secrets and personal data.
        keys: Documents are encrypted with the first; none: they are not.
        patience: What waits for a place that is away, and for how long.
        most: Characters of one document.
    """

    def __init__(
        self,
        place: Place | None = None,
        masker: Masker | None = None,
        keys: Keys | None = None,
        *,
        patience: Patience | None = None,
        most: int = MOST_CHARACTERS,
    ) -> None:
        self._place, self._keys, self._most = place, keys, most
        self._masker = masker or Masker()
        self._patience = patience or Patience()
        self._threads = Threads("archive", 2 * _AT_ONCE)
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._making = asyncio.Semaphore(_MADE_AT_ONCE)
        self._writing: set[asyncio.Task[None]] = set()
        self._characters = 0
        self._closing = asyncio.Event()
        self._away = False
        self._missing = 0
        self._counting: set[str] = set()

    @contextmanager
    def recording(
        self,
        call: NodeCall,
        model: ModelInfo,
        provider: str,
        request: ChatRequest | EmbedRequest,
        *,
        streamed: bool = False,
    ) -> Generator[Entry]:
        """Keep the call of a model that is made in the block, however it ends; one that nobody was asked is none.

        Args:
            call: The visit it is for.
            model: Who is asked.
            provider: By whom.
            request: What is asked.
            streamed: Whether people may read along.
        """
        kept = self._place is not None
        entry = Entry(model=model, provider=provider, request=request, streamed=streamed, kept=kept)
        try:
            yield entry
        except BaseException as error:
            entry.error = error
            raise
        finally:
            if self._place is not None and entry.bill is not None:
                entry.ended()
                try:
                    self._take(self._place, _over(call, entry))
                except Exception as error:  # noqa: BLE001 - the call is paid for, whatever is wrong here
                    self._lost(_meter(), "broken", f"a call cannot be taken down: {type(error).__name__}")

    async def close(self) -> None:
        """Write what is left, for as long as patience has it; what is not written then is counted."""
        self._closing.set()
        if self._writing:
            await asyncio.wait(self._writing, timeout=self._patience.close)
        late = list(self._writing)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if self._missing:
            _log.warning("%d calls of models are not in the archive", self._missing)
            self._missing = 0

    def _take(self, place: Place, call: _Call) -> None:
        """Have a call written in the background, if there is room."""
        self._begin_counting(call)
        if len(self._writing) >= self._patience.documents or (
            self._writing and self._characters + call.weight > self._patience.characters
        ):
            self._lost(call.meter, "full", "too many documents wait")
            return
        # In a context of its own, or its log lines would count as those of the node that came first.
        task = asyncio.get_running_loop().create_task(self._keep(place, call), context=Context())
        self._characters += call.weight
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _keep(self, place: Place, call: _Call) -> None:
        try:
            async with self._making:
                name, content = await self._threads.call(lambda: self._made(call))
            await self._put(place, call, name, content)
        except asyncio.CancelledError:
            self._lost(call.meter, "stopped", "the worker stopped first")
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, no other document must suffer from it
            # What it says may quote the text, so only its kind is told.
            self._lost(call.meter, "broken", f"a document cannot be made: {type(error).__name__}")
        finally:
            self._characters -= call.weight

    async def _put(self, place: Place, call: _Call, name: str, content: bytes) -> None:
        reason = ""
        for wait in (*self._patience.waits, None):
            try:
                async with self._free, asyncio.timeout(self._patience.answer):
                    await self._threads.call(lambda: place.put(name, content))
            except Exception as error:  # noqa: BLE001 - of a place anything may come
                reason = error.message if isinstance(error, OrchestratorError) else type(error).__name__
                self._say_away(reason)
            else:
                # It no longer waits: where all are written at once, none may look as if the others still did.
                if (task := asyncio.current_task()) is not None:
                    self._writing.discard(task)
                self._say_back()
                return
            # Nobody waits long for a worker that stops.
            if wait is None or self._closing.is_set():
                break
            await self._rest(wait)
        self._lost(call.meter, "stopped" if self._closing.is_set() else "away", reason)

    async def _rest(self, seconds: float) -> None:
        """Wait, but no longer than the worker is there."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    def _made(self, call: _Call) -> tuple[str, bytes]:
        """The name and the content of a document."""
        raw = document(call.entry, call.visit, call.account, call.first_run_id)
        kept, counts = self._masker.masked({part: raw[part] for part in _MASKED})
        who, of_who = self._masker.masked({part: raw["run"][part] for part in ("user", "conversation")})
        names = {part: _named(self._masker, value) for part, value in raw["run"].items() if part not in who}
        kept, left_out = fitted(kept, self._most)
        whole = {
            **raw,
            "run": {**names, **who},
            **kept,
            "masked": dict(sorted((counts + of_who).items())),
            "characters_left_out": left_out,
        }
        content = json.dumps(whole, ensure_ascii=False, indent=1).encode(errors="replace")
        name = name_of(self._safe(call.visit), call.entry.at)
        return (name, content) if self._keys is None else (f"{name}{SEALED}", sealed(content, self._keys))

    def _safe(self, visit: Visit) -> Visit:
        return Visit(
            tenant=None if visit.tenant is None else self._masker.name(visit.tenant),
            workflow_id=self._masker.name(visit.workflow_id),
            run_id=visit.run_id,
            node=visit.node,
            visit=visit.visit,
            try_=visit.try_,
            attempt=visit.attempt,
            call=visit.call,
        )

    def _begin_counting(self, call: _Call) -> None:
        """Show that nothing is lost yet: in a series that begins with a loss Prometheus sees no increase."""
        if call.type not in self._counting:
            self._counting.add(call.type)
            for reason in get_args(_Reason):
                _count(call.meter, reason, 0)

    def _lost(self, meter: MetricMeter, reason: _Reason, why: str) -> None:
        self._missing += 1
        self._say_away(why)
        _count(meter, reason, 1)

    def _say_away(self, why: str) -> None:
        """Once for each time that it is away."""
        if not self._away:
            _log.warning("calls of models cannot be archived at present (%s); they go on without", why)
        self._away = True

    def _say_back(self) -> None:
        """Once it is back; where more comes than it takes, not at each document that finds a place."""
        if self._away and len(self._writing) > self._patience.documents // 2:
            return
        if self._away:
            _log.warning("calls of models are archived again; %d are missing", self._missing)
        self._away, self._missing = False, 0


def _over(call: NodeCall, entry: Entry) -> _Call:
    """What is to be kept of a visit beside the entry; its values, which may be large, are not."""
    info, account = activity.info(), call.account
    visit = Visit(
        tenant=None if account is None else account.tenant,
        workflow_id=info.workflow_id or "",
        run_id=info.workflow_run_id or "",
        node=call.node,
        visit=call.visit,
        try_=1 if account is None else account.try_,
        attempt=info.attempt,
        call=entry.number,
    )
    return _Call(entry, visit, account, call.first_run_id, activity.metric_meter(), info.activity_type, entry.weight)


def _meter() -> MetricMeter:
    return activity.metric_meter() if activity.in_activity() else MetricMeter.noop


def _count(meter: MetricMeter, reason: _Reason, times: int) -> None:
    counter = meter.create_counter(FAILURES, "Calls of models that are not in the archive")
    counter.add(times, {"reason": reason})


def _named(masker: Masker, value: Any) -> Any:
    return masker.name(value) if isinstance(value, str) else value
