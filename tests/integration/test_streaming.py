"""What a worker's nodes put into the log, whatever the log does: the model call never waits for it, and never fails."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities import streaming
from activities.streaming import Sink, Streams
from orchestrator.contracts import NodeCall
from orchestrator.errors import StorageUnavailableError, StreamSupersededError
from storage.streams import Finished, Lost, Piece, Record, StreamKey, TokenLog, Transcript
from tests.integration.streaming import Place, a_place, a_run, all_of, lose, texts

WORDS = ["Once ", "upon ", "a ", "time"]
TEXT = "".join(WORDS)
BEGUN = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass
class Troubled:
    """A log that somebody can take away, slow down, or have refuse what one node writes."""

    inner: TokenLog
    away: bool = False
    slow_s: float = 0.0
    poison: str | None = None
    forgets_to_answer: int = 0
    batches: list[int] = field(default_factory=list[int])
    trimmed: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, key: StreamKey, *, rank: int) -> int:
        await self._trouble()
        return await self.inner.open(key, rank=rank)

    async def append(self, pieces: Sequence[Piece]) -> Sequence[bool | None]:
        await self._trouble()
        if any(piece.key.node == self.poison for piece in pieces):
            raise StorageUnavailableError("refused")
        self.batches.append(len(pieces))
        taken = await self.inner.append(pieces)
        if self.forgets_to_answer:
            self.forgets_to_answer -= 1
            raise StorageUnavailableError("the connection broke")
        return taken

    async def _trouble(self) -> None:
        await asyncio.sleep(self.slow_s)
        if self.away:
            raise StorageUnavailableError("away")

    def read(self, run: str, *, after: int = 0, until: asyncio.Event | None = None) -> AsyncGenerator[Record]:
        return self.inner.read(run, after=after, until=until)

    async def trim(self) -> int:
        self.trimmed.set()
        await self._trouble()
        return await self.inner.trim()


@pytest.fixture(params=["sqlite", "redis"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Place]:
    async with a_place(request.param, tmp_path) as found:
        yield found


@pytest.fixture
async def log(place: Place) -> AsyncGenerator[Troubled]:
    async with place.log() as opened:
        yield Troubled(opened)


@pytest.fixture
async def streams(log: Troubled) -> AsyncGenerator[Streams]:
    @asynccontextmanager
    async def opening() -> AsyncGenerator[TokenLog]:
        if log.away:
            raise StorageUnavailableError("away")
        yield log

    found = Streams(opening, flush_s=0.01)
    try:
        yield found
    finally:
        await found.close()


def call(run: str, node: str = "answer", visit: int = 1) -> NodeCall:
    return NodeCall(node=node, visit=visit, type="ModelInvoke", config={}, first_run_id=run)


async def attempt(work: Callable[[], Awaitable[None]], number: int = 1) -> None:
    """Do something as an attempt of an activity would."""

    async def main() -> None:
        await work()

    environment = ActivityEnvironment()
    scheduled = BEGUN + timedelta(seconds=number)
    environment.info = replace(environment.info, attempt=number, current_attempt_scheduled_time=scheduled)
    await environment.run(main)


async def say(streams: Streams, node_call: NodeCall, words: Sequence[str] = WORDS, between_s: float = 0.0) -> None:
    async with streams.writing(node_call) as sink:
        for word in words:
            await sink.write(word)
            await asyncio.sleep(between_s)


async def ends(log: TokenLog, run: str, patience_s: float = 10.0) -> list[Record]:
    """The records of a run, once a text of it has ended."""
    async with asyncio.timeout(patience_s):
        found: list[Record] = []
        async for record in log.read(run):
            found.append(record)
            if isinstance(record, Finished):
                return found
    raise AssertionError("it does not end by itself")


async def test_when_a_node_is_done_all_of_its_text_is_there(streams: Streams, log: Troubled) -> None:
    run = a_run()
    await attempt(lambda: say(streams, call(run), between_s=0.02))

    records = await all_of(log, run)
    assert texts(records) == {("answer", 1): TEXT}
    assert [record.reason for record in records if isinstance(record, Finished)] == ["stop"]


async def test_the_reason_is_what_the_provider_says(streams: Streams, log: Troubled) -> None:
    run = a_run()

    async def work() -> None:
        async with streams.writing(call(run)) as sink:
            await sink.write("Once")
            sink.reason = "length"

    await attempt(work)
    assert [record.reason for record in await all_of(log, run) if isinstance(record, Finished)] == ["length"]


async def test_a_node_that_fails_ends_its_text_so(streams: Streams, log: Troubled) -> None:
    run = a_run()

    async def work() -> None:
        async with streams.writing(call(run)) as sink:
            await sink.write("Once")
            raise KeyError("x")

    with pytest.raises(KeyError):
        await attempt(work)
    end = (await ends(log, run))[-1]
    assert isinstance(end, Finished)
    assert end.reason == "failed"


async def test_a_zombie_learns_that_it_is_dead_and_nothing_more_of_it_is_shown(streams: Streams, log: Troubled) -> None:
    run, begun = a_run(), asyncio.Event()

    async def zombie() -> None:
        async with streams.writing(call(run)) as sink:
            await sink.write("Twice ")
            async with aclosing(log.read(run)) as shown:
                await anext(shown)
            begun.set()
            for _ in range(500):
                await asyncio.sleep(0.01)
                await sink.write("more ")

    dying = asyncio.create_task(attempt(zombie))
    await begun.wait()
    await attempt(lambda: say(streams, call(run)), number=2)

    with pytest.raises(StreamSupersededError):
        await dying
    assert texts(await all_of(log, run)) == {("answer", 1): TEXT}


async def test_a_zombie_that_begins_late_takes_nothing_over(streams: Streams, log: Troubled) -> None:
    run = a_run()
    await attempt(lambda: say(streams, call(run)), number=2)

    with pytest.raises(StreamSupersededError):
        await attempt(lambda: say(streams, call(run), ["late "] * 100, between_s=0.02), number=1)
    assert texts(await all_of(log, run)) == {("answer", 1): TEXT}


async def test_within_an_attempt_a_second_text_replaces_the_first(streams: Streams, log: Troubled) -> None:
    run = a_run()

    async def work() -> None:
        await say(streams, call(run), ["no JSON"])
        await say(streams, call(run), ["{}"])

    await attempt(work)
    assert texts(await all_of(log, run)) == {("answer", 1): "{}"}


async def test_the_texts_of_a_worker_are_written_together(streams: Streams, log: Troubled) -> None:
    runs = [a_run() for _ in range(30)]
    await asyncio.gather(*(attempt(lambda run=run: say(streams, call(run), WORDS * 5, 0.005)) for run in runs))

    for run in runs:
        assert texts(await all_of(log, run)) == {("answer", 1): TEXT * 5}
    assert max(log.batches) >= 15
    assert len(log.batches) < sum(log.batches) / 4


async def test_without_a_log_models_write_all_the_same(caplog: pytest.LogCaptureFixture, log: Troubled) -> None:
    @asynccontextmanager
    async def opening() -> AsyncGenerator[TokenLog]:
        raise StorageUnavailableError("away")
        yield log

    streams = Streams(opening, flush_s=0.01)
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "activities.streaming"):
        for number in range(5):
            await attempt(lambda number=number: say(streams, call(a_run(), f"n{number}"), between_s=0.01))
    took = time.monotonic() - began
    await streams.close()

    # Once it is known to be away, nobody waits for it.
    assert took < streaming._FINISH_S + 1  # pyright: ignore[reportPrivateUsage]
    assert [record.getMessage() for record in caplog.records] == [
        "what models write cannot be shown at present (away); they go on without"
    ]


async def test_what_was_written_while_the_log_was_away_is_there_when_it_is_back(
    streams: Streams, log: Troubled
) -> None:
    run = a_run()

    async def work() -> None:
        async with streams.writing(call(run)) as sink:
            await sink.write("Once ")
            await asyncio.sleep(0.1)
            log.away = True
            for word in WORDS[1:]:
                await sink.write(word)
                await asyncio.sleep(0.05)

    await attempt(work)
    log.away = False
    assert texts(await ends(log, run)) == {("answer", 1): TEXT}


async def test_a_broken_connection_repeats_no_text(streams: Streams, log: Troubled) -> None:
    run = a_run()

    async def work() -> None:
        async with streams.writing(call(run)) as sink:
            for number, word in enumerate(WORDS * 5):
                await sink.write(word)
                await asyncio.sleep(0.02)
                if number == 3:
                    log.forgets_to_answer = 2

    await attempt(work)
    assert texts(await ends(log, run)) == {("answer", 1): TEXT * 5}


async def test_a_slow_log_holds_a_node_up_no_longer_than_promised(
    streams: Streams, log: Troubled, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run()
    monkeypatch.setattr(streaming, "_FINISH_S", 0.3)
    log.slow_s = 1.5
    began = time.monotonic()
    await attempt(lambda: say(streams, call(run)))

    assert time.monotonic() - began < 1.4
    assert texts(await ends(log, run)) == {("answer", 1): TEXT}


async def test_what_the_log_does_not_take_keeps_nobody_else_from_it(
    streams: Streams, log: Troubled, caplog: pytest.LogCaptureFixture
) -> None:
    run = a_run()
    log.poison = "poison"
    with caplog.at_level(logging.WARNING, "activities.streaming"):
        await asyncio.gather(
            attempt(lambda: say(streams, call(run, "poison"), WORDS * 30, between_s=0.02)),
            attempt(lambda: say(streams, call(run), WORDS * 20, between_s=0.02)),
        )

    assert texts(await ends(log, run)) == {("answer", 1): TEXT * 20}
    # Once it is clear whose fault it is, the others are held up no longer.
    assert len(log.batches) > 5
    assert caplog.messages[-1] == "the text of poison cannot be shown: refused"


async def test_a_text_too_long_to_wait_is_given_up_and_says_so(
    streams: Streams, log: Troubled, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run()
    monkeypatch.setattr(streaming, "_MOST_WAITING", 20)

    async def work() -> None:
        async with streams.writing(call(run)) as sink:
            await sink.write("Once ")
            await asyncio.sleep(0.1)
            log.away = True
            await sink.write("upon ")
            await asyncio.sleep(0.1)
            for _ in range(20):
                await sink.write("and on ")

    await attempt(work)
    log.away = False
    records = await ends(log, run)
    transcript = Transcript()
    assert texts(records, transcript)["answer", 1] in {"Once ", "Once upon "}
    assert transcript["answer", 1].ending == "incomplete"


async def test_a_worker_that_writes_drops_what_is_old_again_and_again(log: Troubled) -> None:
    @asynccontextmanager
    async def opening() -> AsyncGenerator[TokenLog]:
        yield log

    run, streams = a_run(), Streams(opening, flush_s=0.01, trim_s=0.02)
    await attempt(lambda: say(streams, call(run)))
    for away in (False, True, False):
        log.away = away
        log.trimmed.clear()
        await asyncio.wait_for(log.trimmed.wait(), 5)
    await streams.close()

    assert texts(await all_of(log, run)) == {("answer", 1): TEXT}


async def test_without_streams_a_sink_takes_everything_and_keeps_nothing() -> None:
    streams = Streams()
    sinks: list[Sink] = []

    async def work() -> None:
        async with streams.writing(call(a_run())) as sink:
            for word in WORDS:
                await sink.write(word)
            sinks.append(sink)

    await attempt(work)
    await streams.close()
    assert sinks[0].piece() is None


async def test_closing_that_is_cancelled_closes_the_log_and_stays_cancelled(log: Troubled) -> None:
    sent, told, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(Troubled):
        async def append(self, pieces: Sequence[Piece]) -> Sequence[bool | None]:
            sent.set()
            try:
                return await asyncio.Event().wait() and [True] * len(pieces)
            except asyncio.CancelledError:
                told.set()
                await asyncio.Event().wait()
                raise

    @asynccontextmanager
    async def opening() -> AsyncGenerator[TokenLog]:
        yield Slow(log.inner)
        closed.set()

    streams = Streams(opening, flush_s=0.01)
    over = asyncio.Event()

    async def work() -> None:
        async with streams.writing(call(a_run())) as sink:
            await sink.write("Once ")
            await over.wait()
            # There is no log any more that it could wait for.
            sink.done.set()

    writing = asyncio.create_task(attempt(work))
    await sent.wait()
    closing = asyncio.create_task(streams.close())
    await told.wait()
    closing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await closing
    assert closed.is_set()
    over.set()
    await writing


async def test_a_node_that_is_cancelled_just_when_its_text_has_arrived_is_cancelled(
    streams: Streams, log: Troubled
) -> None:
    log.slow_s = 60
    ending, tasks, sinks = asyncio.Event(), list[asyncio.Task[None] | None](), list[Sink]()

    async def work() -> None:
        tasks.append(asyncio.current_task())
        async with streams.writing(call(a_run())) as sink:
            sinks.append(sink)
            await sink.write("Once ")
            asyncio.get_running_loop().call_soon(ending.set)
        # Still here only where nobody was told to end.
        raise AssertionError("the node went on")

    writing = asyncio.create_task(attempt(work))
    await ending.wait()
    sinks[0].done.set()
    assert tasks[0] is not None
    tasks[0].cancel()

    with pytest.raises(asyncio.CancelledError):
        await writing


async def test_a_log_that_loses_what_it_had_ends_the_text_and_not_the_model_call(
    streams: Streams, log: Troubled, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    run = a_run()
    seen: list[Record] = []

    async def work() -> None:
        async with streams.writing(call(run)) as sink, aclosing(log.read(run)) as shown:
            await sink.write("Once ")
            seen.append(await anext(shown))
            await lose(place, run)
            for word in WORDS * 5:
                await sink.write(word)
                await asyncio.sleep(0.02)

    with caplog.at_level(logging.WARNING, "activities.streaming"):
        await attempt(work)

    assert "the text of answer is not shown to its end: the log of streams has lost what it had" in caplog.messages
    lost, end = await all_of(log, run, after=seen[-1].id)
    assert (lost.id, type(lost)) == (end.id - 1, Lost)
    assert isinstance(end, Finished)
    assert end.reason == "incomplete"
    # Another attempt writes the whole of it.
    await attempt(lambda: say(streams, call(run)), number=2)
    assert texts([*seen, *await all_of(log, run, after=seen[-1].id)]) == {("answer", 1): TEXT}
