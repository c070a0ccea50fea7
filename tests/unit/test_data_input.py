"""DataInput through its activity."""

from typing import Any

import pytest

from tests.unit.loopback import call, perform


@pytest.mark.parametrize("data", [None, 0, "text", [1, {"a": None}], {"deep": {"er": True}}])
async def test_constants_come_out_as_they_are(data: Any) -> None:
    output = await perform(call("DataInput", {"data": data}))
    assert output.output == {"data": data}


async def test_templates_in_the_data_are_filled_in_and_keep_their_type() -> None:
    config = {"data": {"items": "{{ inputs.items }}", "title": "For {{ inputs.name }}"}}
    output = await perform(call("DataInput", config, {"inputs": {"items": [1, 2], "name": "Ada"}}))
    assert output.output == {"data": {"items": [1, 2], "title": "For Ada"}}
