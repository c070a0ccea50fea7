"""Graphs within graphs."""

from collections.abc import Mapping
from types import MappingProxyType

from tests.e2e.kills.cases.building import call, once, world
from tests.e2e.kills.driver import Case
from tests.e2e.kills.far_side import Answer
from tests.scenarios import edge

__all__ = ["CHILD", "NESTED"]

_ITEMS = Case(
    world(
        [
            {
                "id": "items",
                "type": "ForEach",
                "config": {
                    "items": "[1, 2, 3]",
                    "concurrency": 2,
                    "inputs": {"far": "{{ inputs.far }}", "number": "{{ item }}"},
                    "do": {
                        "nodes": [
                            call("take", "{{ inputs.number }}", "take{{ index }}"),
                            call("give", "{{ nodes.take.body.got }}", "give{{ index }}"),
                        ],
                        "edges": [edge("take", "give")],
                        "outputs": {"number": "{{ nodes.give.body.got }}"},
                    },
                },
            },
            call("end"),
        ],
        [edge("items", "end")],
        outputs={"results": "{{ nodes.items.results }}"},
    ),
    done=once("end#1", *(f"items[{index}].{name}#1" for index in range(3) for name in ("take", "give"))),
    outputs={"results": [{"number": number} for number in range(1, 4)]},
)
_COLLECTED = Case(
    world(
        [
            {
                "id": "items",
                "type": "ForEach",
                "config": {
                    "items": "[1, 2, 3]",
                    "on_item_error": "collect",
                    "inputs": {"far": "{{ inputs.far }}"},
                    "do": {
                        "nodes": [call("take", path="take{{ index }}"), call("tidy", path="tidy{{ index }}")],
                        "finally": ["tidy"],
                    },
                },
            }
        ],
        outputs={"errors": "{{ nodes.items.errors | map(attribute='index') | list }}"},
    ),
    broken={"take1": Answer(404)},
    done=once("items[0].take#1", "items[2].take#1", *(f"items[{index}].tidy#1" for index in range(3))),
    outputs={"errors": "[1]"},
)
_INLINE = Case(
    world(
        [
            call("a"),
            {
                "id": "sub",
                "type": "Subworkflow",
                "config": {
                    "inputs": {"far": "{{ inputs.far }}", "word": "{{ nodes.a.body.path }}"},
                    "do": {
                        "nodes": [call("b", "{{ inputs.word }}"), call("c")],
                        "edges": [edge("b", "c")],
                        "outputs": {"word": "{{ nodes.b.body.got }}"},
                    },
                },
            },
            call("d", "{{ nodes.sub.word }}"),
        ],
        [edge("a", "sub"), edge("sub", "d")],
        outputs={"word": "{{ nodes.d.body.got }}"},
    ),
    done=once("a#1", "sub.b#1", "sub.c#1", "d#1"),
    outputs={"word": "a"},
)
CHILD = {
    **world([call("b", "{{ inputs.word }}"), call("c")], [edge("b", "c")], inputs={"word": {"type": "string"}}),
    "name": "kill-child",
    "outputs": {"word": "{{ nodes.b.body.got }}"},
}
"""A definition that the workers have to find in their folder."""
_CHILD = Case(
    world(
        [
            call("a"),
            {
                "id": "sub",
                "type": "Subworkflow",
                "config": {
                    "definition": "kill-child",
                    "mode": "child",
                    "inputs": {"far": "{{ inputs.far }}", "word": "{{ nodes.a.body.path }}"},
                },
            },
            call("d", "{{ nodes.sub.word }}"),
        ],
        [edge("a", "sub"), edge("sub", "d")],
        outputs={"word": "{{ nodes.d.body.got }}"},
    ),
    done=once("a#1", "b#1", "c#1", "d#1"),
    outputs={"word": "a"},
)
NESTED: Mapping[str, Case] = MappingProxyType(
    {
        "items": _ITEMS,
        "items of which one fails": _COLLECTED,
        "inline subworkflow": _INLINE,
        "child run": _CHILD,
    }
)
