"""ModelInvoke through its activity, with the simulated provider and with a real endpoint on loopback."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.providers.base import ChatReply, ChatRequest
from activities.providers.openai_compatible import OpenAICompatible
from activities.providers.simulated import Simulated
from orchestrator.errors import ProviderUnavailableError
from orchestrator.models import add_models
from tests.unit.loopback import Answer, call, perform, web
from tests.unit.test_providers import COMPLETION


async def test_a_simulated_model_answers_and_says_that_it_is_one() -> None:
    node_call = call(
        "ModelInvoke", {"model": "simulated", "prompt": "Hi {{ inputs.name }}"}, {"inputs": {"name": "Ada"}}
    )
    output = await perform(node_call)
    assert output.output == {
        "text": "[simulated] You asked: Hi Ada",
        "model": "simulated",
        "provider": "simulated",
        "simulated": True,
        "finish_reason": "stop",
        "value": None,
        "declined": [],
        "findings": [],
        "cut": [],
        "cached": False,
    }
    assert output.usage is not None
    assert (output.usage.calls, output.usage.simulated, output.usage.cost_usd) == (1, 1, None)


async def test_without_a_configured_provider_the_simulated_one_says_that_it_answered() -> None:
    output = await perform(call("ModelInvoke", {"model": "gpt-4o-mini", "prompt": "Hi"}))
    assert (output.output["provider"], output.output["simulated"]) == ("simulated", True)
    assert output.output["model"] == "gpt-4o-mini"


async def test_a_configured_provider_is_asked_for_its_models() -> None:
    with web() as site:
        site.answers = [Answer(body=COMPLETION)]
        openai = OpenAICompatible(api_key=None, base_url=site.url)
        messages = [{"role": "user", "content": "{{ inputs.tags }}"}]
        config = {"model": "openai/local", "system": "Be brief.", "messages": messages, "max_tokens": 7}
        output = await perform(
            call("ModelInvoke", config, {"inputs": {"tags": ["a"]}}), chat={"openai": openai, "simulated": Simulated()}
        )
        await openai.close()
        sent = json.loads(site.seen[0].body)
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": '["a"]'}]
    assert (sent["model"], sent["max_tokens"]) == ("local", 7)
    assert (output.output["text"], output.output["model"], output.output["simulated"]) == (
        "Hello",
        "served-model",
        False,
    )
    assert output.usage is not None
    assert (output.usage.input_tokens, output.usage.output_tokens) == (5, 2)


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"model": "gpt-9000", "prompt": "Hi"}, "REQUEST_INVALID"),
        ({"model": "simulated"}, "NODE_FAILED"),
        ({"model": "simulated", "prompt": "Hi", "messages": [{"role": "user", "content": "Hi"}]}, "NODE_FAILED"),
        ({"model": "simulated", "prompt": "Hi", "temperature": 3}, "NODE_FAILED"),
        ({"model": "simulated", "messages": [{"role": "wizard", "content": "Hi"}]}, "NODE_FAILED"),
        ({"model": "simulated", "prompt": None}, "NODE_FAILED"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(config: dict[str, Any], code: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        await perform(call("ModelInvoke", config))
    assert (caught.value.type, caught.value.non_retryable) == (code, True)


class Telling:
    """A provider that gives the answers it was told to, in order, and remembers what it was asked."""

    name = "openai"

    def __init__(self, *answers: str, finish_reason: Any = "stop") -> None:
        self.answers = list(answers)
        self.finish_reason = finish_reason
        self.asked: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        return ChatReply(
            text=self.answers.pop(0),
            model=request.model,
            finish_reason=self.finish_reason,
            input_tokens=10,
            output_tokens=4,
        )

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        reply = await self.complete(request)
        for word in re.findall(r"\S+\s*", reply.text):
            yield word
        yield reply


SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


async def test_an_answer_that_fits_its_schema_is_given_as_a_value() -> None:
    provider = Telling('```json\n{"age": 7}\n```')
    output = await perform(
        call("ModelInvoke", {"model": "openai/x", "prompt": "Hi", "answer": SCHEMA}), chat={"openai": provider}
    )
    assert output.output["value"] == {"age": 7}
    assert provider.asked[0].schema == SCHEMA


async def test_an_answer_that_does_not_fit_is_sent_back_once_and_both_calls_count() -> None:
    provider = Telling('{"age": "seven"}', '{"age": 7}')
    output = await perform(
        call("ModelInvoke", {"model": "openai/x", "prompt": "Hi", "answer": SCHEMA}), chat={"openai": provider}
    )
    assert output.output["value"] == {"age": 7}
    assert [turn.role for turn in provider.asked[1].turns] == ["user", "assistant", "user"]
    assert output.usage is not None
    assert (output.usage.calls, output.usage.input_tokens) == (2, 20)


async def test_a_second_answer_that_does_not_fit_is_one_error_with_what_was_said() -> None:
    provider = Telling("seven", "seven again")
    with pytest.raises(ApplicationError) as caught:
        await perform(
            call("ModelInvoke", {"model": "openai/x", "prompt": "Hi", "answer": SCHEMA}), chat={"openai": provider}
        )
    assert (caught.value.type, caught.value.non_retryable) == ("OUTPUT_INVALID", True)
    assert caught.value.details[0]["text"] == "seven again"
    assert caught.value.details[0]["first_text"] == "seven"


async def test_what_a_check_masks_never_reaches_the_model_and_is_recorded_without_the_secret() -> None:
    provider = Telling("Fine.")
    config = {"model": "openai/x", "prompt": "My mail is ada@example.org", "safety": {"prompt": {"personal": "mask"}}}
    output = await perform(call("ModelInvoke", config), chat={"openai": provider})

    assert "ada@example.org" not in provider.asked[0].turns[0].content
    [finding] = output.output["findings"]
    assert (finding["check"], finding["action"], finding["where"]) == ("personal", "mask", "prompt")
    assert "ada" not in str(finding)


async def test_what_a_check_refuses_is_not_asked_and_not_paid_for() -> None:
    provider = Telling("Fine.")
    config = {"model": "openai/x", "prompt": "mail ada@example.org", "safety": {"prompt": {"personal": "refuse"}}}
    with pytest.raises(ApplicationError) as caught:
        await perform(call("ModelInvoke", config), chat={"openai": provider})

    assert (caught.value.type, caught.value.non_retryable, provider.asked) == ("TEXT_REFUSED", True, [])
    assert "ada" not in str(caught.value)


async def test_what_a_check_takes_out_of_an_answer_is_not_in_the_output() -> None:
    provider = Telling("Write to ada@example.org")
    config = {"model": "openai/x", "prompt": "Hi", "stream": True, "safety": {"answer": {"personal": "mask"}}}
    output = await perform(call("ModelInvoke", config), chat={"openai": provider})

    assert "ada@example.org" not in output.output["text"]
    assert output.output["findings"][0]["where"] == "the answer"


async def test_an_answer_that_was_filtered_out_is_one_error() -> None:
    provider = Telling("", finish_reason="content_filter")
    with pytest.raises(ApplicationError) as caught:
        await perform(call("ModelInvoke", {"model": "openai/x", "prompt": "Hi"}), chat={"openai": provider})

    assert (caught.value.type, caught.value.non_retryable) == ("CONTENT_FILTERED", True)


async def test_a_fallback_is_named_in_the_output() -> None:
    class Down(Telling):
        name = "anthropic"

        async def complete(self, request: ChatRequest) -> ChatReply:
            raise ProviderUnavailableError(f"{request.model} is down")

    config = {"model": "anthropic/a", "fallback": ["openai/b"], "prompt": "Hi"}
    output = await perform(call("ModelInvoke", config), chat={"openai": Telling("Hello"), "anthropic": Down()})

    assert (output.output["text"], output.output["model"], output.output["provider"]) == ("Hello", "b", "openai")
    assert output.output["declined"] == [
        {"model": "anthropic/a", "code": "PROVIDER_UNAVAILABLE", "message": "a is down"}
    ]


@pytest.fixture
def small_window(tmp_path: Path) -> Iterator[str]:
    """The name of a model with a window of 200 tokens."""
    file = tmp_path / "models.yaml"
    file.write_text("models:\n  tiny: {provider: openai, window: 200, prices: [{input: 0, output: 0}]}\n")
    add_models(file)
    yield "tiny"
    add_models(None)


def turns(*contents: str, **more: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content, **more} for content in contents]


async def test_what_may_be_cut_is_cut_until_it_fits_and_the_output_says_so(small_window: str) -> None:
    provider = Telling("fine")
    messages = [*turns("a" * 300, "b" * 300, truncate={"strategy": "drop_oldest"}), *turns("so?")]
    config = {"model": small_window, "messages": messages, "max_tokens": 20}

    output = await perform(call("ModelInvoke", config), chat={"openai": provider, "simulated": Simulated()})

    assert [turn.content for turn in provider.asked[0].turns] == ["b" * 300, "so?"]
    [cut] = output.output["cut"]
    assert (cut["part"], cut["strategy"]) == ("messages[0] to messages[1]", "drop_oldest")
    assert cut["tokens_after"] < cut["tokens_before"]


async def test_summaries_are_asked_of_the_same_model_in_pieces_and_counted(small_window: str, tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(
        "models:\n  tiny: {provider: openai, window: 3000, prices: [{input: 0, output: 0}]}\n", encoding="utf-8"
    )
    add_models(tmp_path / "models.yaml")
    provider = Telling("a summary", "the rest", "fine")
    config = {
        "model": small_window,
        "prompt": "p" * 12_000,
        "truncate": {"strategy": "summarise"},
        "max_tokens": 20,
    }

    output = await perform(call("ModelInvoke", config), chat={"openai": provider, "simulated": Simulated()})

    asked = [request.turns[1].content for request in provider.asked[:2]]
    assert "".join(asked) == "p" * 12_000
    assert all(len(piece) // 3 + 750 < 3_000 for piece in asked)
    assert [turn.content for turn in provider.asked[2].turns] == ["a summary\n\nthe rest"]
    assert output.usage is not None
    assert output.usage.calls == 3


async def test_a_prompt_over_the_window_that_may_not_be_cut_is_one_clear_error(small_window: str) -> None:
    provider = Telling("never")

    with pytest.raises(ApplicationError, match="there is room for 180: the model's window has 200") as caught:
        await perform(
            call("ModelInvoke", {"model": small_window, "prompt": "p" * 900, "max_tokens": 20}),
            chat={"openai": provider, "simulated": Simulated()},
        )

    assert (caught.value.type, caught.value.non_retryable) == ("CONTEXT_TOO_LONG", True)
    assert provider.asked == []
