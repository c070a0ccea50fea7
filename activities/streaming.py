"""Puts what models write beside history as they write it, so that people can read along; see docs/streaming.md.

A model call is paid for and its text is in the result in any case. So nothing here waits for the log or fails because
of it: text is collected, written in batches for all streams of the worker together, and dropped where the log stays
away.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from contextvars import Context
from typing import Any

from temporalio import activity

from activities.sealed_streams import SealedLog
from orchestrator.contracts import NodeCall
from orchestrator.encryption import keys_of
from orchestrator.errors import OrchestratorError, StreamSupersededError
from orchestrator.settings import Settings
from orchestrator.stopping import stop
from storage.streams import Keeping, Piece, StreamKey, TokenLog, open_token_log

__all__ = ["Sink", "Streams", "token_log"]

_MOST_WAITING = 1_000_000
"""Characters of one stream that wait for the log; with more, the stream is given up."""
_FINISH_S = 2.0
"""The most that the end of a text waits for the log."""
_ANSWER_S = 5.0
"""How long the log may take to answer."""
_AFTERWARDS_S = 60.0
"""How long a text that has ended is kept for a log that is away."""
_REFUSALS = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 5.0
_log = logging.getLogger(__name__)


class Sink:
    """Takes the text of one attempt, piece by piece.

    Args:
        key: The visit.
        rank: Of the attempt; a later one has a higher rank.
        changed: Called when there is something to write.
    """

    def __init__(self, key: StreamKey, rank: int, changed: Callable[[], None]) -> None:
        self.key = key
        self.rank = rank
        self.reason = "stop"
        """Why the text will have ended, if it ends well."""
        self.generation: int | None = None
        self.done = asyncio.Event()
        self.ended_at: float | None = None
        self._changed = changed
        self._ending: str | None = None
        self._waiting: list[str] = []
        self._size = 0
        self._offset = 0
        self._under_way: Piece | None = None
        self._superseded = False
        self._refusals = 0

    async def write(self, text: str) -> None:
        """Take what the model has written; never waits.

        Raises:
            StreamSupersededError: A newer attempt writes this text: whatever this one does is for nothing.
        """
        if self._superseded:
            raise StreamSupersededError(f"a newer attempt writes the text of {self.key.node}#{self.key.visit}")
        if self.done.is_set() or self._ending is not None or not text:
            return
        self._waiting.append(text)
        self._size += len(text)
        if self._size > _MOST_WAITING:
            self.give_up()
        self._changed()

    def end(self, reason: str) -> None:
        """Say that nothing more comes."""
        self.ended_at = time.monotonic()
        if self._ending is None:
            self._ending = reason
        self._changed()

    def give_up(self, why: str = "is away") -> None:
        """Forget what waits; the log says that the text is incomplete, once it can."""
        _log.warning("the text of %s is not shown to its end: the log of streams %s", self.key.node, why)
        self._waiting, self._size, self._ending = [], 0, "incomplete"

    def refuse(self, problem: BaseException) -> None:
        """Note that the log takes the others' text and not this one; in the end it is given up."""
        self._refusals += 1
        if self._refusals == _REFUSALS:
            _log.warning("the text of %s cannot be shown: %s", self.key.node, problem)
            self.done.set()

    def supersede(self) -> None:
        """Take nothing more: a newer attempt writes."""
        self._superseded = True
        self.done.set()

    def piece(self) -> Piece | None:
        """What is to be sent; the same again until it is known to have arrived."""
        if self._under_way is None and self.generation is not None and (self._waiting or self._ending is not None):
            self._under_way = Piece(
                key=self.key,
                generation=self.generation,
                offset=self._offset,
                text="".join(self._waiting),
                ending=self._ending,
            )
            self._waiting, self._size = [], 0
        return self._under_way

    def arrived(self, *, taken: bool | None) -> None:
        """What was sent has arrived; none: the log has lost what came before it."""
        sent, self._under_way = self._under_way, None
        if sent is None:
            return
        if taken is None:
            # Begun anew just to be ended: what comes after a gap is no beginning of the text.
            self.generation, self._offset = None, 0
            self.give_up("has lost what it had")
            return
        if not taken:
            self.supersede()
            return
        self._offset += len(sent.text)
        if sent.ending is not None:
            self.done.set()

    @property
    def over(self) -> bool:
        """Whether nothing more is to be done for it."""
        late = self.ended_at is not None and time.monotonic() - self.ended_at > _AFTERWARDS_S
        return late or self.done.is_set()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to send at present."""
        return self.generation is not None and not self._waiting and self._ending is None and self._under_way is None


class Streams:
    """The streams of a worker.

    Args:
        opening: Opens the log, when there is first something to write; none: nothing is written.
        flush_s: Seconds for which text is collected.
        trim_s: Seconds between two times that old text is dropped.
    """

    def __init__(
        self,
        opening: Callable[[], AbstractAsyncContextManager[TokenLog]] | None = None,
        *,
        flush_s: float = 0.025,
        trim_s: float = 3_600.0,
    ) -> None:
        self._opening = opening
        self._flush_s, self._trim_s = flush_s, trim_s
        self._stack = AsyncExitStack()
        self._log: TokenLog | None = None
        self._sinks: dict[Sink, None] = {}
        self._something = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None
        self._trimming: asyncio.Task[None] | None = None
        self._failures = 0

    @asynccontextmanager
    async def writing(self, call: NodeCall) -> AsyncGenerator[Sink]:
        """Begin the text of a visit, in place of what an earlier attempt has shown; it ends with the block.

        Within one attempt each further block begins the text anew. Where the block fails, the text ends as ``failed``.

        Args:
            call: The visit.
        """
        key = StreamKey(call.first_run_id, call.node, call.visit)
        if self._opening is None:
            sink = Sink(key, 0, self._something.set)
            sink.done.set()
            yield sink
            return
        # By the server's clock each attempt is later than those before it, also after a retry by hand or a reset.
        began = activity.info().current_attempt_scheduled_time
        sink = Sink(key, round(began.timestamp() * 1_000_000), self._something.set)
        self._sinks[sink] = None
        self._something.set()
        if self._flushing is None or self._flushing.done():
            # It outlives the node that happens to be the first.
            self._flushing = asyncio.create_task(self._flush_always(), context=Context())
        try:
            yield sink
        except BaseException:
            sink.end("failed")
            raise
        sink.end(sink.reason)
        # So that whoever has the result finds all of the text; where the log is known to be away, nobody waits for it.
        if not self._failures:
            await _at_most(_FINISH_S, sink.done.wait())

    async def close(self) -> None:
        """Write what is left, if the log takes it, and close it."""
        try:
            if not self._failures:
                ended = [sink.done.wait() for sink in self._sinks if sink.ended_at is not None]
                await _at_most(_FINISH_S, asyncio.gather(*ended))
        finally:
            # Also where whoever closes it is cancelled: what holds connections must not be left behind.
            try:
                await stop(self._flushing, self._trimming)
            finally:
                self._log = None
                await self._stack.aclose()

    async def _flush_always(self) -> None:
        while True:
            await self._something.wait()
            await asyncio.sleep(self._flush_s)
            self._something.clear()
            try:
                await self._flush()
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the streams of all nodes
                await self._rest(error)
            else:
                self._failures = 0
            self._sinks = {sink: None for sink in self._sinks if not sink.over}

    async def _rest(self, error: Exception) -> None:
        """Leave the log alone for a while; said once."""
        if not self._failures:
            reason = error.message if isinstance(error, OrchestratorError) else type(error).__name__
            _log.warning("what models write cannot be shown at present (%s); they go on without", reason)
        wait = min(_FIRST_WAIT_S * 2**self._failures, _LONGEST_WAIT_S)
        self._failures = min(self._failures + 1, 16)
        await asyncio.sleep(wait)
        self._something.set()

    async def _flush(self) -> None:
        log = self._log or await self._opened()
        busy = [sink for sink in self._sinks if not sink.over and not sink.idle]
        async with asyncio.timeout(_ANSWER_S):
            # After a failure one by one: what the log does not take must not keep it from the others.
            groups = [[sink] for sink in busy] if self._failures else [busy]
            problems = await asyncio.gather(*(self._send(log, group) for group in groups), return_exceptions=True)
        failed = [(sinks, problem) for sinks, problem in zip(groups, problems, strict=True) if problem is not None]
        if len(failed) == len(groups) and failed:
            raise failed[0][1]
        for sinks, problem in failed:
            sinks[0].refuse(problem)
        if any(not sink.idle for sink in self._sinks if not sink.over):
            self._something.set()

    async def _send(self, log: TokenLog, sinks: Sequence[Sink]) -> None:
        """Begin what has not begun, and send what there is."""
        await _all_of([self._begin(log, sink) for sink in sinks if sink.generation is None])
        ready = [(sink, piece) for sink in sinks if not sink.over and (piece := sink.piece())]
        taken = await log.append([piece for _, piece in ready])
        for (sink, _), ok in zip(ready, taken, strict=True):
            sink.arrived(taken=ok)

    async def _begin(self, log: TokenLog, sink: Sink) -> None:
        try:
            sink.generation = await log.open(sink.key, rank=sink.rank)
        except StreamSupersededError:
            sink.supersede()

    async def _opened(self) -> TokenLog:
        if self._opening is None:
            raise RuntimeError("there is no log to open")
        self._log = log = await self._stack.enter_async_context(self._opening())
        self._trimming = asyncio.create_task(self._trim_always(log))
        return log

    async def _trim_always(self, log: TokenLog) -> None:
        while True:
            try:
                if gone := await log.trim():
                    _log.info("dropped %d records of old token streams", gone)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next time may be better
                _log.warning("old token streams could not be dropped: %s", error)
            # Workers that were started together need not do it together.
            await asyncio.sleep(self._trim_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load; nothing secret


@asynccontextmanager
async def token_log(settings: Settings) -> AsyncGenerator[TokenLog]:
    """The log that the settings name, encrypted if they give keys; open while the context lasts.

    Raises:
        SettingsError: An address cannot be used, or a key is wrong.
        StorageUnavailableError: It cannot be reached.
    """
    keys = keys_of(settings)
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    keeping = Keeping(seconds=settings.stream_keep, run_bytes=settings.stream_run_bytes)
    async with open_token_log(settings.storage_address, redis, keeping) as log:
        yield SealedLog(log, keys)


async def _at_most(seconds: float, work: Awaitable[object]) -> None:
    """Wait for something, but no longer than that.

    ``asyncio.wait_for`` would not do: where the work ends just when whoever waits is cancelled, it loses the latter.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work


async def _all_of(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all of it, and then say what failed."""
    for problem in await asyncio.gather(*work, return_exceptions=True):
        if problem is not None:
            raise problem
