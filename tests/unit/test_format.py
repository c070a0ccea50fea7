"""Format through its activity."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from tests.unit.loopback import call, perform

VALUES: dict[str, Any] = {"inputs": {"name": "Ada", "tags": ["a", "b"]}}


@pytest.mark.parametrize("kind", ["text", "markdown"])
async def test_text_is_the_filled_in_template(kind: str) -> None:
    output = await perform(call("Format", {"template": "# {{ inputs.name }}\n", "format": kind}, VALUES))
    assert output.output == {"text": "# Ada\n", "data": None}


async def test_a_reference_to_a_list_becomes_its_json() -> None:
    output = await perform(call("Format", {"template": "{{ inputs.tags }}"}, VALUES))
    assert output.output["text"] == '["a","b"]'


async def test_json_is_laid_out_and_its_value_given() -> None:
    config = {"template": '{"name": {{ inputs.name | tojson }}, "tags": {{ inputs.tags }}}', "format": "json"}
    output = await perform(call("Format", config, VALUES))
    assert output.output["data"] == {"name": "Ada", "tags": ["a", "b"]}
    assert output.output["text"].startswith('{\n  "name": "Ada"')


async def test_what_is_not_json_is_an_error_that_says_how_to_mend_it() -> None:
    with pytest.raises(ApplicationError, match="tojson") as caught:
        await perform(call("Format", {"template": '{"name": {{ inputs.name }}}', "format": "json"}, VALUES))
    assert (caught.value.type, caught.value.non_retryable) == ("NODE_FAILED", True)
