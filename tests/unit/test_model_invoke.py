"""ModelInvoke through its activity, with the simulated provider and with a real endpoint on loopback."""

import json
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.providers.openai_compatible import OpenAICompatible
from activities.providers.simulated import Simulated
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
    }
    assert output.usage is not None
    assert (output.usage.calls, output.usage.cost_usd) == (1, None)


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
