"""A model to ask, a place to keep that in, and an activity whose metrics are kept: for tests of the archive."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from threading import Event
from typing import Any, TypeVar

from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import ActivityEnvironment

from activities.archive import Archive
from activities.archive.writing import Patience
from activities.asking import Desk, Served
from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, Tool, ToolCall, Turn
from activities.spending import Bill, Purse
from orchestrator.contracts import Account, NodeCall
from orchestrator.errors import (
    BudgetExceededError,
    ProviderUnavailableError,
)
from orchestrator.models import ModelInfo
from tests.unit.loopback import call

KEY = "sk-ant-" + "A1b2C3d4" * 5
MAIL = "ada@example.org"
ACCOUNT = Account.model_validate(
    {
        "purse": "p",
        "run_id": "r",
        "try": 2,
        "definition": "triage",
        "tenant": "acme",
        "user": MAIL,
        "conversation": "c-1",
    }
)
QUICK = Patience(waits=(0.001,), answer=5, close=5)
Result = TypeVar("Result")


class Model:
    """A provider that fails as its script says, one call after the other; then it answers."""

    name = "openai"

    def __init__(self, *script: BaseException) -> None:
        self.script = list(script)

    async def complete(self, request: ChatRequest) -> ChatReply:
        if self.script:
            raise self.script.pop(0)
        asked = ToolCall(id="1", name="mail", arguments={"to": MAIL, "body": json.dumps({"password": "correct horse"})})
        return ChatReply(
            text=f"Write to {MAIL}. \ud800",
            model=f"{request.model}-2027",
            finish_reason="stop",
            input_tokens=12,
            output_tokens=7,
            tool_calls=(asked,),
        )

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        yield "Write "
        reply = await self.complete(request)
        yield reply.text.removeprefix("Write ")
        yield reply

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        return EmbedReply(vectors=((0.5, 0.25),) * len(request.texts), model=request.model, input_tokens=4)


class Paid(Purse):
    """Has every call cost a cent; or refuses it."""

    def __init__(self, *, refuses: bool = False) -> None:
        super().__init__()
        self.refuses = refuses

    @asynccontextmanager
    async def paying(self, *_: Any, **__: Any) -> AsyncGenerator[Bill]:
        if self.refuses:
            raise BudgetExceededError("run:p", cap=1, spent=1, reserved=0, asked=1)
        bill = Bill()
        yield bill
        bill.cost_usd = 0.01


class Place:
    """A place that is away as often as it is told to, or as long as it is held; then it keeps."""

    def __init__(self, *, fails: int = 0, held: Event | None = None) -> None:
        self.fails, self.held = fails, held
        self.kept: dict[str, bytes] = {}
        self.tried = 0

    def put(self, name: str, content: bytes) -> None:
        self.tried += 1
        if self.held is not None:
            self.held.wait(10)
        if self.tried <= self.fails:
            raise ProviderUnavailableError("it is away")
        self.kept[name] = content

    def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def names(self, beginning: str = "") -> Iterator[str]:
        return iter([name for name in self.kept if name.startswith(beginning)])

    @property
    def documents(self) -> list[dict[str, Any]]:
        return sorted((json.loads(content) for content in self.kept.values()), key=lambda it: it["visit"]["call"])


BUFFER = MetricBuffer(10_000)
RUNTIME = Runtime(telemetry=TelemetryConfig(metrics=BUFFER))


async def performed(work: Callable[[], Awaitable[Result]]) -> Result:
    environment = ActivityEnvironment()
    environment.metric_meter = RUNTIME.metric_meter
    environment.info = replace(environment.info, attempt=3, workflow_id="triage-1", workflow_run_id="0193-abcdefgh")
    return await environment.run(work)


async def asked(
    archive: Archive,
    provider: Model | None = None,
    *models: str,
    text: str = f"I am {MAIL}, my key is {KEY}",
    shown: bool = False,
    purse: Purse | None = None,
    visit: NodeCall | None = None,
) -> Served:
    desk = Desk({"openai": provider or Model()}, purse or Paid(), archive=archive)

    def request(model: ModelInfo) -> ChatRequest:
        return ChatRequest(
            model=model.wire_name,
            turns=(Turn("system", "Help."), Turn("user", text)),
            temperature=0.5,
            max_tokens=100,
            schema={"type": "object", "description": f"as for {MAIL}"},
            tools=(Tool(name="mail", description="Sends", parameters={"type": "object"}),),
        )

    async def ask() -> Served:
        asking = await desk.asking(visit or call("ModelInvoke", {}, account=ACCOUNT))
        return await asking.complete(models or ("openai/one",), request, shown=shown)

    return await performed(ask)
