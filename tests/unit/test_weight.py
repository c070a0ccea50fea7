"""What is done beside the event loop, and what is too short to be worth it."""

from typing import Any

import pytest

from activities.weight import is_long
from orchestrator.graph.blobs import blob_reference

TEMPLATE = "Dear {{ inputs.name }}, "


@pytest.mark.parametrize(
    ("config", "values"),
    [
        ({"template": TEMPLATE}, {"inputs": {"name": "Ada"}}),
        ({"a": [TEMPLATE] * 5, "b": "x" * 10_000}, {}),
        ({"operation": "filter", "where": "item.tags.exists(t, t == 'a')"}, {"inputs": {"all": list(range(100))}}),
        ("{{ inputs.x }}", {"inputs": {"x": "y" * 20_000}}),
        (None, {}),
    ],
)
def test_what_a_quick_node_usually_does_is_short(config: Any, values: dict[str, Any]) -> None:
    assert not is_long(config, values)


@pytest.mark.parametrize(
    ("config", "values"),
    [
        ({"data": [TEMPLATE] * 9}, {}),
        ({"template": TEMPLATE + "x" * 2_500}, {}),
        ({"input": "{{ inputs.all }}"}, {"inputs": {"all": list(range(1_000))}}),
        ({"input": "{{ inputs.text }}"}, {"inputs": {"text": "y" * 100_000}}),
        ({"operation": "map", "expression": "item.map(a, item.map(b, item.map(c, a + b + c)))"}, {}),
    ],
)
def test_many_or_large_templates_and_much_data_and_loops_within_loops_are_long(
    config: Any, values: dict[str, Any]
) -> None:
    assert is_long(config, values)


def test_a_reference_to_blob_storage_is_always_long() -> None:
    reference = blob_reference("ab" * 32 + ".json", 5, "string")

    assert is_long("{{ nodes.a.text }}", {"nodes": {"a": {"text": reference}}})
