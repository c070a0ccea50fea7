"""The log of token streams, the same wherever it is: order, fence, supersession, resuming, trimming."""

import asyncio
import multiprocessing
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import RequestError, SettingsError, StorageUnavailableError, StreamSupersededError
from storage.streams import (
    Delta,
    Finished,
    Keeping,
    Lost,
    Piece,
    Record,
    StreamKey,
    Superseded,
    TokenLog,
    Transcript,
    database,
    following,
    in_redis,
    open_token_log,
)
from tests.integration.streaming import KINDS, Place, a_place, a_run, a_writer, all_of, lose, texts

WORDS = ["Once ", "upon ", "a ", "time ", "🦊 ", "war ", "ein ", "König."]
TEXT = "".join(WORDS)
ANSWER = ("answer", 1)


@pytest.fixture(params=KINDS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Place]:
    async with a_place(request.param, tmp_path) as found:
        yield found


@pytest.fixture
async def log(place: Place) -> AsyncGenerator[TokenLog]:
    async with place.log() as opened:
        yield opened


def steps(records: list[Record]) -> list[int]:
    """By how much each id is above that of the record before it."""
    ids = [record.id for record in records]
    return [later - earlier for earlier, later in pairwise(ids)]


async def test_a_reader_gets_what_was_written_in_its_order_with_ids_one_apart(log: TokenLog) -> None:
    run = a_run()
    writer = await a_writer(log, run)
    for word in WORDS:
        assert await writer.add(word)
    assert await writer.add(ending="stop")

    records = await all_of(log, run)
    assert [record.text for record in records if isinstance(record, Delta)] == WORDS
    assert steps(records) == [1] * len(WORDS)
    end = records[-1]
    assert end == Finished(id=end.id, node="answer", visit=1, generation=1, reason="stop")
    assert texts(records) == {ANSWER: TEXT}


async def test_a_reader_who_was_there_before_gets_it_as_it_comes(log: TokenLog) -> None:
    run, over = a_run(), asyncio.Event()
    seen: asyncio.Queue[Record] = asyncio.Queue()

    async def read() -> None:
        async for record in log.read(run, until=over):
            seen.put_nowait(record)

    reading = asyncio.create_task(read())
    writer = await a_writer(log, run)
    for word in WORDS:
        await writer.add(word)
        record = await asyncio.wait_for(seen.get(), 5)
        assert isinstance(record, Delta)
        assert record.text == word
    await writer.add("the end", "stop")
    over.set()
    await asyncio.wait_for(reading, 5)
    assert [type(seen.get_nowait()) for _ in range(seen.qsize())] == [Delta, Finished]


async def test_a_reader_that_was_cut_off_anywhere_misses_and_repeats_nothing(log: TokenLog) -> None:
    run = a_run()
    for rank in (1, 2):
        writer, other = await a_writer(log, run, rank=rank), await a_writer(log, run, "other", rank=rank)
        for word in WORDS[:3] if rank == 1 else WORDS:
            await writer.add(word)
            await other.add(word.upper())
    await writer.add(ending="stop")
    whole = await all_of(log, run)

    for number, record in enumerate(whole):
        rest = await all_of(log, run, after=record.id)
        assert rest == whole[number + 1 :]
        transcript = Transcript()
        texts(whole[: number + 1], transcript)
        assert texts(rest, transcript) == {ANSWER: TEXT, ("other", 1): TEXT.upper()}


async def test_many_who_write_for_one_run_at_once_are_read_in_the_order_of_the_ids(log: TokenLog, place: Place) -> None:
    run, over, begun = a_run(), asyncio.Event(), asyncio.Event()

    async def write(number: int) -> None:
        async with place.log() if number % 10 == 0 else borrowed(log) as mine:
            writer = await a_writer(mine, run, f"n{number}")
            await begun.wait()
            for word in WORDS:
                assert await writer.add(word)
            assert await writer.add(ending="stop")

    async def read() -> list[Record]:
        return [record async for record in log.read(run, until=over)]

    readers = [asyncio.create_task(read()) for _ in range(3)]
    writers = [asyncio.create_task(write(number)) for number in range(20)]
    await asyncio.sleep(0.2)
    begun.set()
    await asyncio.gather(*writers)
    over.set()
    first, *others = await asyncio.gather(*readers)

    assert others == [first, first]
    assert steps(first) == [1] * (20 * (len(WORDS) + 1) - 1)
    assert texts(first) == {(f"n{number}", 1): TEXT for number in range(20)}


