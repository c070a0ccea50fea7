"""Shared state: reducers, and the same value whatever order parallel branches end in."""

import json
import time
from itertools import permutations
from typing import Any

import pytest

from orchestrator.errors import NodeError, TooLargeError
from orchestrator.graph.channels import MAX_CHANNEL_BYTES, Channels, fits, json_type
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


def test_a_union_tells_items_apart_as_json_does() -> None:
    channel = Channel(type="array", initial=[], reducer="union")
    items: list[Any] = [True, 1, {"a": True}, {"a": 1}, [1], "1", None, {"a": 1, "b": 2}]

    written = value_after(channel, [(items, (1, 0, 1)), ([1.0, {"b": 2.0, "a": 1}, [1.0]], (1, 1, 1))])

    assert json.dumps(written) == json.dumps(items)


def test_a_union_of_many_items_takes_no_time_and_keeps_its_items_over_a_dump() -> None:
    plan = {"c": Channel(type="array", initial=[], reducer="union")}
    items, channels = list(range(30_000)), Channels(plan)
    begun = time.perf_counter()
    for visit in range(1, 4):
        channels.write("c", items, (visit, 0, visit))
        channels.settle(None)
    taken = time.perf_counter() - begun
    again = Channels(plan, channels.dump())
    again.write("c", [29_999, 30_000], (4, 0, 4))

    assert taken < 1
    assert again.values["c"] == list(range(30_001))


def test_many_small_writes_and_settling_them_take_no_time() -> None:
    channels = Channels({"c": Channel(type="array", initial=list(range(30_000)), reducer="union")})
    begun = time.perf_counter()
    for number in range(1_500):
        channels.write("c", 30_000 + number, (number + 2, 0, number))
        channels.settle(number)

    assert time.perf_counter() - begun < 1.5
    assert channels.values["c"] == list(range(31_500))


def test_a_value_handed_out_never_changes() -> None:
    plan = {
        "list": Channel(type="array", initial=[], reducer="append"),
        "map": Channel(type="object", initial={}, reducer="merge"),
    }
    channels = Channels(plan)
    before = dict(channels.values)
    for level in (1, 2):
        channels.write("list", level, (level, 0, level))
        channels.write("map", {str(level): level}, (level, 0, level))
        channels.settle(None)

    assert before == {"list": [], "map": {}}
    assert plan["list"].initial == []
    assert channels.values == {"list": [1, 2], "map": {"1": 1, "2": 2}}


@pytest.mark.parametrize("written", [1e308, 10**400], ids=["float", "integer"])
def test_adding_up_to_more_than_a_number_can_hold_is_refused(written: float) -> None:
    channels = Channels({"c": Channel(type="number", initial=1.5e308, reducer="add")})

    with pytest.raises(NodeError, match=r"state\.c.*more than a number can hold"):
        channels.write("c", written, (1, 0, 1))

    assert channels.values["c"] == 1.5e308


@pytest.mark.parametrize(
    ("reducer", "type_name", "initial"),
    [("append", "array", []), ("union", "array", []), ("replace", "any", None), ("merge", "object", {})],
)
def test_a_channel_that_grows_too_large_is_named_and_stays_as_it_was(
    reducer: Reducer, type_name: str, initial: Any
) -> None:
    channels = Channels({"log": Channel(type=type_name, initial=initial, reducer=reducer)})
    channels.write("log", {"a": "x"}, (2, 0, 1))
    before = channels.values["log"]

    for place in ((3, 0, 1), (1, 0, 1)):
        with pytest.raises(TooLargeError, match=r"^`state\.log` takes 5\d\d,\d{3} bytes"):
            channels.write("log", {"b": "y" * MAX_CHANNEL_BYTES}, place)
        if reducer == "replace":
            break

    assert channels.values["log"] == before
    channels.write("log", {"c": "z"}, (4, 0, 1))
    assert "z" in str(channels.values["log"])


def test_what_takes_the_place_of_something_else_does_not_count_twice() -> None:
    channels = Channels({"page": Channel(type="object", initial={}, reducer="merge")})
    for level in range(20):
        channels.write("page", {"text": str(level % 10) * 100_000}, (level, 0, level))

    assert channels.values["page"] == {"text": "9" * 100_000}
