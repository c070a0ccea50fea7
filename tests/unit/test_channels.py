"""Shared state: reducers, and the same value whatever order parallel branches end in."""

from itertools import permutations
from typing import Any

import pytest

from orchestrator.errors import NodeError
from orchestrator.graph.channels import Channels, fits, json_type
from orchestrator.graph.plan import Channel, Reducer

Write = tuple[Any, tuple[int, int, int]]


def value_after(channel: Channel, writes: list[Write]) -> Any:
    """The channel's value after writes in this order."""
    channels = Channels({"c": channel})
    for value, place in writes:
        channels.write("c", value, place)
    return channels.values["c"]


@pytest.mark.parametrize(
    ("reducer", "type_name", "initial", "values", "expected"),
    [
        ("replace", "string", "", ["a", "b", "c"], "c"),
        ("append", "array", [0], [1, [2, 3], 4], [0, 1, 2, 3, 4]),
        ("union", "array", [1], [[1, 2], 2, 3], [1, 2, 3]),
        ("merge", "object", {}, [{"a": 1}, {"a": 2, "b": 1}, {"c": 3}], {"a": 2, "b": 1, "c": 3}),
        ("add", "number", 1, [2, 0.5, 3], 6.5),
        ("max", "integer", None, [2, 5, 3], 5),
        ("min", "integer", 4, [2, 5, 3], 2),
    ],
)
def test_a_reducer_gives_the_same_value_in_every_order_of_arrival(
    reducer: Reducer, type_name: str, initial: Any, values: list[Any], expected: Any
) -> None:
    channel = Channel(type=type_name, initial=initial, reducer=reducer)
    writes: list[Write] = [(value, (1, number, 1)) for number, value in enumerate(values)]

    assert [value_after(channel, list(order)) for order in permutations(writes)] == [expected] * 6


def test_a_write_that_knew_of_another_comes_after_it_whatever_the_graph_order() -> None:
    channel = Channel(type="string", initial="", reducer="replace")

    assert value_after(channel, [("check", (2, 9, 1)), ("draft again", (3, 1, 2))]) == "draft again"


def test_a_dump_goes_on_where_it_stopped_even_between_writes_out_of_order() -> None:
    plan = {"c": Channel(type="array", initial=[], reducer="append")}
    channels = Channels(plan)
    channels.write("c", "late", (2, 5, 1))
    channels.settle(1)

    again = Channels(plan, channels.dump())
    again.write("c", "early", (1, 0, 1))

    assert again.values["c"] == ["early", "late"]


def test_settled_writes_are_folded_once() -> None:
    channels = Channels({"c": Channel(type="array", initial=[], reducer="append")})
    for number in range(5):
        channels.write("c", number, (number, 0, number))
        channels.settle(None)

    assert channels.values["c"] == [0, 1, 2, 3, 4]
    assert channels.dump() == {"c": {"base": [0, 1, 2, 3, 4], "recent": []}}


def test_a_value_of_the_wrong_type_is_refused_with_the_channel_named() -> None:
    channels = Channels({"total": Channel(type="integer", initial=0, reducer="add")})

    with pytest.raises(NodeError, match=r"type string into `state\.total`, which is of type integer"):
        channels.write("total", "1", (1, 0, 1))

    assert channels.values == {"total": 0}


@pytest.mark.parametrize(
    ("value", "name"),
    [(None, "null"), (True, "boolean"), (1, "integer"), (1.0, "number"), ("", "string"), ({}, "object"), ([], "array")],
)
def test_json_types_have_their_json_names(value: Any, name: str) -> None:
    assert json_type(value) == name
    assert fits(value, name)
    assert fits(value, "any")


def test_a_whole_number_is_a_number_but_a_truth_value_is_not() -> None:
    assert fits(1, "number")
    assert not fits(1.0, "integer")
    assert not fits(True, "number")  # noqa: FBT003 - the value under test
