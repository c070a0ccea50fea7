"""What models answered is kept for a while, on a real database file and a real folder."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from activities.blobs import FolderBlobs
from activities.caching import Cache
from orchestrator.contracts import Account, NodeCall, NodeOutput, Usage
from storage import Answers, open_storage


class Asked:
    """Answers with a number that grows, and takes a call for it."""

    def __init__(self, **output: Any) -> None:
        self.output = output
        self.times = 0

    async def __call__(self) -> NodeOutput:
        self.times += 1
        return NodeOutput(output={"text": f"answer {self.times}", **self.output}, usage=Usage(calls=1))


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncGenerator[Cache]:
    found = Cache(FolderBlobs(tmp_path / "blobs"), f"sqlite:///{tmp_path / 'storage.db'}")
    yield found
    await found.close()


def visit(tenant: str | None = "acme", *, seconds: float | None = 60.0, kind: str = "ModelInvoke") -> NodeCall:
    account = Account(purse="p", run_id="r", tenant=tenant)
    return NodeCall(node="ask", type=kind, config={}, account=account, cache=seconds)


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


async def test_an_answer_counts_only_for_its_time(tmp_path: Path) -> None:
    async with open_storage(f"sqlite:///{tmp_path / 'storage.db'}") as storage:
        answers = Answers(storage)
        await answers.keep("old", "a.json", 0.0)
        await answers.keep("new", "b.json", 60.0)
        await answers.keep("new", "c.json", 60.0)

        assert (await answers.find("old"), await answers.find("new")) == (None, "c.json")


async def test_where_the_answer_is_gone_or_the_storage_away_the_model_is_asked(
    cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ask = Asked()
    await cache.through(visit(), {"q": 1}, ask)
    for blob in (tmp_path / "blobs").rglob("*.json"):
        blob.unlink()
    _, kept = await cache.through(visit(), {"q": 1}, ask)
    assert (kept, ask.times) == (False, 2)
    assert "cannot be looked up" in caplog.text

    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    away = Cache(FolderBlobs(tmp_path / "blobs"), "postgresql://127.0.0.1:1/nothing")
    _, kept = await away.through(visit(), {"q": 1}, ask)
    await away.close()
    assert (kept, ask.times) == (False, 3)
    assert "cannot be kept" in caplog.text
