"""Money and answers where something else goes wrong beside the call: the ledger, the server, a fallback, the answer."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_json
from temporalio.testing import ActivityEnvironment

from activities.asking import Asking, Desk
from activities.budgets import Budget, caps_for
from activities.caching import Cache
from activities.lazily import Lazily
from activities.providers.base import ChatReply, ChatRequest, Turn
from activities.providers.simulated import Simulated
from activities.spending import Purse
from orchestrator import errors
from orchestrator.contracts import Account, NodeCall, NodeOutput, Usage
from orchestrator.errors import (
    OrchestratorError,
    ProviderAuthError,
    ProviderError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RequestError,
    StreamSupersededError,
)
from orchestrator.models import ModelInfo, add_models, dollars, find_model
from storage import Accounts, Answers, Cap, EntryKey, Ledger, Standing, open_storage
from tests.unit.loopback import call, perform

KEY = EntryKey(first_run_id="first", node="node", visit=1, run_id="run")
ACCOUNT = Account(purse="first", run_id="run", cap_usd=1.0, definition="talk", tenant="acme")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'storage.db'}"


@pytest.fixture
async def purse(url: str) -> AsyncGenerator[Purse]:
    storage = Lazily(partial(open_storage, url))
    yield Purse(storage)
    await storage.close()


def take_ledger_away(folder: Path) -> None:
    connection = sqlite3.connect(folder / "storage.db")
    connection.execute("DROP TABLE ledger_entries")
    connection.close()


async def standing(url: str) -> Standing:
    async with open_storage(url) as storage:
        return await Ledger(storage).standing("run:first")


@pytest.mark.parametrize(
    "error",
    [
        ProviderRejectedError("wrong"),
        ProviderTimeoutError("slow", may_have_charged=True),
        StreamSupersededError("another attempt writes"),
        asyncio.CancelledError(),
    ],
    ids=["refused", "slow", "superseded", "cancelled"],
)
async def test_a_call_that_failed_says_why_also_where_the_ledger_is_away_by_then(
    error: BaseException, purse: Purse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def pay() -> None:
        async with purse.paying(find_model("gpt-4o-mini"), ["Hi"], 10, call("ModelInvoke", {}, account=ACCOUNT)):
            take_ledger_away(tmp_path)
            raise error

    async def caught() -> BaseException:
        with pytest.raises(type(error)) as found:
            await pay()
        return found.value

    assert await ActivityEnvironment().run(caught) is error
    assert "what became of a call of gpt-4o-mini cannot be noted" in caplog.text


class Scripted:
    """A provider that fails as its script says, one call after the other; then it answers."""

    name = "openai"

    def __init__(self, *script: ProviderError) -> None:
        self.script = list(script)
        self.asked: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        if self.script:
            raise self.script.pop(0)
        return ChatReply(text="fine", model=request.model, finish_reason="stop", input_tokens=1000, output_tokens=500)


def hello(model: ModelInfo) -> ChatRequest:
    return ChatRequest(model=model.wire_name, turns=(Turn("user", "Hi"),), max_tokens=1000)


@pytest.mark.parametrize("charged", [True, False])
async def test_what_a_declined_model_may_have_charged_counts_in_the_usage_as_in_the_ledger(
    charged: bool,  # noqa: FBT001 - a parameter
    purse: Purse,
    url: str,
) -> None:
    desk = Desk({"openai": Scripted(ProviderTimeoutError("slow", may_have_charged=charged))}, purse)
    asking = Asking(desk, call("ModelInvoke", {}, account=ACCOUNT))
    served = await ActivityEnvironment().run(asking.complete, ["gpt-4o", "gpt-4o-mini"], hello)

    assert [other.code for other in served.declined] == ["PROVIDER_TIMEOUT"]
    found = await standing(url)
    assert asking.usage.cost_usd == pytest.approx(float(dollars(found.spent)))
    assert (asking.usage.calls, found.reserved) == (2 if charged else 1, 0)
    assert (found.spent > 450_000) == charged


class Preparing(Scripted):
    """A provider that tells its model how to answer, in words that only its bill shows."""

    async def complete(self, request: ChatRequest) -> ChatReply:
        return replace(await super().complete(request), input_tokens=530 + 20, output_tokens=10)


async def test_what_providers_tell_their_models_of_a_schema_is_set_aside_too(purse: Purse, url: str) -> None:
    def request(model: ModelInfo) -> ChatRequest:
        turns = (Turn("user", "Hi"),)
        return ChatRequest(model=model.wire_name, turns=turns, max_tokens=10, schema={"type": "object"})

    asking = Asking(Desk({"openai": Preparing()}, purse), call("ModelInvoke", {}, account=ACCOUNT))
    await ActivityEnvironment().run(asking.complete, ["gpt-4o-mini"], request)

    async with open_storage(url) as storage:
        [entry] = await Accounts(storage).entries("run-1")
    assert entry.spent is not None
    assert entry.reserved >= entry.spent > 0


async def test_a_fallback_without_its_key_tells_of_the_models_before_it() -> None:
    asking = Asking(Desk({"openai": Scripted(ProviderUnavailableError("down"))}, Purse()), call("ModelInvoke", {}))

    async def ask() -> None:
        with pytest.raises(ProviderAuthError, match="ANTHROPIC_API_KEY") as caught:
            await asking.complete(["openai/one", "anthropic/two"], hello)
        assert caught.value.details["declined"] == [
            {"model": "openai/one", "code": "PROVIDER_UNAVAILABLE", "message": "down"}
        ]

    await ActivityEnvironment().run(ask)


def scopes(budget: Budget, **account: Any) -> set[str]:
    found = caps_for(Account(purse="p", run_id="r", **account), [budget])
    return {cap.scope for cap in found if cap.scope != "run:p"}


def test_no_name_puts_one_tenant_into_the_scope_of_another() -> None:
    user = Budget(per="user", hard_usd=Decimal(1))
    assert scopes(user, tenant="a/b", user="c") == {"user:a%2Fb/c"}
    assert scopes(user, tenant="a", user="b/c") == {"user:a/b%2Fc"}
    assert scopes(user, tenant="a", user="b%2Fc") == {"user:a/b%252Fc"}

    [day] = scopes(Budget(per="tenant", each="day", hard_usd=Decimal(1)), tenant="acme")
    ever = scopes(Budget(per="tenant", hard_usd=Decimal(1)), tenant=day.removeprefix("tenant:"))
    assert ever.isdisjoint({day})


async def test_a_cap_beyond_counting_is_the_highest_that_there_is(url: str) -> None:
    [own] = caps_for(ACCOUNT.model_copy(update={"cap_usd": 1e300}), [])
    async with open_storage(url) as storage:
        ledger = Ledger(storage)
        await ledger.reserve(KEY, 5, [own], provider="openai", model="one")
        assert await ledger.standing(own.scope) == Standing(spent=0, reserved=5)


async def test_a_call_that_may_cost_more_than_can_be_counted_is_refused(url: str) -> None:
    async with open_storage(url) as storage:
        with pytest.raises(RequestError, match="max_tokens"):
            await Ledger(storage).reserve(KEY, 10**20, [Cap("run:first")], provider="openai", model="one")
        assert await Ledger(storage).open_entries() == []


@pytest.fixture
async def cache(url: str) -> AsyncGenerator[Cache]:
    storage = Lazily(partial(open_storage, url))
    found = Cache(storage)
    yield found
    await found.close()
    await storage.close()


class Asked:
    """Answers with a text, and counts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.times = 0

    async def __call__(self) -> NodeOutput:
        self.times += 1
        return NodeOutput(output={"text": self.text}, usage=Usage(calls=1))


