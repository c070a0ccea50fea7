"""Model providers: one contract for all, then what is particular to each."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.providers.base import ChatProvider, ChatRequest, Turn
from activities.providers.openai_compatible import OpenAICompatible
from activities.providers.retry_after import MAX_WAIT_S, retry_after
from activities.providers.simulated import MARK, Simulated, estimate_tokens
from orchestrator.errors import (
    OrchestratorError,
    ProviderAuthError,
    ProviderError,
    ProviderOverloadedError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RequestError,
)
from orchestrator.models import find_model, known_models
from tests.unit.loopback import Answer, Web, web

KEY = "sk-very-secret"
COMPLETION: dict[str, Any] = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "served-model",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}


@pytest.fixture
async def served() -> AsyncIterator[tuple[OpenAICompatible, Web]]:
    with web() as site:
        site.answers = [Answer(body=COMPLETION)]
        provider = OpenAICompatible(api_key=KEY, base_url=f"{site.url}/v1", timeout=5)
        yield provider, site
        await provider.close()


def ask(text: str, **more: Any) -> ChatRequest:
    return ChatRequest(model="m", turns=(Turn("system", "Be brief."), Turn("user", text)), **more)


@pytest.fixture(params=["openai", "simulated"])
def provider(request: pytest.FixtureRequest, served: tuple[OpenAICompatible, Web]) -> ChatProvider:
    return served[0] if request.param == "openai" else Simulated()


async def test_a_reply_has_text_usage_and_a_reason_to_end(provider: ChatProvider) -> None:
    reply = await provider.complete(ask("Hello?"))
    assert reply.text
    assert reply.finish_reason == "stop"
    assert reply.input_tokens > 0
    assert reply.output_tokens > 0
    assert reply.simulated == (provider.name == "simulated")


async def test_the_question_goes_over_the_wire_as_it_was_asked(served: tuple[OpenAICompatible, Web]) -> None:
    openai, site = served
    await openai.complete(ask("Hi", temperature=0.5, max_tokens=9, limit_field="max_completion_tokens"))
    sent = json.loads(site.seen[0].body)
    assert sent == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "max_completion_tokens": 9,
    }
    assert (site.seen[0].path, site.seen[0].headers["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")


@pytest.mark.parametrize(
    ("answer", "error_class", "wait"),
    [
        (Answer(status=429, headers={"retry-after": "3"}), ProviderRateLimitedError, 3),
        (Answer(status=429, headers={"retry-after-ms": "1500"}), ProviderRateLimitedError, 1.5),
        (Answer(status=500), ProviderUnavailableError, None),
        (Answer(status=503, headers={"retry-after": "9"}), ProviderOverloadedError, 9),
        (Answer(status=408), ProviderTimeoutError, None),
        (Answer(status=401, body={"error": {"message": f"bad key {KEY}"}}), ProviderAuthError, None),
        (Answer(status=403), ProviderAuthError, None),
        (Answer(status=400, body={"error": {"message": f"no such model; {KEY}"}}), ProviderRejectedError, None),
        (Answer(status=404), ProviderRejectedError, None),
        (
            Answer(status=429, body={"error": {"message": "pay", "code": "insufficient_quota"}}),
            ProviderRejectedError,
            None,
        ),
        (Answer(body="not json", headers={"content-type": "application/json"}), ProviderUnavailableError, None),
        (Answer(body="<html>"), ProviderUnavailableError, None),
        (Answer(status=302, headers={"location": "/v1/chat/completions"}), ProviderRejectedError, None),
    ],
)
async def test_each_failure_is_told_in_our_words_after_one_request(
    served: tuple[OpenAICompatible, Web], answer: Answer, error_class: type[ProviderError], wait: float | None
) -> None:
    openai, site = served
    site.answers = [answer]
    with pytest.raises(ProviderError) as caught:
        await openai.complete(ask("Hi"))
    assert type(caught.value) is error_class
    assert caught.value.retry_after_s == wait
    assert KEY not in f"{caught.value} {caught.value.details}"
    assert len(site.seen) == 1


async def test_a_redirect_is_not_followed_and_says_so(served: tuple[OpenAICompatible, Web]) -> None:
    openai, site = served
    site.answers = [Answer(status=307, headers={"location": f"{site.url}/elsewhere"}), Answer(body=COMPLETION)]
    with pytest.raises(ProviderRejectedError, match="307: redirects are not followed"):
        await openai.complete(ask("Hi"))
    assert [seen.path for seen in site.seen] == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    "change",
    [
        {"choices": []},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"message": "text"}]},
        {"choices": [{"message": {"content": ["text"]}}]},
        {"usage": "a"},
        {"usage": {"prompt_tokens": "a"}},
        {"usage": {"prompt_tokens": 1e30}},
        {"usage": {"completion_tokens": -1}},
    ],
)
async def test_an_answer_that_makes_no_sense_is_asked_for_again(
    served: tuple[OpenAICompatible, Web], change: dict[str, Any]
) -> None:
    openai, site = served
    site.answers = [Answer(body={**COMPLETION, **change})]
    with pytest.raises(ProviderUnavailableError, match="answered with something that cannot be read"):
        await openai.complete(ask("Hi"))


@pytest.mark.parametrize("body", ["not json", "", "[]", '"text"', b"\xff"])
async def test_an_answer_that_is_no_completion_is_asked_for_again(
    served: tuple[OpenAICompatible, Web], body: bytes | str
) -> None:
    openai, site = served
    site.answers = [Answer(body=body, headers={"content-type": "application/json"})]
    with pytest.raises(ProviderUnavailableError, match="answered with something that cannot be read"):
        await openai.complete(ask("Hi"))


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, (0, 0)),
        ({}, (0, 0)),
        ({"prompt_tokens": None, "completion_tokens": 2}, (0, 2)),
        ({"prompt_tokens": "5", "completion_tokens": 2.0}, (5, 2)),
    ],
)
async def test_usage_is_read_where_it_can_be(
    served: tuple[OpenAICompatible, Web], usage: dict[str, Any] | None, tokens: tuple[int, int]
) -> None:
    openai, site = served
    site.answers = [Answer(body={**COMPLETION, "usage": usage})]
    reply = await openai.complete(ask("Hi"))
    assert (reply.input_tokens, reply.output_tokens) == tokens


async def test_the_reason_of_a_refusal_is_passed_on(served: tuple[OpenAICompatible, Web]) -> None:
    openai, site = served
    site.answers = [Answer(status=400, body={"error": {"message": "context too long"}})]
    with pytest.raises(ProviderRejectedError, match="400: context too long"):
        await openai.complete(ask("Hi"))


async def test_an_endpoint_that_is_away_is_unavailable() -> None:
    with web() as gone:
        openai = OpenAICompatible(api_key=None, base_url=gone.url)
    with pytest.raises(ProviderUnavailableError, match="OPENAI_BASE_URL"):
        await openai.complete(ask("Hi"))
    await openai.close()


async def test_a_simulated_answer_is_marked_and_always_the_same() -> None:
    first, second = [await Simulated().complete(ask("Tell me about tea")) for _ in range(2)]
    assert first == second
    assert first.text == f"{MARK}You asked: Tell me about tea"


async def test_a_simulated_answer_picks_the_option_that_fits() -> None:
    prompt = "Classify: 'I want my money back'\n- question: asks how\n- refund: wants money back\n- other: the rest"
    assert (await Simulated().complete(ask(prompt))).text == f"{MARK}refund"


async def test_a_simulated_answer_keeps_to_its_limit() -> None:
    reply = await Simulated().complete(ask("one two three", max_tokens=3))
    assert (reply.text, reply.finish_reason) == (f"{MARK}You asked:", "length")


async def test_a_simulated_model_that_is_asked_nothing_says_so() -> None:
    request = ChatRequest(model="m", turns=(Turn("system", "x"),))
    assert (await Simulated().complete(request)).text == f"{MARK}You asked nothing."


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_tokens_are_estimated_by_length(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "999999999"}, MAX_WAIT_S),
        ({"retry-after": "Sat, 01 Jan 2022 00:00:30 GMT"}, 30),
        ({"retry-after": "Fri, 31 Dec 2021 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=datetime(2022, 1, 1, tzinfo=UTC)) == seconds


def test_every_model_in_the_table_is_found_under_its_own_name() -> None:
    assert [find_model(name).name for name in known_models()] == list(known_models())


@pytest.mark.parametrize(
    ("name", "provider", "wire_name"),
    [
        ("gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("openai/meta-llama/Llama-3", "openai", "meta-llama/Llama-3"),
        ("simulated/anything", "simulated", "anything"),
        ("simulated", "simulated", "simulated"),
    ],
)
def test_a_model_name_says_who_answers(name: str, provider: str, wire_name: str) -> None:
    model = find_model(name)
    assert (model.provider, model.wire_name) == (provider, wire_name)


def test_a_model_asked_for_through_its_provider_keeps_its_limit_field() -> None:
    assert find_model("openai/gpt-5").limit_field == find_model("gpt-5").limit_field == "max_completion_tokens"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("gpt-4o-mni", "gpt-4o-mini"), ("zzz", "openai/zzz"), ("openai/", "openai/"), ("acme/x", "openai/x")],
)
def test_an_unknown_model_is_refused_with_the_nearest_right_name(name: str, hint: str) -> None:
    with pytest.raises(RequestError, match=hint) as caught:
        find_model(name)
    assert isinstance(caught.value, OrchestratorError)
