"""Texts that are masked for a span: that time is nobody's, and an answer that came is paid as what it took."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import TraceFlags

from activities.archive import Archive
from activities.asking import Breakers, Desk
from activities.asking.metrics import CALLS, COST
from activities.asking.spans import CAPTURE
from activities.lazily import Lazily
from activities.masking import Masker
from activities.providers.base import ChatReply, ChatRequest, Turn
from activities.spending import Purse
from orchestrator.contracts import Account, Usage
from orchestrator.errors import BudgetExceededError, ProviderUnavailableError
from orchestrator.models import ModelInfo, cost_of, find_model
from storage import Accounts, Entry, Storage, open_storage
from tests.unit.archiving import Place
from tests.unit.loopback import call
from tests.unit.test_model_metrics import MINI, Meters

QUESTION, ANSWER = "who is there?", "nobody"
MODEL = find_model("gpt-4o-mini")


@dataclass
class Slow:
    """Masks nothing, and holds whoever comes with ``text`` until he is let go."""

    text: str
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: Event = field(default_factory=Event)

    def masker(self) -> Masker:
        loop = asyncio.get_running_loop()

        def wait(text: str) -> str:
            if text == self.text:
                loop.call_soon_threadsafe(self.begun.set)
                assert self.let_go.wait(10)
            return text

        return Masker([wait], checks=())


class Model:
    """A provider that answers, 12 tokens for 7, and notes when it is asked."""

    name = "openai"

    def __init__(self) -> None:
        self.asked = 0

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked += 1
        return ChatReply(text=ANSWER, model=request.model, finish_reason="stop", input_tokens=12, output_tokens=7)

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        yield ANSWER
        yield await self.complete(request)


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Generator[InMemorySpanExporter]:
    """What is exported by a worker that traces, texts included."""
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    monkeypatch.setenv(CAPTURE, "true")
    yield exporter
    provider.shutdown()


@pytest.fixture
async def lazily(tmp_path: Path) -> AsyncGenerator[Lazily[Storage]]:
    found = Lazily(partial(open_storage, f"sqlite:///{tmp_path / 'storage.db'}"))
    yield found
    await found.close()


def question(model: ModelInfo) -> ChatRequest:
    return ChatRequest(model=model.wire_name, turns=(Turn("user", QUESTION),), max_tokens=1_000)


class Visit:
    """One visit that asks, within meters, until it is cancelled or over."""

    def __init__(self, desk: Desk, *, shown: bool = False, cap: float | None = None) -> None:
        self.meters, self.usage = Meters(), Usage()
        self._desk, self._shown = desk, shown
        limits: dict[str, Any] = {} if cap is None else {"cap_usd": cap}
        self._call = call("ModelInvoke", {}, account=Account(purse="p", run_id="r", **limits))

    async def run(self) -> None:
        async def ask() -> None:
            asking = await self._desk.asking(self._call)
            try:
                await asking.complete(["gpt-4o-mini"], question, shown=self._shown)
            finally:
                self.usage = asking.usage

        await self.meters.run(ask)


@asynccontextmanager
async def held(slow: Slow, visit: Visit) -> "AsyncGenerator[asyncio.Task[None]]":
    """The visit, waiting for what is masked during the block."""
    task = asyncio.create_task(visit.run())
    try:
        async with asyncio.timeout(10):
            await slow.begun.wait()
        yield task
    finally:
        slow.let_go.set()


async def entries(lazily: Lazily[Storage]) -> list[Entry]:
    return await Accounts(await lazily.get()).entries("run-1")


async def test_nobody_is_asked_nor_money_set_aside_while_a_question_is_masked(
    exported: InMemorySpanExporter, lazily: Lazily[Storage]
) -> None:
    slow, model = Slow(QUESTION), Model()
    visit = Visit(Desk({"openai": model}, Purse(lazily), masker=slow.masker()))

    async with held(slow, visit) as task:
        assert (model.asked, await entries(lazily)) == (0, [])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (model.asked, await entries(lazily), exported.get_finished_spans()) == (0, [], ())
    assert (visit.meters.of(CALLS), visit.usage) == ([], Usage())


@pytest.mark.parametrize("shown", [False, True])
async def test_an_answer_is_paid_counted_and_kept_before_it_is_masked_for_its_span(
    exported: InMemorySpanExporter, lazily: Lazily[Storage], *, shown: bool
) -> None:
    slow, place = Slow(ANSWER), Place()
    archive = Archive(place)
    visit = Visit(Desk({"openai": Model()}, Purse(lazily), masker=slow.masker(), archive=archive), shown=shown)
    took = cost_of(MODEL)

    async with held(slow, visit) as task:
        [entry] = await entries(lazily)
        assert (entry.state, entry.spent, entry.input_tokens, entry.output_tokens) == ("settled", took(12, 7), 12, 7)
        assert visit.meters.of(CALLS) == [(1, {**MINI, "outcome": "ok"})]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await archive.close()

    assert [it.spent for it in await entries(lazily)] == [took(12, 7)]
    assert visit.meters.of(COST) == [(took(12, 7), MINI)]
    assert (visit.usage.calls, visit.usage.input_tokens, visit.usage.output_tokens) == (1, 12, 7)
    [document] = place.documents
    assert (document["answer"]["text"], document["error"]) == (ANSWER, None)
    [span] = exported.get_finished_spans()
    assert ANSWER not in span.to_json()


async def test_a_span_takes_as_long_as_the_model_however_long_masking_takes(
    exported: InMemorySpanExporter, lazily: Lazily[Storage]
) -> None:
    slow = Slow(ANSWER)
    visit = Visit(Desk({"openai": Model()}, Purse(lazily), masker=slow.masker()))

    async with held(slow, visit) as task:
        while_masked = time.time_ns()
        slow.let_go.set()
        await task

    [span] = exported.get_finished_spans()
    assert (span.end_time or while_masked) < while_masked
    assert ANSWER in span.to_json()


async def test_where_nobody_is_asked_there_is_no_span(exported: InMemorySpanExporter, lazily: Lazily[Storage]) -> None:
    refused = Visit(Desk({"openai": Model()}, Purse(lazily)), cap=0.0)
    with pytest.raises(BudgetExceededError):
        await refused.run()

    breakers = Breakers(failures=1)
    with pytest.raises(ProviderUnavailableError), breakers.of(MODEL).guarding():
        raise ProviderUnavailableError("down")
    with pytest.raises(ProviderUnavailableError):
        await Visit(Desk({"openai": Model()}, Purse(lazily), breakers)).run()

    assert exported.get_finished_spans() == ()


@pytest.mark.parametrize(("flags", "masked"), [(TraceFlags.DEFAULT, []), (TraceFlags.SAMPLED, [QUESTION, ANSWER])])
async def test_nothing_is_masked_for_a_trace_that_nobody_keeps(
    flags: int, masked: list[str], exported: InMemorySpanExporter, lazily: Lazily[Storage]
) -> None:
    seen: list[str] = []

    def note(text: str) -> str:
        seen.append(text)
        return text

    around = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(flags)))
    with trace.use_span(around):
        await Visit(Desk({"openai": Model()}, Purse(lazily), masker=Masker([note], checks=()))).run()

    assert [text for text in seen if text in (QUESTION, ANSWER)] == masked
    assert len(exported.get_finished_spans()) == bool(masked)
