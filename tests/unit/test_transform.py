"""Transform through its activity: every operation, and what each refuses."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities import transform
from activities.operations import values
from orchestrator.node_types.transform import OPERATIONS, TransformConfig
from tests.unit.loopback import call, perform

PEOPLE = [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 7}, {"name": "Cy", "age": 36}]
PAGE = "<style>p{}</style><h1>Hi &amp; bye</h1><!-- no --><p>a <b>bo</b>ld\n word<br>1 < 2<script>x()</script>"


async def run(operation: str, data: Any, **options: Any) -> Any:
    output = await perform(call("Transform", {"operation": operation, "input": data, **options}))
    return output.output["result"]


GIVEN: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("average", [1, 2, 6], {}, 3.0),
    ("average", PEOPLE[:2], {"by": "age"}, 21.5),
    ("base64_decode", "w6k=", {}, "é"),
    ("base64_encode", "é", {}, "w6k="),
    ("chunk", "abcdefg", {"size": 3, "overlap": 1}, ["abc", "cde", "efg"]),
    ("chunk", "abcd", {"size": 3}, ["abc", "d"]),
    ("chunk", [1, 2, 3], {"size": 2}, [[1, 2], [3]]),
    ("chunk", "", {"size": 3}, []),
    ("chunk", "ab", {"size": 4, "overlap": 3}, ["ab"]),
    (
        "combine",
        [[{"id": 1, "a": 1}, {"id": 2}], [{"id": 1, "b": 2}]],
        {"by": "id"},
        [{"id": 1, "a": 1, "b": 2}, {"id": 2}],
    ),
    ("compact", [1, None, ""], {}, [1, ""]),
    ("compact", {"a": None, "b": 0}, {}, {"b": 0}),
    ("concat", [[1], [2, 3]], {}, [1, 2, 3]),
    ("concat", ["a", "b"], {}, "ab"),
    ("concat", [], {}, []),
    ("count", [1, 2], {}, 2),
    ("count", {"a": 1}, {}, 1),
    ("count", "é!", {}, 2),
    ("csv_dump", [{"a": 1, "b": 'x "y"'}, {"b": None, "c": [1]}], {}, 'a,b,c\n1,"x ""y""",\n,,[1]\n'),
    ("csv_dump", [{"a": 1, "b": 2}], {"fields": ["b"], "separator": ";"}, "b\n2\n"),
    ("csv_dump", [{"a": 1}], {"header": False}, "1\n"),
    ("csv_dump", [["a", 1], ["b", None]], {}, "a,1\nb,\n"),
    ("csv_dump", [], {}, "\n"),
    ("csv_parse", 'a,b\r\n1,"x\ny"\r\n', {}, [{"a": "1", "b": "x\ny"}]),
    ("csv_parse", "1;2\n\n3;4", {"header": False, "separator": ";"}, [["1", "2"], ["3", "4"]]),
    ("csv_parse", "", {}, []),
    ("entries", {"a": 1}, {}, [{"key": "a", "value": 1}]),
    ("expression", {"a": 2}, {"expression": "input.a * 2.5"}, 5.0),
    ("extract", "order 12, 13", {"pattern": r"\d+"}, "12"),
    ("extract", "order 12", {"pattern": r"order (\d+)"}, "12"),
    ("extract", "é 2026-01", {"pattern": r"(\d+)-(\d+)(x)?"}, ["2026", "01", None]),
    ("extract", "a=1", {"pattern": r"(?P<key>\w)=(?P<value>\d)"}, {"key": "a", "value": "1"}),
    ("extract", "none", {"pattern": r"\d"}, None),
    ("extract_all", "a1 b2", {"pattern": r"([a-z])(\d)"}, [["a", "1"], ["b", "2"]]),
    ("filter", PEOPLE, {"where": "item.age > 18 && index > 0"}, PEOPLE[2:]),
    ("first", [3, 4], {}, 3),
    ("first", [], {}, None),
    ("flatten", [1, [2, [3, [4]]]], {}, [1, 2, [3, [4]]]),
    ("flatten", [1, [2, [3, [4]]]], {"depth": 2}, [1, 2, 3, [4]]),
    ("from_entries", [{"key": "a", "value": 1}, {"key": "a", "value": 2}], {}, {"a": 2}),
    ("get", {"a": [{"b.c": 0, "d": 5}]}, {"path": "a.0.d"}, 5),
    ("get", {"a": None}, {"path": "a"}, None),
    ("get", {"a": [1]}, {"path": "a.1", "default": None}, None),
    ("group", PEOPLE, {"by": "age"}, [{"key": 36, "items": [PEOPLE[0], PEOPLE[2]]}, {"key": 7, "items": [PEOPLE[1]]}]),
    ("html_decode", "&lt;b&gt; &eacute;", {}, "<b> é"),
    ("html_encode", "<b class='x'>", {}, "&lt;b class=&#x27;x&#x27;&gt;"),
    ("index", PEOPLE[:2], {"by": "name"}, {"Ada": PEOPLE[0], "Bob": PEOPLE[1]}),
    ("join", ["a", 1, None], {"separator": "-"}, "a-1-null"),
    ("json_dump", {"é": [1]}, {}, '{"é":[1]}'),
    ("json_dump", [1], {"indent": 1}, "[\n 1\n]"),
    ("json_extract", 'Sure [I think]:\n```json\n{"a": [1]}\n```\nbye', {}, {"a": [1]}),
    ("json_extract", 'It is {not} {"a": "}"} here', {}, {"a": "}"}),
    ("json_parse", '{"a": [1]}', {}, {"a": [1]}),
    ("keys", {"b": 1, "a": 2}, {}, ["b", "a"]),
    ("last", [3, 4], {}, 4),
    ("lines", "a\r\nb\n", {}, ["a", "b"]),
    ("lowercase", "ABC", {}, "abc"),
    ("map", PEOPLE, {"expression": "item.name + string(index)"}, ["Ada0", "Bob1", "Cy2"]),
    ("matches", "order 12", {"pattern": "^order"}, True),
    ("matches", "an order", {"pattern": "^order"}, False),
    ("max", [3, 7.5, 1], {}, 7.5),
    ("max", PEOPLE, {"by": "name"}, "Cy"),
    ("merge", [{"a": 1, "b": 1}, {"b": 2}], {}, {"a": 1, "b": 2}),
    ("merge", [{"a": {"x": 1, "y": 1}}, {"a": {"y": 2}}], {}, {"a": {"y": 2}}),
    (
        "merge",
        [{"a": {"x": 1, "y": 1}, "b": 1}, {"a": {"y": 2}, "b": {}}],
        {"deep": True},
        {"a": {"x": 1, "y": 2}, "b": {}},
    ),
    ("min", PEOPLE, {"by": "age"}, 7),
    ("pick", PEOPLE[0], {"fields": ["age", "gone"]}, {"age": 36}),
    ("pick", PEOPLE[:2], {"fields": ["name"]}, [{"name": "Ada"}, {"name": "Bob"}]),
    ("remove", PEOPLE[:1], {"fields": ["age", "gone"]}, [{"name": "Ada"}]),
    ("rename", PEOPLE[:1], {"names": {"name": "who", "gone": "x"}}, [{"who": "Ada", "age": 36}]),
    ("rename", {"a": 1, "b": 2}, {"names": {"a": "b", "b": "a"}}, {"b": 1, "a": 2}),
    ("replace", "a.b.c", {"find": ".", "replacement": "--"}, "a--b--c"),
    ("replace_pattern", "Ada Lovelace é", {"pattern": r"(\w+) (\w+)", "replacement": r"\2, \1"}, "Lovelace, Ada é"),
    ("replace_pattern", "a1b22", {"pattern": r"\d+", "replacement": ""}, "ab"),
    ("reverse", "abc", {}, "cba"),
    ("reverse", [1, 2], {}, [2, 1]),
    ("set", [{"a": 1}, {}], {"values": {"a": 2, "b": None}}, [{"a": 2, "b": None}, {"a": 2, "b": None}]),
    ("sha256", "abc", {}, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("slice", [1, 2, 3, 4], {"start": 1, "end": -1}, [2, 3]),
    ("slice", "hello", {"end": 2}, "he"),
    ("slug", "Crème brûlée!", {}, "creme-brulee"),
    ("sort", [3, 1.5, 2], {}, [1.5, 2, 3]),
    ("sort", PEOPLE, {"by": "age", "descending": True}, [PEOPLE[0], PEOPLE[2], PEOPLE[1]]),
    ("split", "a,b", {"separator": ","}, ["a", "b"]),
    ("split", " a  b ", {}, ["a", "b"]),
    ("strip_tags", PAGE, {}, "Hi & bye\na bold\nword\n1 < 2"),
    ("strip_tags", "a<script>never closed", {}, "a"),
    ("sum", [1, 2], {}, 3),
    ("sum", [], {}, 0),
    ("sum", PEOPLE, {"by": "age"}, 79),
    ("title", "don't  PANIC", {}, "Don't  Panic"),
    ("to_boolean", " Yes ", {}, True),
    ("to_boolean", 0, {}, False),
    ("to_number", " +1.5e1 ", {}, 15.0),
    ("to_number", "42", {}, 42),
    ("to_number", True, {}, 1),
    ("to_text", {"a": [1, None]}, {}, '{"a":[1,null]}'),
    ("to_text", "a", {}, "a"),
    ("trim", " a ", {}, "a"),
    ("truncate", "abcdef", {"length": 4}, "abc…"),
    ("truncate", "abcdef", {"length": 4, "ending": ""}, "abcd"),
    ("truncate", "abcd", {"length": 4}, "abcd"),
    ("unique", [1, "1", 1, {"a": 1, "b": 2}, {"b": 2, "a": 1}], {}, [1, "1", {"a": 1, "b": 2}]),
    ("unique", PEOPLE, {"by": "age"}, PEOPLE[:2]),
    ("uppercase", "abc", {}, "ABC"),
    ("url_decode", "a%20%C3%A9+b", {}, "a é+b"),
    ("url_encode", "a é/b", {}, "a%20%C3%A9%2Fb"),
    ("url_encode", {"q": "a b", "n": 1, "none": None}, {}, "q=a%20b&n=1"),
    ("values", {"b": 1, "a": 2}, {}, [1, 2]),
    ("word_count", " two  words\n", {}, 2),
    ("zip", [[1, 2], ["a", "b"]], {}, [[1, "a"], [2, "b"]]),
    ("zip", [[1, 2], ["a", "b"]], {"fields": ["n", "c"]}, [{"n": 1, "c": "a"}, {"n": 2, "c": "b"}]),
]


