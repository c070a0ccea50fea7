"""What models answered is kept for a while, on a real database file."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from activities.caching import Cache
from activities.lazily import Lazily
from orchestrator.contracts import Account, NodeCall, NodeOutput, Usage
from orchestrator.encryption import Keys
from orchestrator.encryption.keys import Key
from storage import Answers, Storage, open_storage
from storage.tables import ANSWERS

OLD, NEW = Key("old", b"o" * 32), Key("new", b"n" * 32)


class Asked:
    """Answers with a number that grows, and takes a call for it."""

    def __init__(self, **output: Any) -> None:
        self.output = output
        self.times = 0

    async def __call__(self) -> NodeOutput:
        self.times += 1
        return NodeOutput(output={"text": f"answer {self.times}", **self.output}, usage=Usage(calls=1))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'storage.db'}"


@pytest.fixture
async def storage(url: str) -> AsyncGenerator[Lazily[Storage]]:
    found = Lazily(partial(open_storage, url))
    yield found
    await found.close()


@pytest.fixture
async def cache(storage: Lazily[Storage]) -> AsyncGenerator[Cache]:
    found = Cache(storage)
    yield found
    await found.close()


def visit(tenant: str | None = "acme", *, seconds: float | None = 60.0, kind: str = "ModelInvoke") -> NodeCall:
    account = Account(purse="p", run_id="r", tenant=tenant)
    return NodeCall(node="ask", type=kind, config={}, account=account, cache=seconds)


async def rows(storage: Lazily[Storage]) -> list[Any]:
    async with (await storage.get()).reading() as connection:
        return list((await connection.execute(select(ANSWERS))).all())


async def test_the_same_question_is_asked_once_and_the_kept_answer_takes_nothing(cache: Cache) -> None:
    ask = Asked()
    first = await cache.through(visit(), {"q": 1}, ask)
    second = await cache.through(visit(), {"q": 1}, ask)

    assert (first[1], second[1], ask.times) == (False, True, 1)
    assert second[0].output == first[0].output
    assert (first[0].usage, second[0].usage) == (Usage(calls=1), None)


@pytest.mark.parametrize(
    ("call", "question"),
    [
        (visit(), {"q": 2}),
        (visit("other"), {"q": 1}),
        (visit(None), {"q": 1}),
        (visit(kind="Embed"), {"q": 1}),
        (visit(seconds=None), {"q": 1}),
    ],
)
async def test_another_question_tenant_or_type_is_asked_anew(cache: Cache, call: NodeCall, question: Any) -> None:
    ask = Asked()
    await cache.through(visit(), {"q": 1}, ask)
    _, kept = await cache.through(call, question, ask)

    assert (kept, ask.times) == (False, 2)


@pytest.mark.parametrize("output", [{"finish_reason": "length"}, {"simulated": True}])
async def test_an_answer_that_was_cut_off_or_made_up_is_not_kept(cache: Cache, output: dict[str, Any]) -> None:
    ask = Asked(**output)
    for _ in range(2):
        await cache.through(visit(), {"q": 1}, ask)

    assert ask.times == 2


async def test_an_answer_that_is_too_large_for_the_database_is_given_and_not_kept(
    cache: Cache, storage: Lazily[Storage]
) -> None:
    ask = Asked(more="m" * 5_000_000)
    _, kept = await cache.through(visit(), {"q": 1}, ask)

    assert (kept, ask.times, await rows(storage)) == (False, 1, [])


async def test_a_question_with_half_a_character_is_asked_and_not_kept(cache: Cache, storage: Lazily[Storage]) -> None:
    _, kept = await cache.through(visit(), {"q": "half \ud83d"}, Asked())

    assert (kept, await rows(storage)) == (False, [])


async def test_an_answer_counts_only_for_its_time_and_then_goes(storage: Lazily[Storage]) -> None:
    answers = Answers(await storage.get())
    async with (await storage.get()).writing() as connection:
        old = datetime.now(UTC) - timedelta(seconds=1)
        many = [{"key": f"old {number}", "answer": b"a", "until": old} for number in range(1_001)]
        await connection.execute(ANSWERS.insert(), many)
    await answers.keep("new", b"b", 60.0)
    await answers.keep("new", b"c", 60.0)

    assert (await answers.find("old 1"), await answers.find("new")) == (None, b"c")
    assert [await answers.trim(), await answers.trim()] == [1_001, 0]
    assert [row.key for row in await rows(storage)] == ["new"]


class Seen(logging.Handler):
    """Tells when something was logged that holds a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.there = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self.text in record.getMessage():
            self.there.set()


async def test_a_worker_that_keeps_answers_drops_those_that_count_no_more(
    storage: Lazily[Storage], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Answers(await storage.get()).keep("old", b"a", 0.0)
    seen, log = Seen("dropped 1 kept answers"), logging.getLogger("activities.caching")
    monkeypatch.setattr(log, "handlers", [seen])
    monkeypatch.setattr(log, "level", logging.INFO)

    await cache.through(visit(), {"q": 1}, Asked())

    async with asyncio.timeout(10):
        await seen.there.wait()
    assert [row.key for row in await rows(storage)] != ["old"]


async def test_with_keys_neither_question_nor_answer_can_be_told_from_the_table(storage: Lazily[Storage]) -> None:
    plain, sealed = Cache(storage), Cache(storage, Keys([OLD]))
    try:
        await plain.through(visit(), {"q": 1}, Asked())
        [guess] = await rows(storage)
        ask = Asked()
        for _ in range(2):
            await sealed.through(visit(), {"q": 1}, ask)
        [kept] = [row for row in await rows(storage) if row.key != guess.key]
    finally:
        await plain.close()
        await sealed.close()

    assert ask.times == 1
    assert b'"text"' in guess.answer
    assert b'"text"' not in kept.answer


async def test_after_a_change_of_keys_models_are_asked_anew(storage: Lazily[Storage]) -> None:
    ask = Asked()
    for keys in ([OLD], [OLD, NEW], [NEW, OLD], [NEW]):
        cache = Cache(storage, Keys(keys))
        await cache.through(visit(), {"q": 1}, ask)
        await cache.close()

    assert ask.times == 2


@pytest.mark.parametrize("keys", [None, Keys([OLD])])
async def test_an_answer_that_was_changed_or_put_elsewhere_is_asked_anew(
    keys: Keys | None, storage: Lazily[Storage], caplog: pytest.LogCaptureFixture
) -> None:
    cache, ask = Cache(storage, keys), Asked()
    try:
        await cache.through(visit(), {"q": 1}, ask)
        await cache.through(visit(), {"q": 2}, ask)
        one, _ = await rows(storage)
        swapped = one.answer if keys else one.answer[:-1]
        async with (await storage.get()).writing() as connection:
            await connection.execute(update(ANSWERS).values(answer=swapped))
        kept = [(await cache.through(visit(), {"q": number}, ask))[1] for number in (1, 2)]
    finally:
        await cache.close()

    assert (sorted(kept), ask.times) == (([False, True], 3) if keys else ([False, False], 4))
    assert "cannot be looked up" in caplog.text
    assert "answer 1" not in caplog.text


async def test_where_the_storage_is_away_the_model_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    storage = Lazily(partial(open_storage, "postgresql://127.0.0.1:1/nothing"))
    away, ask = Cache(storage), Asked()
    _, kept = await away.through(visit(), {"q": 1}, ask)
    await away.close()
    await storage.close()

    assert (kept, ask.times) == (False, 1)
    assert "cannot be looked up" in caplog.text
    assert "cannot be kept" in caplog.text
