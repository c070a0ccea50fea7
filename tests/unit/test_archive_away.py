"""No call of a model ever suffers from the archive, whatever becomes of that."""

import asyncio
import gc
import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from types import ModuleType
from typing import Any, cast

import pytest

from activities.archive import Archive
from activities.archive.entries import Entry
from activities.archive.writing import FAILURES
from activities.masking import Masker
from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, Tool, ToolCall, Turn
from activities.spending import Bill
from orchestrator.models import find_model
from tests.unit.archiving import BUFFER, KEY, QUICK, Place, asked, performed
from tests.unit.loopback import call

ANSWERED = ChatReply(text="", model="one", finish_reason="stop", input_tokens=1, output_tokens=1)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def failures() -> Callable[[], list[tuple[float, str]]]:
    """How often something could not be kept, and why."""
    found: list[tuple[float, str]] = []

    def read() -> list[tuple[float, str]]:
        found.extend(
            (update.value, str(update.attributes["reason"]))
            for update in BUFFER.retrieve_updates()
            if update.metric.name == FAILURES and update.value
        )
        return found

    read()
    found.clear()
    return read


async def test_that_nothing_is_lost_is_counted_from_the_first_call_on(place: Place) -> None:
    archive = Archive(place)
    BUFFER.retrieve_updates()

    await asked(archive)
    await asked(archive)
    await archive.close()

    found = [(it.value, it.attributes["reason"]) for it in BUFFER.retrieve_updates() if it.metric.name == FAILURES]
    assert sorted(found) == [(0, "away"), (0, "broken"), (0, "full"), (0, "stopped")]


async def test_an_archive_that_is_away_for_a_moment_loses_nothing(
    caplog: pytest.LogCaptureFixture, failures: Callable[[], list[tuple[float, str]]]
) -> None:
    place = Place(fails=1)
    archive = Archive(place, patience=QUICK)

    with caplog.at_level(logging.WARNING):
        await asked(archive)
        await archived(place, 1)
        await archive.close()

    assert len(place.kept) == 1
    assert failures() == []
    assert [record.message for record in caplog.records] == [
        "calls of models cannot be archived at present (it is away); they go on without",
        "calls of models are archived again; 0 are missing",
    ]


async def archived(place: Place, count: int) -> None:
    async with asyncio.timeout(10):
        while len(place.kept) < count:  # noqa: ASYNC110 - it is written in a thread
            await asyncio.sleep(0.001)


async def test_an_archive_that_stays_away_fails_no_call_and_says_so_once_and_how_often(
    caplog: pytest.LogCaptureFixture, failures: Callable[[], list[tuple[float, str]]]
) -> None:
    place = Place(fails=1_000)
    archive = Archive(place, patience=replace(QUICK, waits=()))

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert (await asked(archive)).reply.text.startswith("Write to")
        await archive.close()

    assert [record.message.partition(" (")[0] for record in caplog.records] == [
        "calls of models cannot be archived at present",
        "3 calls of models are not in the archive",
    ]
    assert sum(count for count, _ in failures()) == 3


async def test_a_place_that_hangs_holds_up_no_call_and_what_does_not_fit_is_counted(
    failures: Callable[[], list[tuple[float, str]]],
) -> None:
    held = Event()
    place = Place(held=held)
    archive = Archive(place, patience=replace(QUICK, documents=2, close=0.01))

    try:
        for _ in range(3):
            await asyncio.wait_for(asked(archive), 5)
        await archive.close()
    finally:
        held.set()

    assert sorted(reason for _, reason in failures()) == ["full", "stopped", "stopped"]


async def test_a_document_too_heavy_to_wait_with_others_is_not_kept_in_memory(
    failures: Callable[[], list[tuple[float, str]]],
) -> None:
    held = Event()
    archive = Archive(Place(held=held), patience=replace(QUICK, characters=1_000))

    try:
        await asked(archive, text="x" * 2_000)  # alone it may be as long as it likes
        await asked(archive, text="y")
    finally:
        held.set()
        await archive.close()

    assert [reason for _, reason in failures()] == ["full"]