class borrowed:  # noqa: N801 - reads as the phrase it is
    """A log that somebody else closes."""

    def __init__(self, log: TokenLog) -> None:
        self._log = log

    async def __aenter__(self) -> TokenLog:
        return self._log

    async def __aexit__(self, *_error: object) -> None:
        return


async def test_a_new_attempt_supersedes_the_old_one_and_nothing_more_of_that_is_taken(log: TokenLog) -> None:
    run = a_run()
    zombie = await a_writer(log, run, rank=1)
    await zombie.add("Twice upon ")
    writer = await a_writer(log, run, rank=2)

    assert await writer.add(TEXT[:11])
    # It would fit: just as much was written by both.
    assert zombie.written == writer.written
    assert not await zombie.add("a time")
    assert await writer.add(TEXT[11:], "stop")
    assert not await zombie.add(ending="stop")

    records = await all_of(log, run)
    assert [type(record) for record in records] == [Delta, Superseded, Delta, Delta, Finished]
    assert (zombie.generation, writer.generation) == (1, 2)
    assert texts(records) == {ANSWER: TEXT}
    assert texts(records[:2]) == {}


async def test_an_attempt_that_comes_too_late_cannot_take_over(log: TokenLog) -> None:
    run = a_run()
    writer = await a_writer(log, run, rank=2)

    with pytest.raises(StreamSupersededError, match=r"answer#1"):
        await a_writer(log, run, rank=1)

    assert await writer.add(TEXT, "stop")
    assert texts(await all_of(log, run)) == {ANSWER: TEXT}


async def test_an_attempt_may_begin_its_text_anew(log: TokenLog) -> None:
    run = a_run()
    first = await a_writer(log, run, rank=5)
    await first.add("not the schema", "stop")
    second = await a_writer(log, run, rank=5)
    await second.add("{}", "stop")

    assert texts(await all_of(log, run)) == {ANSWER: "{}"}


async def test_visits_and_nodes_do_not_concern_each_other(log: TokenLog) -> None:
    run = a_run()
    for node, visit in (("answer", 1), ("answer", 2), ("items[3].answer", 1)):
        await (await a_writer(log, run, node, visit=visit)).add(f"{node}{visit}", "stop")

    records = await all_of(log, run)
    assert not [record for record in records if isinstance(record, Superseded)]
    assert texts(records) == {
        ("answer", 1): "answer1",
        ("answer", 2): "answer2",
        ("items[3].answer", 1): "items[3].answer1",
    }


async def test_a_piece_that_is_sent_again_counts_once(log: TokenLog) -> None:
    run = a_run()
    writer = await a_writer(log, run)
    pieces = [
        Piece(key=writer.key, generation=1, offset=0, text="Once 🦊 "),
        Piece(key=writer.key, generation=1, offset=7, text="upon", ending="stop"),
    ]
    for piece in (pieces[0], pieces[0], pieces[1], pieces[1]):
        assert await log.append([piece]) == [True]

    records = await all_of(log, run)
    assert [type(record) for record in records] == [Delta, Delta, Finished]
    assert texts(records) == {ANSWER: "Once 🦊 upon"}


async def test_what_has_ended_or_never_began_takes_nothing_more(log: TokenLog) -> None:
    run = a_run()
    writer = await a_writer(log, run)
    await writer.add("all", "stop")

    assert not await writer.add(" and more")
    assert await log.append([Piece(key=StreamKey(run, "other"), generation=1, offset=0, text="x")]) == [None]
    assert await log.append([]) == []
    assert texts(await all_of(log, run)) == {ANSWER: "all"}