@pytest.mark.parametrize(("operation", "data", "options", "expected"), GIVEN)
async def test_an_operation_gives(operation: str, data: Any, options: dict[str, Any], expected: Any) -> None:
    result = await run(operation, data, **options)

    assert (result, type(result)) == (expected, type(expected))


async def test_equal_values_have_the_same_hash_whatever_the_order_of_their_keys() -> None:
    assert await run("sha256", {"a": 1, "b": [2]}) == await run("sha256", {"b": [2], "a": 1})


async def test_a_deep_merge_changes_none_of_the_maps_it_was_given() -> None:
    first = {"a": {"x": {"y": 1}}}
    config = TransformConfig(operation="merge", input=[first, {"a": {"x": {"z": 2}}}], deep=True)

    result = transform.handle(config, call("Transform", {})).output["result"]

    assert (first, result) == ({"a": {"x": {"y": 1}}}, {"a": {"x": {"y": 1, "z": 2}}})


def test_every_operation_of_the_language_is_performed() -> None:
    assert sorted(transform.OPERATIONS) == list(OPERATIONS)


def test_every_operation_is_tried() -> None:
    assert {operation for operation, *_ in GIVEN} == set(OPERATIONS)


def test_every_option_of_the_config_belongs_to_an_operation() -> None:
    used = {name for operation in OPERATIONS.values() for name in (*operation.needs, *operation.takes)}

    assert used == TransformConfig.model_fields.keys() - {"operation", "input"}


