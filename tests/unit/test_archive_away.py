"""No call of a model ever suffers from the archive, whatever becomes of that."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Event

import pytest

from activities.archive import Archive
from activities.archive.writing import FAILURES
from activities.masking import Masker
from activities.providers.base import EmbedRequest
from activities.spending import Bill
from orchestrator.models import find_model
from tests.unit.archiving import BUFFER, KEY, QUICK, Place, asked
from tests.unit.loopback import call


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
            if update.metric.name == FAILURES
        )
        return found

    read()
    found.clear()
    return read


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


async def test_a_call_that_cannot_be_taken_down_is_made_all_the_same(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    archive = Archive(place)
    request = EmbedRequest(model="vectors", texts=("cats",))

    with archive.recording(call("Embed", {}), find_model("openai/vectors"), "openai", request) as entry:
        entry.asked(Bill(), 1)  # outside of any activity
    await archive.close()

    assert "a call cannot be taken down: RuntimeError" in caplog.text
