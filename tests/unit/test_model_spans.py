"""What spans of model calls hold: the names of the conventions, and texts only where they are asked for."""

import json
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.testing import ActivityEnvironment

from activities.asking import Desk, Served, spans
from activities.asking.content import input_messages, output_messages, system_instructions
from activities.asking.spans import CAPTURE
from activities.masking import Masker
from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, ToolCall, Turn
from activities.providers.simulated import Simulated
from activities.secrets import SECRET_PREFIX, NamedSecrets
from activities.spending import Purse
from orchestrator.errors import ProviderError, ProviderUnavailableError
from orchestrator.models import ModelInfo, find_model
from tests.unit.loopback import call

MAIL = "ada.lovelace@example.org"
KEY = "sk-ant-" + "Ab1" * 10
MODEL = find_model("gpt-4o-mini")
TEXT = "the quick brown fox"
MASKER = Masker()
MESSAGE: dict[str, Any] = {
    "type": "object",
    "required": ["role", "parts"],
    "properties": {
        "role": {"enum": ["system", "user", "assistant", "tool"]},
        "finish_reason": {"enum": ["stop", "length", "content_filter", "tool_call", "error"]},
        "parts": {
            "type": "array",
            "items": {
                "oneOf": [
                    {"required": ["content"], "properties": {"type": {"const": "text"}, "content": {"type": "string"}}},
                    {
                        "required": ["id", "name", "arguments"],
                        "properties": {"type": {"const": "tool_call"}, "id": {"type": "string"}},
                    },
                    {
                        "required": ["id", "result"],
                        "properties": {"type": {"const": "tool_call_response"}, "id": {"type": "string"}},
                    },
                ]
            },
        },
    },
}
"""The parts of the conventions' JSON Schemas for messages that we write."""


def fits(written: str) -> list[Any]:
    """What is written, which has to be a list of messages."""
    found = json.loads(written)
    jsonschema_rs.validator_for({"type": "array", "items": MESSAGE}).validate(found)
    return found


class Model:
    """A provider that answers, or fails as its script says."""

    name = "openai"

    def __init__(self, *script: ProviderError, text: str = TEXT, tool_calls: tuple[ToolCall, ...] = ()) -> None:
        self.script = list(script)
        self.text = text
        self.tool_calls = tool_calls

    async def complete(self, request: ChatRequest) -> ChatReply:
        if self.script:
            raise self.script.pop(0)
        return ChatReply(
            text=self.text,
            model=f"{request.model}-2024",
            finish_reason="stop",
            input_tokens=12,
            output_tokens=7,
            tool_calls=self.tool_calls,
        )

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        reply = await self.complete(request)
        yield reply.text
        yield reply

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        return EmbedReply(vectors=((1.0,),), model=request.model, input_tokens=4)


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Generator[InMemorySpanExporter]:
    """What is exported, as by a worker that traces."""
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The process has one provider, set once; a test has its own.
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    monkeypatch.delenv(CAPTURE, raising=False)
    yield exporter
    provider.shutdown()


async def asked(
    model: Any,
    turns: tuple[Turn, ...] = (Turn("user", TEXT),),
    *names: str,
    shown: bool = False,
    masker: Masker = MASKER,
    **more: Any,
) -> Served:
    def request(info: ModelInfo) -> ChatRequest:
        return ChatRequest(model=info.wire_name, turns=turns, **more)

    async def ask() -> Served:
        asking = await Desk({model.name: model}, Purse(), masker=masker).asking(call("ModelInvoke", {}))
        return await asking.complete(names or ("gpt-4o-mini",), request, shown=shown)

    return await ActivityEnvironment().run(ask)


def attributes(exporter: InMemorySpanExporter) -> Mapping[str, Any]:
    """Those of the one span there is."""
    [span] = exporter.get_finished_spans()
    return span.attributes or {}


async def test_a_span_has_what_was_asked_for_and_taken_by_the_names_of_the_conventions(
    exported: InMemorySpanExporter,
) -> None:
    await asked(Model(), shown=True, max_tokens=50, temperature=0.5, schema={"type": "object"})

    [span] = exported.get_finished_spans()
    found: dict[str, Any] = dict(span.attributes or {})
    assert 0 <= found.pop("gen_ai.response.time_to_first_chunk") < 60
    assert (span.name, span.kind) == ("chat gpt-4o-mini", trace.SpanKind.CLIENT)
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.output.type": "json",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.model": "gpt-4o-mini-2024",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 7,
    }