REFUSED: list[tuple[str, Any, dict[str, Any], str]] = [
    ("uppercase", [1], {}, "node 'node', operation 'uppercase': its input must be text, not a list"),
    ("merge", [{}, 1], {}, "must be a map, not a number"),
    ("merge", {}, {}, "must be a list, not a map"),
    ("concat", [[1], "a"], {}, "list of lists"),
    ("filter", {"a": 1}, {"where": "true"}, "must be a list, not a map"),
    ("filter", [1], {"where": "item"}, "true or false"),
    ("filter", [1], {"where": "item >"}, "expression"),
    ("map", [1], {"expression": "item.name"}, "name"),
    ("sort", [1, "a"], {}, "only numbers, or only texts"),
    ("sort", [{"a": 1}], {"by": "b"}, "no field 'b'"),
    ("json_parse", "{", {}, "not JSON"),
    ("json_extract", "none [here", {}, "no JSON map or list"),
    ("filter", [1], {}, "needs where"),
    ("trim", "a", {"separator": ","}, "does not take separator"),
    ("explode", "a", {}, "config.operation"),
    ("uppercas", "a", {}, "did you mean 'uppercase'"),
    ("json_dump", 1, {"indent": 99}, "config.indent"),
    ("average", [], {}, "must not be empty"),
    ("average", [1, "2"], {}, "only numbers can be added up, not text"),
    ("sum", [True], {}, "not a truth value"),
    ("sum", [1e308, 1e308], {}, "too large for a number"),
    ("sum", [10**400, 0.5], {}, "too large for a number"),
    ("average", [0.5, 10**400], {}, "too large for a number"),
    ("max", [], {}, "must not be empty"),
    ("min", [1, "a"], {}, "only numbers, or only texts"),
    ("base64_decode", "%%%", {}, "not base64"),
    ("base64_decode", "/w==", {}, "not base64 of UTF-8 text"),
    ("chunk", "abc", {"size": 2, "overlap": 2}, "must be less than size"),
    ("chunk", "abc", {"size": 0}, "config.size"),
    ("chunk", 1, {"size": 1}, "a list or text, not a number"),
    ("combine", [[{"id": 1}], {}], {"by": "id"}, "must be a list, not a map"),
    ("combine", [[{}]], {"by": "id"}, "no field 'id'"),
    ("compact", "a", {}, "not text"),
    ("count", None, {}, "not null"),
    ("csv_dump", [{"a": 1}, [1]], {}, "must be a map, not a list"),
    ("csv_dump", [[1]], {"fields": ["a"]}, "columns of maps"),
    ("csv_parse", "a,a\n1,2", {}, "same name"),
    ("csv_parse", "a,b\n1", {}, "row 1 has 1 values for 2 columns"),
    ("csv_parse", 'a\n"x', {}, "not CSV"),
    ("csv_parse", "a", {"separator": "::"}, "one character"),
    ("extract", "a", {"pattern": "(?=a)"}, "no regular expression that RE2 can read"),
    ("first", "a", {}, "must be a list"),
    ("from_entries", [{"key": "a"}], {}, "`key` and `value`"),
    ("from_entries", [{"key": 1, "value": 2}], {}, "must be text, not a number"),
    ("get", {"a": [1]}, {"path": "a.1"}, "nothing at 'a.1', beginning with '1'"),
    ("get", {"a": [1]}, {"path": "a.\u0660"}, "nothing at"),
    ("get", {"a": 1}, {"path": "a.b.c"}, "beginning with 'b'"),
    ("index", [{"a": 1}], {"by": "a"}, "must be text, not a number"),
    ("rename", {"a": 1, "b": 2}, {"names": {"a": "b"}}, "same name"),
    ("replace", "a", {"find": "", "replacement": "b"}, "config.find"),
    ("replace", "a", {"find": "a"}, "needs replacement"),
    ("replace_pattern", "a", {"pattern": "a", "replacement": r"\1"}, "group that `pattern` does not have"),
    ("replace_pattern", "a", {"pattern": "a", "replacement": "\\"}, "ends with a backslash"),
    ("json_dump", "\ud800", {}, "half a character"),
    ("set", [1], {"values": {"a": 1}}, "must be a map, not a number"),
    ("sha256", "\ud800", {}, "half a character"),
    ("to_boolean", "perhaps", {}, "'perhaps' is neither true nor false"),
    ("to_boolean", None, {}, "not null"),
    ("to_number", "12 apples", {}, "'12 apples' is not a number"),
    ("to_number", "NaN", {}, "not a number"),
    ("to_number", "true", {}, "not a number"),
    ("truncate", "abc", {"length": 1, "ending": "..."}, "more characters than `length`"),
    ("url_decode", "%ff", {}, "UTF-8"),
    ("url_encode", 1, {}, "must be text, not a number"),
    ("zip", [[1], [1, 2]], {}, "one length; they have 1 and 2 items"),
    ("zip", [[1]], {"fields": ["a", "b"]}, "2 names for 1 lists"),
]