async def test_a_batch_has_many_streams_of_many_runs_and_some_may_be_refused(log: TokenLog) -> None:
    runs = [a_run() for _ in range(5)]
    writers = [await a_writer(log, run, f"n{number}") for run in runs for number in range(4)]
    dead = writers[7].key
    await log.open(dead, rank=9)

    taken = await log.append(
        [Piece(key=writer.key, generation=1, offset=0, text=writer.key.node) for writer in writers]
    )

    assert taken == [writer.key != dead for writer in writers]
    for run in runs:
        assert texts(await all_of(log, run)) == {
            (f"n{number}", 1): f"n{number}" for number in range(4) if StreamKey(run, f"n{number}") != dead
        }


async def test_odd_characters_neither_break_a_stream_nor_shift_it(log: TokenLog) -> None:
    run = a_run()
    writer = await a_writer(log, run, 'a node\'s "name" {x}#1')
    assert await writer.add("zero \0 half \ud83d ")
    assert await writer.add("line\r\n\t\x1b[31m e\u0301 \u2028", "stop")

    (text,) = texts(await all_of(log, run)).values()
    assert text == "zero \ufffd half ? line\r\n\t\x1b[31m e\u0301 \u2028"


async def test_a_reader_of_a_run_without_text_waits_and_ends_when_told(log: TokenLog) -> None:
    over = asyncio.Event()
    reading = asyncio.ensure_future(anext(log.read(a_run(), until=over), None))

    await asyncio.sleep(0.3)
    assert not reading.done()
    over.set()
    assert await asyncio.wait_for(reading, 5) is None


async def test_an_id_that_the_run_has_not_come_to_is_refused(log: TokenLog) -> None:
    run = a_run()
    writer = await a_writer(log, run)
    await writer.add("Once")
    (record,) = await all_of(log, run)

    with pytest.raises(RequestError, match=rf"no record {record.id + 1}; its last one is {record.id}"):
        await all_of(log, run, after=record.id + 1)


async def test_an_id_of_a_log_that_was_lost_is_said_to_be_lost(log: TokenLog) -> None:
    run = a_run()
    assert await all_of(log, run, after=1_700_000_000_000_000) == [Lost(id=1_700_000_000_000_000)]

    writer = await a_writer(log, run)
    await writer.add("Once")
    lost, delta = await all_of(log, run, after=1_700_000_000_000_000)
    assert lost == Lost(id=delta.id - 1)


async def test_an_id_of_an_earlier_run_misses_nothing_of_this_one(log: TokenLog) -> None:
    earlier, run = a_run(), a_run()
    await (await a_writer(log, earlier)).add("Twice", "stop")
    (*_, last) = await all_of(log, earlier)
    writer = await a_writer(log, run)
    await writer.add("Once", "stop")
    whole = await all_of(log, run)

    assert await all_of(log, run, after=last.id) == [Lost(id=whole[0].id - 1), *whole]


async def test_of_a_trimmed_log_a_reader_of_any_id_gets_all_that_is_left_and_is_told_what_is_not(place: Place) -> None:
    run = a_run()
    async with place.log(Keeping(run_bytes=600)) as log:
        ids: list[int] = []
        for rank in range(1, 6):
            # Each attempt supersedes the one before, in the middle of what is trimmed and of what is left.
            for node in ("answer", "other"):
                writer = await a_writer(log, run, node, rank=rank)
                await writer.add(f"{rank}" * 50)
                await writer.add(f"{node}{rank}", "stop")
                ids += [record.id for record in await all_of(log, run)]
        lost, *left = await all_of(log, run)
        assert isinstance(lost, Lost)
        assert any(isinstance(record, Superseded) for record in left)
        assert steps(left) == [1] * (len(left) - 1)

        for number in range(min(ids) - 1, max(ids) + 1):
            rest = await all_of(log, run, after=number)
            told = [] if number >= lost.id else [lost]
            assert rest == [*told, *(record for record in left if record.id > number)]
            # Who had some of what superseded attempts said has nothing of it in the end.
            assert {text[50:] for text in texts([*left[: number - lost.id], *rest]).values()} <= {"answer5", "other5"}


