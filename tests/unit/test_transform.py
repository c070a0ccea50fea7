"""Transform through its activity: every operation, and what each refuses."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities import transform
from orchestrator.node_types.transform import OPERATIONS
from tests.unit.loopback import call, perform

PEOPLE = [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 7}, {"name": "Cy", "age": 36}]


async def run(operation: str, data: Any, **options: Any) -> Any:
    output = await perform(call("Transform", {"operation": operation, "input": data, **options}))
    return output.output["result"]


@pytest.mark.parametrize(
    ("operation", "data", "options", "expected"),
    [
        ("concat", [[1], [2, 3]], {}, [1, 2, 3]),
        ("concat", ["a", "b"], {}, "ab"),
        ("concat", [], {}, []),
        ("expression", {"a": 2}, {"expression": "input.a * 2.5"}, 5.0),
        ("filter", PEOPLE, {"where": "item.age > 18 && index > 0"}, PEOPLE[2:]),
        ("join", ["a", 1, None], {"separator": "-"}, "a-1-null"),
        ("json_dump", {"é": [1]}, {}, '{"é":[1]}'),
        ("json_dump", [1], {"indent": 1}, "[\n 1\n]"),
        ("json_parse", '{"a": [1]}', {}, {"a": [1]}),
        ("lowercase", "ABC", {}, "abc"),
        ("map", PEOPLE, {"expression": "item.name + string(index)"}, ["Ada0", "Bob1", "Cy2"]),
        ("merge", [{"a": 1, "b": 1}, {"b": 2}], {}, {"a": 1, "b": 2}),
        ("pick", PEOPLE[0], {"fields": ["age", "gone"]}, {"age": 36}),
        ("pick", PEOPLE[:2], {"fields": ["name"]}, [{"name": "Ada"}, {"name": "Bob"}]),
        ("sort", [3, 1.5, 2], {}, [1.5, 2, 3]),
        ("sort", PEOPLE, {"by": "age", "descending": True}, [PEOPLE[0], PEOPLE[2], PEOPLE[1]]),
        ("split", "a,b", {"separator": ","}, ["a", "b"]),
        ("split", " a  b ", {}, ["a", "b"]),
        ("trim", " a ", {}, "a"),
        ("unique", [1, "1", 1, {"a": 1, "b": 2}, {"b": 2, "a": 1}], {}, [1, "1", {"a": 1, "b": 2}]),
        ("unique", PEOPLE, {"by": "age"}, PEOPLE[:2]),
        ("uppercase", "abc", {}, "ABC"),
    ],
)
async def test_an_operation_gives(operation: str, data: Any, options: dict[str, Any], expected: Any) -> None:
    assert await run(operation, data, **options) == expected


def test_every_operation_of_the_language_is_performed() -> None:
    assert transform.OPERATIONS.keys() == OPERATIONS.keys()


REFUSED: list[tuple[str, Any, dict[str, Any], str]] = [
    ("uppercase", [1], {}, "must be text, not a list"),
    ("merge", [{}, 1], {}, "must be a map, not a number"),
    ("concat", [[1], "a"], {}, "list of lists"),
    ("filter", {"a": 1}, {"where": "true"}, "must be a list, not a map"),
    ("filter", [1], {"where": "item"}, "true or false"),
    ("filter", [1], {"where": "item >"}, "expression"),
    ("map", [1], {"expression": "item.name"}, "name"),
    ("sort", [1, "a"], {}, "only numbers, or only texts"),
    ("sort", [{"a": 1}], {"by": "b"}, "no field 'b'"),
    ("json_parse", "{", {}, "not JSON"),
    ("filter", [1], {}, "needs where"),
    ("trim", "a", {"separator": ","}, "does not take separator"),
    ("explode", "a", {}, "config.operation"),
    ("json_dump", 1, {"indent": 99}, "config.indent"),
]


@pytest.mark.parametrize(("operation", "data", "options", "reason"), REFUSED)
async def test_what_an_operation_cannot_work_on_is_said(
    operation: str, data: Any, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ApplicationError, match=reason) as caught:
        await run(operation, data, **options)
    assert caught.value.non_retryable


async def test_an_expression_is_not_read_as_a_template() -> None:
    assert await run("expression", 1, expression="'{{ not.a.template }}'") == "{{ not.a.template }}"


async def test_the_items_of_a_list_share_one_budget() -> None:
    expression = "[1,2,3,4,5,6].all(a, [1,2,3,4,5,6].all(b, [1,2,3,4,5,6].all(c, a + b + c > 0)))"
    assert await run("map", [1], expression=expression) == [True]
    with pytest.raises(ApplicationError) as caught:
        await run("map", [1] * 20_000, expression=expression)
    assert caught.value.type == "EXPRESSION_TOO_COSTLY"


async def test_a_runaway_expression_is_stopped() -> None:
    with pytest.raises(ApplicationError) as caught:
        await run("expression", list(range(2000)), expression="input.map(a, input.map(b, a * b))")
    assert caught.value.type == "EXPRESSION_TOO_COSTLY"


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "1e999", "{"])
async def test_what_json_does_not_have_is_not_parsed(text: str) -> None:
    with pytest.raises(ApplicationError, match="not JSON") as caught:
        await run("json_parse", text)
    assert (caught.value.type, caught.value.non_retryable) == ("NODE_FAILED", True)


async def test_json_with_half_a_character_is_refused_once() -> None:
    with pytest.raises(ApplicationError, match="surrogates") as caught:
        await run("json_parse", '"\\ud800"')
    assert (caught.value.type, caught.value.non_retryable) == ("NODE_FAILED", True)