async def test_a_span_of_vectors_says_how_long_they_are_to_be(exported: InMemorySpanExporter) -> None:
    async def embed() -> None:
        asking = await Desk({"openai": Model()}, Purse()).asking(call("Embed", {}))
        await asking.embed("openai/text-embedding-3-small", [TEXT], 256)

    await ActivityEnvironment().run(embed)

    assert attributes(exported) == {
        "gen_ai.embeddings.dimension.count": 256,
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "text-embedding-3-small",
        "gen_ai.response.model": "text-embedding-3-small",
        "gen_ai.usage.input_tokens": 4,
    }


async def test_a_simulated_answer_is_said_to_be_one(exported: InMemorySpanExporter) -> None:
    await asked(Simulated())

    assert attributes(exported)["orchestrator.simulated"] is True


async def test_a_call_that_fails_has_the_code_of_its_error(exported: InMemorySpanExporter) -> None:
    with pytest.raises(ProviderUnavailableError):
        await asked(Model(ProviderUnavailableError(TEXT)))

    [span] = exported.get_finished_spans()
    assert (span.attributes or {})["error.type"] == span.status.description == "PROVIDER_UNAVAILABLE"
    assert TEXT not in span.to_json()


@pytest.mark.parametrize("said", [None, "", "false", "no_content", "event_only", "1"])
@pytest.mark.parametrize("shown", [False, True])
async def test_no_text_is_in_a_span_where_nobody_asks_for_it(
    said: str | None, *, shown: bool, exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is not None:
        monkeypatch.setenv(CAPTURE, said)
    await asked(Model(), (Turn("system", TEXT), Turn("user", TEXT)), shown=shown)

    [span] = exported.get_finished_spans()
    assert TEXT not in span.to_json()
    assert {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"}.isdisjoint(
        span.attributes or {}
    )


@pytest.mark.parametrize("said", ["true", "TRUE", "span_only", "SPAN_AND_EVENT"])
async def test_texts_are_in_the_span_where_they_are_asked_for(
    said: str, exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CAPTURE, said)
    await asked(Model(), (Turn("system", "Be brief."), Turn("user", "Who is there?")))

    found = attributes(exported)
    assert json.loads(found["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be brief."}]
    assert fits(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Who is there?"}]}
    ]
    assert fits(found["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": TEXT}], "finish_reason": "stop"}
    ]


async def test_of_a_call_that_failed_the_question_is_there_if_it_is_asked_for(
    exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CAPTURE, "true")
    with pytest.raises(ProviderUnavailableError):
        await asked(Model(ProviderUnavailableError("down")))

    found = attributes(exported)
    assert TEXT in found["gen_ai.input.messages"]
    assert "gen_ai.output.messages" not in found


async def test_secrets_and_personal_data_are_masked_wherever_they_stand(
    exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CAPTURE, "true")
    told = f"write to {MAIL} with {KEY}"
    wanted = ToolCall(id="c1", name="send", arguments={"to": MAIL, "key": [KEY]})
    turns = (
        Turn("system", told),
        Turn("user", told),
        Turn("assistant", told, tool_calls=(wanted,)),
        Turn("tool", told, tool_call_id="c1"),
    )
    served = await asked(Model(text=told), turns)

    [span] = exported.get_finished_spans()
    assert served.reply.text == told
    assert "[e-mail address]" in span.to_json()
    assert (MAIL in span.to_json(), KEY in span.to_json()) == (False, False)