@pytest.mark.parametrize(("operation", "data", "options", "reason"), REFUSED)
async def test_what_an_operation_cannot_work_on_is_said(
    operation: str, data: Any, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ApplicationError, match=reason) as caught:
        await run(operation, data, **options)
    assert caught.value.non_retryable


LARGE: list[tuple[str, Any, dict[str, Any]]] = [
    ("replace", "a" * 500, {"find": "a", "replacement": "b" * 500}),
    ("replace_pattern", "a" * 500, {"pattern": "a", "replacement": "b" * 500}),
    ("extract_all", "a" * 9_000, {"pattern": "(((((((((((((((a*)))))))))))))))"}),
    ("join", [1] * 500, {"separator": "b" * 500}),
    ("set", [{}] * 500, {"values": {"a": "b" * 500}}),
    ("rename", [{"a": 1}] * 500, {"names": {"a": "b" * 500}}),
    ("chunk", "a" * 1_000, {"size": 900, "overlap": 899}),
    ("csv_parse", "b" * 500 + "\n1" * 500, {}),
    ("zip", [[1] * 500], {"fields": ["b" * 500]}),
]


@pytest.mark.parametrize(("operation", "data", "options"), LARGE, ids=[operation for operation, *_ in LARGE])
async def test_a_small_config_cannot_make_very_much(
    operation: str, data: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "MOST_CHARACTERS", 100_000)
    with pytest.raises(ApplicationError, match="would make more than 100,000 characters"):
        await run(operation, data, **options)


async def test_a_pattern_may_not_match_without_end() -> None:
    with pytest.raises(ApplicationError, match="matches more than 100,000 times"):
        await run("extract_all", "a" * 100_001, pattern="a")


async def test_text_full_of_openings_is_read_in_a_moment() -> None:
    assert await run("strip_tags", "<!--" * 200_000) == ""
    assert await run("count", await run("strip_tags", "<a" * 10_000)) == 20_000
    with pytest.raises(ApplicationError, match="no JSON map or list"):
        await run("json_extract", "[1," * 100_000)


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
