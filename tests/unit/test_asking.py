"""Asking models: fallbacks, who is left alone, and rates; providers here say what the test wants them to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from limits import RateLimitItem
from temporalio.testing import ActivityEnvironment

from activities.asking import Breakers, Desk, Rates, Served, read_rates
from activities.asking.breaker import Breaker
from activities.asking.passing import passing
from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, Turn
from activities.spending import Bill, Purse
from orchestrator.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderOverloadedError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    SettingsError,
    StorageUnavailableError,
)
from orchestrator.models import ModelInfo, find_model
from tests.unit.loopback import call

MODEL = find_model("openai/one")


class Scripted:
    """A provider that does what its script says, one call after the other; then it answers."""

    def __init__(self, *script: ProviderError, name: str = "openai") -> None:
        self.name = name
        self.script = list(script)
        self.asked: list[str] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request.model)
        if self.script:
            raise self.script.pop(0)
        return ChatReply(
            text=f"by {request.model}", model=request.model, finish_reason="stop", input_tokens=3, output_tokens=2
        )

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        reply = await self.complete(request)
        yield reply.text
        yield reply

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        self.asked.append(request.model)
        return EmbedReply(vectors=((1.0, 0.0),) * len(request.texts), model=request.model, input_tokens=4)


def desk(provider: Scripted, breakers: Breakers | None = None) -> Desk:
    return Desk({"openai": provider}, Purse(), breakers or Breakers())


async def asked(table: Desk, models: Sequence[str], *, shown: bool = False) -> Served:
    def request(model: ModelInfo) -> ChatRequest:
        return ChatRequest(model=model.wire_name, turns=(Turn("user", "Hi"),))

    async def ask() -> Served:
        asking = await table.asking(call("ModelInvoke", {}))
        return await asking.complete(models, request, shown=shown)

    return await ActivityEnvironment().run(ask)


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnavailableError("down"),
        ProviderOverloadedError("busy"),
        ProviderTimeoutError("slow"),
        ProviderRateLimitedError("too many"),
    ],
)
@pytest.mark.parametrize("shown", [False, True])
async def test_a_fallback_answers_where_the_model_is_unwell_and_the_output_says_so(
    error: ProviderError, *, shown: bool
) -> None:
    provider = Scripted(error)

    served = await asked(desk(provider), ["openai/one", "openai/two"], shown=shown)

    assert (served.reply.text, served.model.name) == ("by two", "openai/two")
    assert [other.as_json() for other in served.declined] == [
        {"model": "openai/one", "code": error.code, "message": error.message}
    ]


@pytest.mark.parametrize("error", [ProviderRejectedError("wrong"), ProviderAuthError("no key")])
async def test_no_fallback_is_asked_where_that_could_not_help(error: ProviderError) -> None:
    provider = Scripted(error)

    with pytest.raises(type(error)):
        await asked(desk(provider), ["openai/one", "openai/two"])

    assert provider.asked == ["one"]


async def test_where_every_model_is_unwell_the_last_error_tells_of_the_others() -> None:
    provider = Scripted(ProviderUnavailableError("down"), ProviderOverloadedError("busy"))

    with pytest.raises(ProviderOverloadedError) as caught:
        await asked(desk(provider), ["openai/one", "openai/two"])

    assert caught.value.details["declined"] == [
        {"model": "openai/one", "code": "PROVIDER_UNAVAILABLE", "message": "down"}
    ]


async def test_a_fallback_without_a_key_does_not_hide_why_the_first_model_did_not_answer() -> None:
    with pytest.raises(ProviderAuthError, match="ANTHROPIC_API_KEY") as raised:
        await asked(desk(Scripted(ProviderUnavailableError("down"))), ["openai/one", "claude-haiku-4-5"])

    assert raised.value.details["declined"] == [
        {"model": "openai/one", "code": "PROVIDER_UNAVAILABLE", "message": "down"}
    ]


async def test_a_model_that_keeps_failing_is_left_alone_and_its_fallback_is_asked_at_once() -> None:
    provider = Scripted(*[ProviderUnavailableError("down") for _ in range(3)])
    table = desk(provider, Breakers(failures=3))
    for _ in range(3):
        with pytest.raises(ProviderUnavailableError):
            await asked(table, ["openai/one"])

    served = await asked(table, ["openai/one", "openai/two"])

    assert provider.asked == ["one", "one", "one", "two"]
    assert "left alone" in served.declined[0].message


def fail(breaker: Breaker, error: BaseException) -> None:
    with pytest.raises(type(error)), breaker.guarding():
        raise error


def test_after_a_while_one_call_tries_whether_the_model_is_well_again() -> None:
    now, told = [0.0], list[int]()
    breaker = Breaker("it", failures=2, rest_s=30, clock=lambda: now[0], tell=told.append)
    for _ in range(2):
        fail(breaker, ProviderUnavailableError("down"))
    now[0] = 10.0
    with pytest.raises(ProviderUnavailableError) as refused, breaker.guarding():
        pytest.fail("it was asked")
    assert refused.value.retry_after_s == 20.0

    now[0] = 30.0
    with breaker.guarding(), pytest.raises(ProviderUnavailableError, match="left alone"), breaker.guarding():
        pytest.fail("a second one was let through")
    with breaker.guarding():
        told.append(9)

    assert told == [1, 0, 9]


def test_a_trial_that_fails_leaves_the_model_alone_anew() -> None:
    now = [0.0]
    breaker = Breaker("it", failures=1, rest_s=30, clock=lambda: now[0])
    fail(breaker, ProviderUnavailableError("down"))
    now[0] = 31.0
    fail(breaker, ProviderUnavailableError("still down"))
    now[0] = 60.0
    with pytest.raises(ProviderUnavailableError, match="left alone"), breaker.guarding():
        pytest.fail("it was asked")


def test_a_trial_that_is_cancelled_leaves_it_to_the_next_one() -> None:
    now = [0.0]
    breaker = Breaker("it", failures=1, rest_s=30, clock=lambda: now[0])
    fail(breaker, ProviderUnavailableError("down"))
    now[0] = 31.0
    fail(breaker, asyncio.CancelledError())
    with breaker.guarding():
        now[0] = 32.0


@pytest.mark.parametrize("error", [ProviderRejectedError("wrong"), ProviderRateLimitedError("too many")])
def test_a_provider_that_answers_is_not_left_alone_for_what_others_did_wrong(error: ProviderError) -> None:
    breaker = Breaker("it", failures=2)
    fail(breaker, ProviderUnavailableError("down"))
    fail(breaker, error)
    fail(breaker, ProviderUnavailableError("down"))
    asked: list[str] = []
    with breaker.guarding():
        asked.append("again")
    assert asked == ["again"]


def test_a_call_from_before_does_not_give_the_trial_of_another_one_back() -> None:
    now = [0.0]
    breaker = Breaker("it", failures=1, rest_s=30, clock=lambda: now[0])
    before = ExitStack()
    before.enter_context(breaker.guarding())
    fail(breaker, ProviderUnavailableError("down"))
    now[0] = 31.0
    with breaker.guarding():
        cancelled = asyncio.CancelledError()
        before.__exit__(type(cancelled), cancelled, None)
        with pytest.raises(ProviderUnavailableError, match="left alone"), breaker.guarding():
            pytest.fail("a second one was let through")


def named(number: int) -> ModelInfo:
    return find_model(f"openai/made-up-{number}")


def test_names_that_people_make_up_take_no_more_breakers_than_there_may_be() -> None:
    breakers = Breakers(failures=1, most=3)
    fail(breakers.of(named(0)), ProviderUnavailableError("down"))
    first, kept = breakers.of(named(2)), breakers.of(named(1))
    for number in range(3, 100):
        breakers.of(named(number))
        assert breakers.of(named(1)) is kept

    assert breakers.of(named(0)).is_open
    assert breakers.of(named(2)) is not first


def test_where_all_are_left_alone_the_one_that_was_asked_the_longest_ago_is_forgotten() -> None:
    breakers = Breakers(failures=1, most=3)
    for number in range(5):
        fail(breakers.of(named(number)), ProviderUnavailableError("down"))

    assert [breakers.of(named(number)).is_open for number in (4, 3, 2)] == [True] * 3
    assert not breakers.of(named(0)).is_open


async def enter(rates: Rates, breakers: Breakers | None = None) -> None:
    async with passing(MODEL, breakers or Breakers(), rates):
        pass


class Full(Rates):
    """Rates that tell when somebody has found no room in them, and goes to sleep."""

    def __init__(self, rates: dict[str, str]) -> None:
        super().__init__(read_rates(rates))
        self.found = asyncio.Event()

    async def hit(self, rate: RateLimitItem, name: str) -> float:
        wait = await super().hit(rate, name)
        if wait:
            self.found.set()
        return wait


async def test_who_waits_for_a_rate_does_not_keep_the_trial_from_others() -> None:
    rates, breakers = Full({"openai": "1/day"}), Breakers(failures=1, rest_s=0)
    await enter(rates)
    fail(breakers.of(MODEL), ProviderUnavailableError("down"))
    waiting = asyncio.create_task(enter(rates, breakers))
    await rates.found.wait()
    assert not waiting.done()

    with breakers.of(MODEL).guarding() as passage:
        assert passage.trial

    assert not breakers.of(MODEL).is_open
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_who_waited_while_the_model_was_found_unwell_is_refused_and_takes_no_place() -> None:
    rates, breakers = Full({"openai": "1/second"}), Breakers(failures=1)
    await enter(rates)
    waiting = asyncio.create_task(enter(rates, breakers))
    await rates.found.wait()
    fail(breakers.of(MODEL), ProviderUnavailableError("down"))

    with pytest.raises(ProviderUnavailableError, match="left alone"):
        await waiting

    assert await rates.place(MODEL).take() == 0


async def test_who_is_left_alone_takes_no_place_in_the_rate() -> None:
    rates, breakers = Rates(read_rates({"openai": "1/day"})), Breakers(failures=1)
    fail(breakers.of(MODEL), ProviderUnavailableError("down"))

    with pytest.raises(ProviderUnavailableError, match="left alone"):
        await enter(rates, breakers)

    assert await rates.place(MODEL).take() == 0


async def test_a_model_whose_own_rate_is_full_takes_no_place_of_its_provider() -> None:
    rates = Rates(read_rates({"openai": "2/day", "openai/one": "1/day"}))
    await enter(rates)
    assert await rates.place(MODEL).take() > 0

    assert await rates.place(find_model("openai/two")).take() == 0


async def test_calls_above_the_rate_wait_until_there_is_room() -> None:
    rates = Rates(read_rates({"openai": "2/second"}))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(3):
        await enter(rates)
    assert loop.time() - began >= 0.5


async def test_a_model_without_a_rate_never_waits() -> None:
    rates = Rates(read_rates({"anthropic": "1/day"}))
    async with asyncio.timeout(5):
        for _ in range(100):
            await enter(rates)


@pytest.mark.parametrize("rate", ["often", "", "-1/second", "10/second;3/minute", "1.5/second"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(SettingsError, match=f"'{rate}' of 'openai' is no rate"):
        read_rates({"openai": rate})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("opnai", "did you mean 'openai'?"),
        ("gpt-4o-mimi", "did you mean 'gpt-4o-mini'?"),
        ("of-nobody/x", "`orchestrator models` shows both"),
    ],
)
def test_a_rate_for_what_is_neither_a_provider_nor_a_model_is_refused(name: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=r"MODEL_RATES: '.*' is neither a provider nor a model") as caught:
        read_rates({"openai": "9/day", "gpt-4o": "9/day", "openai/anything": "9/day", name: "9/day"})
    assert caught.value.message.endswith(hint)


def test_a_rate_that_would_let_nobody_through_is_refused() -> None:
    with pytest.raises(SettingsError, match="'0/second' of 'openai' would have every call wait for ever"):
        read_rates({"openai": "0/second"})


async def test_a_redis_that_is_away_is_no_fault_of_the_model_and_its_address_is_not_told() -> None:
    provider = Scripted()
    rates = Rates(read_rates({"openai": "5/second"}), "redis://user:geheim@127.0.0.1:1/0")
    table = replace(desk(provider, Breakers(failures=1)), rates=rates)

    for _ in range(2):
        with pytest.raises(StorageUnavailableError, match="the rate of openai cannot be counted: Redis") as raised:
            await asked(table, ["openai/one", "openai/two"])
        assert "geheim" not in raised.value.message
    assert provider.asked == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:6379", "redis://127.0.0.1:port/0"])
async def test_a_redis_address_that_is_none_is_said_to_be_so(address: str) -> None:
    with pytest.raises(SettingsError, match="ORCHESTRATOR_REDIS_URL is no address of a Redis"):
        await enter(Rates(read_rates({"openai": "5/second"}), address))


@pytest.mark.parametrize("shown", [False, True])
async def test_half_a_character_in_an_answer_becomes_a_question_mark(*, shown: bool) -> None:
    class Half(Scripted):
        async def complete(self, request: ChatRequest) -> ChatReply:
            return replace(await super().complete(request), text="a\ud800b", model="m\udfff")

    served = await asked(desk(Half()), ["openai/one"], shown=shown)

    assert (served.reply.text, served.reply.model) == ("a?b", "m?")


@pytest.mark.parametrize(("tokens_in", "tokens_out", "known"), [(3, 0, False), (0, 2, False), (3, 2, True)])
async def test_an_answer_that_says_only_half_of_what_it_took_is_not_half_free(
    tokens_in: int, tokens_out: int, *, known: bool
) -> None:
    bills: list[Bill] = []

    class Half(Scripted):
        async def complete(self, request: ChatRequest) -> ChatReply:
            return replace(await super().complete(request), input_tokens=tokens_in, output_tokens=tokens_out)

    class Noting(Purse):
        @asynccontextmanager
        async def paying(self, *_: Any, **__: Any) -> AsyncGenerator[Bill]:
            bills.append(Bill())
            yield bills[0]

    await asked(Desk({"openai": Half()}, Noting()), ["openai/one"])

    [bill] = bills
    # What is not known is booked at what was set aside.
    expected = (tokens_in, tokens_out) if known else (None, None)
    assert (bill.input_tokens, bill.output_tokens) == expected


async def test_each_text_gets_a_vector_and_is_paid_for() -> None:
    async def embed() -> Any:
        asking = await desk(Scripted()).asking(call("Embed", {}))
        reply, provider = await asking.embed("openai/vectors", ["a", "b"], None)
        return len(reply.vectors), provider, asking.usage.input_tokens, asking.usage.calls

    assert await ActivityEnvironment().run(embed) == (2, "openai", 4, 1)