def kept_visit() -> NodeCall:
    return call("ModelInvoke", {}, account=ACCOUNT, cache=60.0)


async def test_an_answer_that_is_paid_for_and_cannot_be_kept_is_given_all_the_same(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    output, kept = await cache.through(kept_visit(), "q", Asked("half \ud83d"))

    assert (output.output["text"], kept) == ("half \ud83d", False)
    assert "cannot be kept: it is no JSON" in caplog.text
    assert "half" not in caplog.text


async def test_where_what_was_kept_is_no_json_the_model_is_asked(cache: Cache, url: str) -> None:
    async with open_storage(url) as storage:
        await Answers(storage).keep(sha256(to_json(["ModelInvoke", "acme", "q"])).hexdigest(), b"{no JSON", 60.0)
    ask = Asked("fresh")

    assert [(await cache.through(kept_visit(), "q", ask))[1] for _ in (1, 2)] == [False, True]
    assert ask.times == 1


async def test_a_summary_asks_for_no_more_than_the_model_can_write(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("models: {brief: {provider: openai, window: 1000, most_output: 50}}\n", encoding="utf-8")
    add_models(file)
    provider = Scripted()
    config = {"model": "brief", "prompt": "p" * 3_000, "truncate": {"strategy": "summarise"}, "max_tokens": 20}
    try:
        await perform(call("ModelInvoke", config), chat={"openai": provider, "simulated": Simulated()})
    finally:
        add_models(None)

    assert [request.max_tokens for request in provider.asked] == [50, 50, 20]


def test_the_tree_of_errors_shows_each_of_them() -> None:
    shown = {line.lstrip("│├└─ ").split(" ")[0] for line in (errors.__doc__ or "").splitlines() if line}
    classes = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)} - {"Issue"}

    assert issubclass(OrchestratorError, Exception)
    assert classes - shown == set()