@pytest.mark.parametrize("filler", ["", "x " * 3_996, "x " * 10_000])
async def test_a_secret_that_the_worker_knows_and_a_password_in_a_call_of_a_tool_are_masked(
    filler: str, exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, password = "plum-tree-1904", "correct horse battery"
    monkeypatch.setenv(CAPTURE, "true")
    monkeypatch.setenv(f"{SECRET_PREFIX}CRM", named)
    wanted = ToolCall(
        id=f"c-{named}",
        name=f"n-{named}",
        arguments={"note": filler, "login": {"password": password}, "password": [password], named: [f"is {named}"]},
    )
    turns = (
        Turn("system", f"{filler}It is {named}."),
        Turn("user", f"{filler}It is {named}."),
        Turn("assistant", "", tool_calls=(wanted,)),
        Turn("tool", json.dumps({"filler": filler, "password": password, "as": named}), tool_call_id=f"c-{named}"),
    )
    reply = Model(text=f"{filler}It is {named}.", tool_calls=(wanted,))
    await asked(reply, turns, masker=Masker([NamedSecrets(SECRET_PREFIX).mask]))

    [span] = exported.get_finished_spans()
    shown = span.to_json()
    assert "tool_call_response" in shown
    assert not [part for part in (named[:6], named[-6:], *password.split()) if part in shown]


async def test_half_a_character_keeps_no_span_from_being_sent(
    exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Half(Model):
        async def complete(self, request: ChatRequest) -> ChatReply:
            return replace(await super().complete(request), model="m\ud800")

    monkeypatch.setenv(CAPTURE, "true")
    odd = ToolCall(id="c\ud800", name="send\ud800", arguments={"to\ud800": "\ud800"})
    turns = (Turn("user", "a\ud800"), Turn("assistant", "", tool_calls=(odd,)))
    request = ChatRequest(model="m", turns=turns)
    model = replace(find_model("openai/one"), wire_name="one\ud800")
    async with spans.model_span(model, request, MASKER) as call_span:
        with call_span.asking():
            call_span.answered(await Half(text="b\udfff").complete(request))

    [span] = exported.get_finished_spans()
    assert json.loads(attributes(exported)["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "b?"}]
    for value in (span.name, *(span.attributes or {}).values()):
        assert str(value).encode()


async def test_what_cannot_be_noted_fails_no_call_that_was_paid_for(
    exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(CAPTURE, "true")

    def broken(text: str) -> str:
        raise ValueError(text)

    served = await asked(Model(), masker=Masker([broken]))

    [span] = exported.get_finished_spans()
    assert served.reply.text == TEXT
    assert TEXT not in span.to_json()
    assert "cannot be noted in its span (ValueError)" in caplog.text
    assert TEXT not in caplog.text


def test_calls_of_tools_and_their_results_have_the_form_of_the_conventions() -> None:
    wanted = ToolCall(id="c1", name="weather", arguments={"place": "Paris"})
    turns = (Turn("assistant", "", tool_calls=(wanted,)), Turn("tool", "rainy", tool_call_id="c1"))
    reply = ChatReply(
        text="", model="m", finish_reason="tool_calls", input_tokens=1, output_tokens=1, tool_calls=(wanted,)
    )
    part = {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"place": "Paris"}}

    assert system_instructions(turns, MASKER) is None
    assert fits(input_messages(turns, MASKER)) == [
        {"role": "assistant", "parts": [part]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": "rainy"}]},
    ]
    assert fits(output_messages(reply, MASKER)) == [
        {"role": "assistant", "parts": [part], "finish_reason": "tool_call"}
    ]


@pytest.mark.parametrize(
    "written",
    [
        lambda: input_messages([Turn("user", "x" * 5_000_000)], MASKER),
        lambda: input_messages([Turn("user", f"question {number} " + "x" * 500) for number in range(100_000)], MASKER),
        lambda: input_messages([Turn("user", "") for _ in range(100_000)], MASKER),
        lambda: system_instructions([Turn("system", "x" * 50_000) for _ in range(1_000)], MASKER),
        lambda: input_messages(
            [Turn("assistant", "", tool_calls=(ToolCall(id="c", name="n", arguments={"x": "y" * 100_000}),) * 1_000)],
            MASKER,
        ),
    ],
    ids=["long", "many", "empty", "system", "tools"],
)
def test_what_a_span_holds_is_bounded(written: Callable[[], str]) -> None:
    found = written()

    assert 8_000 < len(found) < 200_000
    assert json.loads(found)


def test_of_a_long_conversation_the_end_is_kept_and_a_cut_text_says_how_long_it_was() -> None:
    turns = [Turn("user", "x" * 10_001), *(Turn("user", f"{number} " + "x" * 990) for number in range(50))]

    [*_, before, last] = fits(input_messages(turns, MASKER))
    [cut] = fits(input_messages(turns[:1], MASKER))

    assert (before["parts"][0]["content"][:3], last["parts"][0]["content"][:3]) == ("48 ", "49 ")
    assert cut["parts"][0]["content"] == "x" * 8_000 + "… (of 10001 characters)"


@pytest.mark.parametrize("shrinking", ["", f"{MAIL} " * 390])
def test_a_secret_where_a_text_is_cut_is_not_shown_in_halves(shrinking: str) -> None:
    for at in (*range(7_950, 8_010, 3), *range(9_950, 10_010, 3)):
        text = (shrinking + "x " * at)[:at] + " " + KEY + " tail" * 1_000

        assert KEY[:8] not in input_messages([Turn("user", text)], MASKER)