@pytest.mark.parametrize("part", ["run", "streams", "records"])
async def test_a_key_that_redis_drops_alone_is_lost_text_and_nothing_worse(tmp_path: Path, part: str) -> None:
    run = a_run()
    async with a_place("redis", tmp_path) as place, place.log() as log:
        writer = await a_writer(log, run)
        await writer.add("Once ")
        before = await all_of(log, run)
        await lose(place, run, part)

        # Where the text is known, it goes on; else whoever writes it has to begin anew.
        known = part == "records"
        assert await writer.add("upon") is (True if known else None)
        again = await a_writer(log, run, rank=2)
        await again.add("Once upon a time", "stop")
        after = await all_of(log, run, after=before[-1].id)
        assert texts([*before, *after]) == {ANSWER: "Once upon a time"}
        assert isinstance(after[0], Lost) is (part == "run")
        assert [record.id for record in after] == sorted(record.id for record in after)


async def test_readers_who_stop_in_the_middle_hold_nothing_that_others_need(place: Place) -> None:
    run, over = a_run(), asyncio.Event()
    async with place.log() as log:
        writer = await a_writer(log, run)
        await writer.add("Once ")
        # More than the log has connections, each of which has got something and asks for no more.
        stopped = [log.read(run) for _ in range(60)]
        assert {(await anext(reader)).id for reader in stopped} == {(await all_of(log, run))[0].id}
        async with asyncio.timeout(10):
            assert await writer.add("upon a time", "stop")
            over.set()
            assert texts([record async for record in log.read(run, until=over)]) == {ANSWER: "Once upon a time"}
        for reader in stopped:
            await reader.aclose()


async def test_what_is_trimmed_by_size_is_told_to_whoever_missed_it(place: Place) -> None:
    run = a_run()
    async with place.log(Keeping(run_bytes=1_000)) as log:
        early = await a_writer(log, run, "early")
        for _ in range(9):
            await early.add("x" * 100)
        await early.add(ending="stop")
        before = await all_of(log, run)
        late = await a_writer(log, run, "late")
        await late.add("y" * 150)
        await late.add(ending="stop")

        left = await all_of(log, run)
        lost, first = left[:2]
        assert isinstance(lost, Lost)
        assert isinstance(first, Delta)
        assert first.offset > 0
        assert first.id == lost.id + 1
        assert 500 <= sum(len(record.text) for record in left if isinstance(record, Delta)) <= 1_000
        # Who has read as far as that misses nothing, and is told nothing.
        assert await all_of(log, run, after=lost.id) == left[1:]
        assert await all_of(log, run, after=before[0].id) == left
        transcript = Transcript()
        assert texts(left, transcript)["late", 1] == "y" * 150
        assert (transcript["early", 1].whole, transcript["late", 1].whole) == (False, True)


async def test_a_text_that_is_being_written_is_never_trimmed_by_size(place: Place) -> None:
    run = a_run()
    async with place.log(Keeping(run_bytes=1_000)) as log:
        old = await a_writer(log, run, "old")
        await old.add("o" * 600, "stop")
        writer = await a_writer(log, run)
        other = await a_writer(log, run, "other")
        for _ in range(30):
            await writer.add("x" * 100)
            await other.add("y" * 50, "stop")

        records = await all_of(log, run)
        transcript = Transcript()
        assert texts(records, transcript)[ANSWER] == "x" * 3_000
        assert transcript[ANSWER].whole
        assert isinstance(records[0], Lost)

        await writer.add("x", "stop")
        assert sum(len(record.text) for record in await all_of(log, run) if isinstance(record, Delta)) <= 1_000


