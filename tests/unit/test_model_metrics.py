"""What is counted of model calls, by the meters of Temporal's own SDK."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import ActivityEnvironment

from activities.asking import Breakers, Desk, Rates, read_rates
from activities.asking.breaker import OPEN_GAUGE
from activities.asking.metrics import (
    CACHE,
    CALLS,
    COST,
    FALLBACKS,
    FIRST_TOKEN,
    OTHER,
    RATE_WAIT,
    RETRIES,
    SECONDS,
    TOKENS,
    labels_of,
)
from activities.caching import Cache
from activities.lazily import Lazily
from activities.providers.base import ChatReply, ChatRequest, Turn
from activities.providers.simulated import Simulated
from activities.spending import Bill, Purse
from orchestrator.contracts import Account, NodeCall, NodeOutput
from orchestrator.errors import ProviderError, ProviderTimeoutError, ProviderUnavailableError
from orchestrator.models import ModelInfo, find_model
from storage import Ledger, Storage, open_storage
from tests.unit.loopback import call

Result = TypeVar("Result")
_OF_THE_SDK = {"activity_type", "namespace", "service_name", "task_queue"}
PAID = call("ModelInvoke", {}, account=Account(purse="p", run_id="r"))
MINI = {"provider": "openai", "model": "gpt-4o-mini"}


@dataclass(frozen=True)
class Counted:
    """One update of a metric."""

    name: str
    value: float
    labels: Mapping[str, Any]


@dataclass
class Meters:
    """An activity whose metrics are kept."""

    attempt: int = 1
    buffer: MetricBuffer = field(default_factory=lambda: MetricBuffer(10_000))

    def __post_init__(self) -> None:
        self.runtime = Runtime(telemetry=TelemetryConfig(metrics=self.buffer))
        self.counted: list[Counted] = []

    async def run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        environment = ActivityEnvironment()
        environment.metric_meter = self.runtime.metric_meter
        environment.info = replace(environment.info, attempt=self.attempt)
        return await environment.run(work)

    def of(self, name: str) -> list[tuple[float, Mapping[str, Any]]]:
        """What has come in of a metric, but for the labels of the SDK itself."""
        for update in self.buffer.retrieve_updates():
            labels = {key: value for key, value in update.attributes.items() if key not in _OF_THE_SDK}
            self.counted.append(Counted(update.metric.name, update.value, labels))
        return [(found.value, found.labels) for found in self.counted if found.name == name]


class Model:
    """A provider that fails as its script says; then it answers, 12 tokens for 7."""

    name = "openai"

    def __init__(self, *script: ProviderError) -> None:
        self.script = list(script)

    async def complete(self, request: ChatRequest) -> ChatReply:
        if self.script:
            raise self.script.pop(0)
        return ChatReply(text="Hello", model=request.model, finish_reason="stop", input_tokens=12, output_tokens=7)


class Breaking(Model):
    """A provider whose streams break after some text."""

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        yield "I am "
        yield request.model
        raise ProviderTimeoutError("silent")

    async def embed(self, request: Any) -> Any:
        raise NotImplementedError


class Charging(Purse):
    """Has every call cost a third of a cent, or what it may have charged when it failed."""

    @asynccontextmanager
    async def paying(self, *_: Any, **__: Any) -> AsyncGenerator[Bill]:
        bill = Bill()
        try:
            yield bill
        finally:
            bill.cost_usd = 0.003_333_333_333


def hello(model: ModelInfo) -> ChatRequest:
    return ChatRequest(model=model.wire_name, turns=(Turn("user", "Hi"),))


@asynccontextmanager
async def ledger_in(folder: Path) -> AsyncGenerator[tuple[Storage, Purse]]:
    """A real ledger, and the purse that pays by it."""
    lazily = Lazily(lambda: open_storage(f"sqlite:///{folder / 'storage.db'}"))
    yield await lazily.get(), Purse(lazily)
    await lazily.close()


async def asked(
    meters: Meters,
    table: Desk,
    models: Sequence[str] = ("gpt-4o-mini",),
    *,
    shown: bool = False,
    visit: NodeCall | None = None,
) -> None:
    async def ask() -> None:
        asking = await table.asking(visit or call("ModelInvoke", {}))
        await asking.complete(models, hello, shown=shown)

    await meters.run(ask)


async def test_a_call_is_counted_with_its_tokens_and_its_money_in_nano_dollars() -> None:
    meters = Meters()
    await asked(meters, Desk({"openai": Model()}, Charging()))

    assert meters.of(CALLS) == [(1, {**MINI, "outcome": "ok"})]
    assert [labels for _, labels in meters.of(SECONDS)] == [{**MINI, "outcome": "ok"}]
    assert meters.of(TOKENS) == [(12, {**MINI, "direction": "input"}), (7, {**MINI, "direction": "output"})]
    assert meters.of(COST) == [(3_333_333, MINI)]
    assert (meters.of(RETRIES), meters.of(FALLBACKS), meters.of(FIRST_TOKEN)) == ([], [], [])


async def test_what_a_call_that_failed_may_have_cost_counts() -> None:
    meters = Meters()
    with pytest.raises(ProviderTimeoutError):
        await asked(meters, Desk({"openai": Model(ProviderTimeoutError("slow"))}, Charging()))

    assert meters.of(CALLS) == [(1, {**MINI, "outcome": "PROVIDER_TIMEOUT"})]
    assert meters.of(COST) == [(3_333_333, MINI)]
    assert meters.of(TOKENS) == []


async def test_a_call_that_is_cancelled_is_said_to_be_so(tmp_path: Path) -> None:
    class Endless(Model):
        async def complete(self, request: ChatRequest) -> ChatReply:
            begun.set()
            await asyncio.Event().wait()
            return await super().complete(request)

    begun, meters = asyncio.Event(), Meters()
    async with ledger_in(tmp_path) as (storage, purse):
        task = asyncio.create_task(asked(meters, Desk({"openai": Endless()}, purse), visit=PAID))
        await begun.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        standing = await Ledger(storage).standing("run:p")

    assert meters.of(CALLS) == [(1, {**MINI, "outcome": "CANCELLED"})]
    assert (standing.reserved, standing.spent > 0) == (0, True)
    assert meters.of(COST) == [(standing.spent, MINI)]


async def test_calls_of_an_attempt_after_the_first_are_retries() -> None:
    meters = Meters(attempt=2)
    await asked(meters, Desk({"openai": Model()}, Purse()))

    assert meters.of(RETRIES) == [(1, MINI)]


async def test_a_fallback_counts_for_the_model_that_did_not_answer() -> None:
    meters = Meters()
    table = Desk({"openai": Model(ProviderUnavailableError("down"))}, Purse())
    await asked(meters, table, ["gpt-4o-mini", "gpt-4o"])

    assert meters.of(FALLBACKS) == [(1, {**MINI, "reason": "PROVIDER_UNAVAILABLE"})]
    assert [labels["model"] for _, labels in meters.of(CALLS)] == ["gpt-4o-mini", "gpt-4o"]


async def test_the_first_token_is_timed_once_for_each_stream_and_also_where_it_breaks() -> None:
    meters = Meters()
    with pytest.raises(ProviderTimeoutError):
        await asked(meters, Desk({"openai": Breaking()}, Purse()), ["gpt-4o-mini", "gpt-4o"], shown=True)

    found = meters.of(FIRST_TOKEN)
    assert [labels["model"] for _, labels in found] == ["gpt-4o-mini", "gpt-4o"]
    assert all(0 <= seconds < 60 for seconds, _ in found)


@pytest.mark.parametrize("shown", [False, True])
async def test_a_simulated_call_is_no_call(*, shown: bool) -> None:
    meters = Meters()
    await asked(meters, Desk({"simulated": Simulated()}, Purse()), ["gpt-4o"], shown=shown)

    meters.of(CALLS)
    assert meters.counted == []


async def test_names_that_no_registry_has_share_one_label() -> None:
    meters = Meters()
    for number in range(50):
        await asked(meters, Desk({"openai": Model()}, Charging()), [f"openai/made-up-{number}"])

    assert {labels["model"] for _, labels in meters.of(CALLS)} == {OTHER}
    assert {found.labels["model"] for found in meters.counted} == {OTHER}


def test_a_model_has_one_label_by_whichever_name_it_is_asked() -> None:
    assert labels_of(find_model("openai/gpt-4o-mini")) == labels_of(find_model("gpt-4o-mini")) == MINI


async def test_models_under_one_label_that_are_left_alone_are_counted_together() -> None:
    breakers, meters = Breakers(failures=1, rest_s=0, most=2), Meters()
    down = [ProviderUnavailableError("down") for _ in range(3)]
    table = Desk({"openai": Model(*down)}, Purse(), breakers)
    for number in (1, 2, 3, 3):
        with suppress(ProviderUnavailableError):
            await asked(meters, table, [f"openai/made-up-{number}"])

    # The third has the first forgotten, and answers in the end.
    assert [value for value, _ in meters.of(OPEN_GAUGE)] == [1, 2, 1, 2, 1]


async def test_a_model_is_left_alone_by_all_types_of_nodes_in_one_series() -> None:
    meters = Meters()
    with suppress(ProviderUnavailableError):
        await asked(meters, Desk({"openai": Model(ProviderUnavailableError("down"))}, Purse(), Breakers(failures=1)))

    [update] = [found for found in meters.buffer.retrieve_updates() if found.metric.name == OPEN_GAUGE]
    assert (update.value, update.attributes["activity_type"]) == (1, "any")


async def test_waiting_for_a_rate_is_timed_where_there_is_one() -> None:
    meters = Meters()
    rates = Rates(read_rates({"gpt-4o-mini": "1/second"}))
    table = Desk({"openai": Model()}, Purse(), rates=rates)
    for model in ("gpt-4o-mini", "gpt-4o", "gpt-4o-mini"):
        await asked(meters, table, [model])

    [(at_once, labels), (later, _)] = meters.of(RATE_WAIT)
    assert labels == MINI
    assert at_once < later < 5


async def test_giving_up_waiting_for_a_rate_is_timed_too() -> None:
    meters = Meters()
    table = Desk({"openai": Model()}, Purse(), rates=Rates(read_rates({"openai": "1/day"})))
    await asked(meters, table)
    waiting = asyncio.create_task(asked(meters, table))
    for _ in range(50):
        await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting

    assert len(meters.of(RATE_WAIT)) == 2
    assert len(meters.of(CALLS)) == 1


async def test_what_is_looked_up_in_the_cache_is_a_hit_or_a_miss(tmp_path: Path) -> None:
    async def ask() -> NodeOutput:
        return NodeOutput(output={"text": "Hello"})

    meters = Meters()
    storage = Lazily(lambda: open_storage(f"sqlite:///{tmp_path / 'storage.db'}"))
    cache = Cache(storage)
    visit = call("ModelInvoke", {}, cache=60.0, account=Account(purse="p", run_id="r"))
    for node in (visit, visit, visit.model_copy(update={"cache": None})):
        await meters.run(partial(cache.through, node, "q", ask))
    await cache.close()
    await storage.close()

    assert meters.of(CACHE) == [
        (1, {"type": "ModelInvoke", "outcome": "miss"}),
        (1, {"type": "ModelInvoke", "outcome": "hit"}),
    ]