async def test_what_cannot_be_looked_through_is_not_written(
    place: Place, failures: Callable[[], list[tuple[float, str]]], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(text: str) -> str:
        raise ValueError(text)

    archive = Archive(place, Masker([broken]))

    await asked(archive)
    await archive.close()

    assert place.kept == {}
    assert failures() == [(1, "broken")]
    assert KEY not in caplog.text


async def test_where_more_comes_than_it_takes_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    held = Event()
    archive = Archive(Place(held=held), patience=replace(QUICK, documents=4))

    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            await asked(archive)
        held.set()
        await archive.close()

    assert [record.message.partition(" (")[0] for record in caplog.records] == [
        "calls of models cannot be archived at present",
        "calls of models are archived again; 16 are missing",
    ]


async def test_a_call_that_cannot_be_taken_down_is_made_all_the_same_and_counted(
    place: Place, caplog: pytest.LogCaptureFixture, failures: Callable[[], list[tuple[float, str]]]
) -> None:
    archive = Archive(place)
    request = EmbedRequest(model="vectors", texts=("cats",))

    def recorded(request: EmbedRequest) -> None:
        with archive.recording(call("Embed", {}), find_model("openai/vectors"), "openai", request) as entry:
            entry.asked(Bill(), 1)

    async def broken() -> None:
        recorded(replace(request, texts=cast("Any", None)))  # as of a provider's own mistake

    await performed(broken)
    recorded(request)  # outside of any activity nothing is counted
    await archive.close()

    assert "a call cannot be taken down: TypeError" in caplog.text
    assert failures() == [(1, "broken")]
    assert "2 calls of models are not in the archive" in caplog.text


async def test_a_call_is_as_heavy_as_all_that_is_kept_of_it_also_of_its_tools() -> None:
    text = "x" * 1_000
    nested: dict[str, Any] = {"list": [{"deep": text}]}
    asked_for = ToolCall(id="1", name="mail", arguments=nested)
    plain = ChatRequest(model="one", turns=())
    heavy = [
        replace(plain, turns=(Turn("user", text),)),
        replace(plain, turns=(Turn("assistant", "", tool_calls=(asked_for,)),)),
        replace(plain, schema=nested),
        replace(plain, tools=(Tool(name="mail", description="Sends", parameters=nested),)),
        EmbedRequest(model="one", texts=(text,)),
    ]

    assert entry_of(plain).weight < 300
    assert [1_000 <= entry_of(request).weight < 1_300 for request in heavy] == [True] * len(heavy)
    answered = entry_of(plain)
    answered.answered(replace(ANSWERED, tool_calls=(asked_for,)))
    assert 1_000 <= answered.weight < 1_300


def entry_of(request: ChatRequest | EmbedRequest, *, kept: bool = True) -> Entry:
    return Entry(model=find_model("openai/one"), provider="openai", request=request, streamed=True, kept=kept)


async def test_of_a_stream_nothing_is_held_twice_nor_where_nobody_wants_it() -> None:
    pieces = [f"word-{number} " for number in range(1_000)]
    text = "".join(pieces)
    whole, broken, off = (entry_of(ChatRequest(model="one", turns=()), kept=kept) for kept in (True, True, False))
    for entry in (whole, broken, off):
        for piece in pieces:
            entry.wrote(piece)
    held = reachable(whole)
    assert sum(len(piece) for piece in pieces if id(piece) in held) == len(text)

    whole.answered(replace(ANSWERED, text=text))
    broken.ended()
    off.ended()

    for entry, kept in ((whole, text), (broken, text), (off, "")):
        held = reachable(entry)
        assert [piece for piece in pieces if id(piece) in held] == []
        assert entry.weight < len(kept) + 300
    assert (whole.written, broken.written, off.written) == ("", text, "")


def reachable(entry: Entry) -> set[int]:
    """What an entry holds, by ``id``."""
    found, left = set[int](), [*(getattr(entry, slot) for slot in Entry.__slots__)]
    while left:
        item = left.pop()
        if isinstance(item, type | ModuleType) or id(item) in found:
            continue
        found.add(id(item))
        left += gc.get_referents(item)
    return found


async def test_of_vectors_the_numbers_are_not_held() -> None:
    entry = entry_of(EmbedRequest(model="one", texts=("cats",)))
    entry.answered(EmbedReply(vectors=((0.5, 0.25, 0.125),) * 4, model="one", input_tokens=4))

    assert isinstance(entry.reply, EmbedReply)
    assert (entry.reply.vectors, entry.vectors) == ((), (4, 3))