async def test_what_nobody_writes_to_any_more_is_trimmed_by_age(place: Place) -> None:
    run, other = a_run(), a_run()
    async with place.log(Keeping(seconds=1.5)) as log:
        writer = await a_writer(log, run)
        await writer.add("Once", "stop")
        records = await all_of(log, run)
        await log.trim()
        assert await all_of(log, run) == records

        await asyncio.sleep(1.6)
        fresh = await a_writer(log, other)
        await fresh.add("Once", "stop")
        await log.trim()
        assert await all_of(log, run) == [Lost(id=records[-1].id)]
        assert await all_of(log, run, after=records[-1].id) == []
        assert texts(await all_of(log, other)) == {ANSWER: "Once"}

        # That there was something is forgotten in the end; who had read it is told that it is gone.
        await asyncio.sleep(1.6)
        await log.trim()
        assert await all_of(log, run) == []
        assert await all_of(log, run, after=records[0].id) == [Lost(id=records[0].id)]
        # Who begins again is not taken for who was there.
        await (await a_writer(log, run)).add("Twice")
        assert [type(record) for record in await all_of(log, run, after=records[-1].id)] == [Lost, Delta]


async def test_what_was_trimmed_by_age_no_longer_counts_by_size(place: Place) -> None:
    run = a_run()
    async with place.log(Keeping(seconds=3, run_bytes=1_000)) as log:
        await (await a_writer(log, run, "old")).add("x" * 900, "stop")
        await asyncio.sleep(3.2)
        await log.trim()
        await (await a_writer(log, run, "old", rank=2)).add("y" * 300, "stop")
        await (await a_writer(log, run)).add("z" * 300, "stop")

        transcript = Transcript()
        assert texts(await all_of(log, run), transcript) == {("old", 1): "y" * 300, ANSWER: "z" * 300}
        assert transcript["old", 1].whole

    other = a_run()
    async with place.log(Keeping(seconds=3, run_bytes=1_000)) as log:
        writer = await a_writer(log, other)
        await writer.add("x" * 900)
        await asyncio.sleep(3.2)
        await log.trim()
        await writer.add("y" * 300, "stop")
        await (await a_writer(log, other, "next")).add("z" * 300, "stop")
        assert texts(await all_of(log, other)) == {ANSWER: "y" * 300, ("next", 1): "z" * 300}


async def test_a_reader_so_slow_that_what_it_wants_is_trimmed_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run()
    monkeypatch.setattr(following, "_MOST_WAITING", 5)
    async with place.log(Keeping(run_bytes=1_000)) as log:
        writer = await a_writer(log, run)
        await writer.add("Once", "stop")
        reading = log.read(run)
        first = await anext(reading)
        for number in range(40):
            await (await a_writer(log, run, f"n{number}")).add("x" * 100, "stop")

        seen = [first, await asyncio.wait_for(anext(reading), 5)]
        # It may have got the next one in time; what it did not get, it is told of.
        while not isinstance(seen[-1], Lost):
            assert seen[-1].id == seen[-2].id + 1
            seen.append(await asyncio.wait_for(anext(reading), 5))
        await reading.aclose()


