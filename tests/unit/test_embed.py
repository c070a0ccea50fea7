"""Embed through its activity, with the simulated provider."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from tests.unit.loopback import call, perform


async def test_each_text_gets_a_vector_in_their_order() -> None:
    output = await perform(call("Embed", {"model": "simulated", "texts": ["a cat sat", "stocks fell", "a cat sat"]}))
    first, second, third = output.output["vectors"]

    assert first == third != second
    assert (output.output["vector"], output.output["dimensions"]) == (first, len(first))
    assert (output.output["simulated"], output.output["provider"]) == (True, "simulated")
    assert output.usage is not None
    assert output.usage.calls == 1


async def test_one_text_will_do() -> None:
    output = await perform(call("Embed", {"model": "simulated", "text": "a cat sat"}))

    assert output.output["vectors"] == (output.output["vector"],)


@pytest.mark.parametrize(
    "config",
    [
        {"model": "simulated"},
        {"model": "simulated", "text": "a", "texts": ["b"]},
        {"model": "simulated", "texts": []},
        {"model": "simulated", "text": "a", "dimensions": 0},
    ],
)
async def test_what_makes_no_sense_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ApplicationError) as caught:
        await perform(call("Embed", config))

    assert caught.value.type == "NODE_FAILED"


async def test_a_model_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ApplicationError) as caught:
        await perform(call("Embed", {"model": "gpt-9000", "text": "a"}))

    assert caught.value.type == "REQUEST_INVALID"


@pytest.mark.parametrize("name", ["openai/a\x00b", "openai/a\nb", "openai/\u2028"])
@pytest.mark.parametrize(("kind", "field"), [("Embed", "text"), ("ModelInvoke", "prompt")])
async def test_a_model_named_with_a_control_character_is_refused_once_it_is_rendered(
    name: str, kind: str, field: str
) -> None:
    config = {"model": "{{ inputs.model }}", field: "a"}

    with pytest.raises(ApplicationError, match="control character") as caught:
        await perform(call(kind, config, {"inputs": {"model": name}}))

    assert (caught.value.type, caught.value.non_retryable) == ("NODE_FAILED", True)
    assert "\n" not in caught.value.message