async def test_a_slow_reader_of_much_misses_nothing(log: TokenLog, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run()
    monkeypatch.setattr(following, "_MOST_WAITING", 5)
    monkeypatch.setattr(database, "PAGE", 7)
    monkeypatch.setattr(in_redis, "PAGE", 7)
    monkeypatch.setattr(following, "PAGE", 7)
    writer = await a_writer(log, run)
    await writer.add("0 ")
    seen: list[Record] = []
    async for record in log.read(run):
        seen.append(record)
        if isinstance(record, Finished):
            break
        if len(seen) < 10:
            for _ in range(9):
                await writer.add(f"{len(seen)} ")
            await asyncio.sleep(0.05)
        elif len(seen) == 10:
            await writer.add(ending="stop")

    assert steps(seen) == [1] * (1 + 9 * 9)


def write(place: Place, run: str, worker: int, together: Any) -> None:
    """What one of several processes does."""

    async def main() -> None:
        async with place.log() as log:
            writers = [await a_writer(log, run, f"w{worker}n{number}") for number in range(5)]
            together.wait()
            for word in WORDS:
                assert all(await asyncio.gather(*(writer.add(word) for writer in writers)))
            assert all(await asyncio.gather(*(writer.add(ending="stop") for writer in writers)))

    asyncio.run(main())


def test_several_processes_write_for_one_run_while_another_reads(place: Place) -> None:
    run = a_run()
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    writers = [context.Process(target=write, args=(place, run, number, together)) for number in range(2)]

    async def read() -> list[Record]:
        over = asyncio.Event()

        async def wait() -> None:
            await asyncio.to_thread(lambda: [writer.join() for writer in writers])
            over.set()

        async with place.log() as log:
            waiting = asyncio.create_task(wait())
            found = [record async for record in log.read(run, until=over)]
            await waiting
            return found

    for writer in writers:
        writer.start()
    records = asyncio.run(read())

    assert [writer.exitcode for writer in writers] == [0, 0]
    assert steps(records) == [1] * (10 * (len(WORDS) + 1) - 1)
    assert texts(records) == {(f"w{worker}n{number}", 1): TEXT for worker in range(2) for number in range(5)}


async def test_readers_are_told_when_the_log_goes_away_and_read_on_from_their_last_id_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run()
    source = in_redis._Source if place.redis else database._Source  # pyright: ignore[reportPrivateUsage]
    newer = source.newer

    async def away(_self: object, _after: object) -> dict[str, list[Record]]:
        raise StorageUnavailableError("away")

    async with place.log() as log:
        writer = await a_writer(log, run)
        await writer.add("Once ")
        readers = [log.read(run) for _ in range(3)]
        (first, *_) = [await anext(reader) for reader in readers]
        waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]
        await asyncio.sleep(0.05)
        monkeypatch.setattr(source, "newer", away)
        found = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
        assert [str(error) for error in found] == ["away"] * 3

        monkeypatch.setattr(source, "newer", newer)
        await writer.add("upon", "stop")
        rest = [record async for record in ended(log.read(run, after=first.id))]
        assert [type(record) for record in rest] == [Delta, Finished]


async def test_what_was_written_before_a_reader_is_told_to_end_is_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, over = a_run(), asyncio.Event()

    async def nothing(_self: object, _after: object) -> dict[str, list[Record]]:
        await asyncio.sleep(0.01)
        return {}

    async with place.log() as log:
        writer = await a_writer(log, run)
        await writer.add("Once ")
        reading = log.read(run, until=over)
        records = [await anext(reading)]
        await writer.add("upon ")
        await asyncio.sleep(0.4)
        # What is new has been handed to the reader, who has not read it yet; what comes now is not handed to anybody.
        source = in_redis._Source if place.redis else database._Source  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(source, "newer", nothing)
        await writer.add("a time", "stop")
        over.set()
        records += [record async for record in reading]

    assert texts(records) == {ANSWER: "Once upon a time"}
    assert isinstance(records[-1], Finished)


async def ended(records: AsyncGenerator[Record]) -> AsyncGenerator[Record]:
    """Records up to the end of a text."""
    async with aclosing(records):
        async for record in records:
            yield record
            if isinstance(record, Finished):
                return


async def test_nobody_waits_for_a_log_that_was_closed(place: Place) -> None:
    async with place.log() as log:
        waiting = asyncio.ensure_future(anext(log.read(a_run())))
        await asyncio.sleep(0.05)
    with pytest.raises(StorageUnavailableError, match="was closed"):
        await asyncio.wait_for(waiting, 5)


async def test_where_the_log_is_away_everybody_is_told(tmp_path: Path) -> None:
    nowhere = "redis://user:hidden@127.0.0.1:1/0"
    with pytest.raises(StorageUnavailableError) as caught:
        async with open_token_log(f"sqlite:///{tmp_path / 'storage.db'}", nowhere):
            pytest.fail("there is none")
    assert "hidden" not in caught.value.message


async def test_an_address_of_redis_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ORCHESTRATOR_REDIS_URL") as caught:
        async with open_token_log(f"sqlite:///{tmp_path / 'storage.db'}", "http://user:hidden@127.0.0.1"):
            pytest.fail("there is none")
    assert "hidden" not in caught.value.message
