"""Text to definition: what can be read, what is refused, and where it says the mistake is."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.compiler import definition_hash
from orchestrator.definition.loader import load_file, load_mapping, load_text
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, Issue
from orchestrator.graph.durations import parse_duration

MINIMAL = """
name: hello
nodes:
  - {id: a, type: Format, config: {template: hi}}
"""


def refused(text: str | bytes, filename: str | None = "x.yaml") -> Issue:
    with pytest.raises(DefinitionError) as caught:
        load_text(text, filename=filename)
    return caught.value.issues[0]


def described(value: str) -> Any:
    return load_text(f"{MINIMAL}outputs: {{x: {value}}}").outputs["x"]


def test_yaml_and_json_of_the_same_definition_are_the_same() -> None:
    yaml = load_text(MINIMAL)
    from_json = load_text('{"nodes": [{"config": {"template": "hi"}, "type": "Format", "id": "a"}], "name": "hello"}')

    assert yaml.model_dump() == from_json.model_dump()
    assert definition_hash(yaml) == definition_hash(from_json)


@pytest.mark.parametrize("word", ["on", "yes", "no", "off", "2026-01-01", "12:30:45", "1_000", "<<"])
def test_what_yaml_1_2_calls_text_stays_text(word: str) -> None:
    assert described(word) == word


@pytest.mark.parametrize(
    ("written", "value"), [("true", True), ("~", None), ("0x1F", 31), ("1e3", 1000.0), ("'1'", "1"), ("!!str 1", "1")]
)
def test_plain_values_are_read_as_yaml_1_2_says(written: str, value: object) -> None:
    assert described(written) == value


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("name: a\nname: b\n", "DEF003", (2, 1)),
        ("name: a\n1: b\n", "DEF003", (2, 1)),
        ("name: {{ inputs.x }}\n", "DEF003", (1, 8)),
        ("name: !!python/object/apply:os.system [ls]\n", "DEF001", (1, 7)),
        ("name: !!set {a}\n", "DEF001", (1, 7)),
        ("name: a\n---\nname: b\n", "DEF001", (2, 1)),
        ("name: [a\n", "DEF001", (2, 1)),
        ("name: .nan\n", "DEF004", (1, 7)),
        ("name: -.inf\n", "DEF004", (1, 7)),
        ("name: 9223372036854775808\n", "DEF004", (1, 7)),
        ("name: " + "9" * 10_000, "DEF004", (1, 7)),
        ("name: 1e999\n", "DEF004", (1, 7)),
        ('name: "a\\u0000"\n', "DEF006", (1, 7)),
        ("name: " + "[" * 60 + "]" * 60, "DEF002", (1, 56)),
        ("a: &a [*a]\n", "DEF001", (1, 8)),
        ("- name\n", "DEF005", (1, 1)),
        ("", "DEF005", (None, None)),
        (b"name: \xff\n", "DEF001", (1, 1)),
        ("name: a\x01", "DEF001", (None, None)),
    ],
)
def test_yaml_that_is_no_plain_data_is_refused_with_its_place(
    text: str | bytes, code: str, place: tuple[int | None, int | None]
) -> None:
    issue = refused(text)

    assert (issue.code, (issue.line, issue.column)) == (code, place)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ('{"name": "a",\n "name": "b"}', "DEF003", (2, 2)),
        ('{"name": NaN}', "DEF001", (1, 10)),
        ('{"name": 1e999}', "DEF004", (1, 10)),
        ('{"name": 9223372036854775808}', "DEF004", (1, 10)),
        ('{"name": "a",}', "DEF001", (1, 14)),
        ('{"name" "a"}', "DEF001", (1, 9)),
        ('{"name": "a"', "DEF001", (1, 13)),
        ('{"name": "a"} x', "DEF001", (1, 15)),
        ('{"name": "\\u0007"}', "DEF006", (1, 10)),
        ('{"name": "\\ud800"}', "DEF006", (1, 10)),
        ("[" * 100_000, "DEF002", (1, 51)),
        ("", "DEF001", (1, 1)),
    ],
)
def test_json_that_is_no_json_is_refused_with_its_place(text: str, code: str, place: tuple[int, int]) -> None:
    issue = refused(text, "x.json")

    assert (issue.code, (issue.line, issue.column)) == (code, place)


def test_json_escapes_are_read_as_json_reads_them() -> None:
    text = '{"name": "a", "description": "\\ud83d\\ude00 \\/", "nodes": [{"id": "a", "type": "Router"}]}'

    with pytest.raises(DefinitionError) as caught:
        load_text(text)

    assert [issue.code for issue in caught.value.issues] == ["DEF022", "DEF022"]


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ['a0: &a0 ["x", "x", "x", "x", "x", "x", "x", "x", "x", "x"]']
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    start = time.monotonic()

    assert refused("\n".join(lines)).code == "DEF002"
    assert time.monotonic() - start < 1


def test_a_bomb_of_long_texts_is_refused_too() -> None:
    text = f"a: &a {'x' * 500_000}\nb: [{', '.join(['*a'] * 1000)}]\n"

    assert refused(text).code == "DEF002"


def test_anchors_and_aliases_of_ordinary_size_work() -> None:
    text = (
        "name: a\nnodes:\n"
        "- {id: a, type: Format, config: &same {template: hi}}\n- {id: b, type: Format, config: *same}\n"
        "edges: [{from: a, to: b}]\n"
    )

    assert load_text(text).nodes[1].config == {"template": "hi"}


@pytest.mark.parametrize("name", ["big.yaml", "big.json"])
def test_ten_megabytes_are_refused_at_once_with_one_error(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(b"a: b\n" * 2_000_000)
    start = time.monotonic()

    with pytest.raises(DefinitionError) as caught:
        load_file(file)

    assert [issue.code for issue in caught.value.issues] == ["DEF002"]
    assert time.monotonic() - start < 0.5


def test_ten_thousand_nodes_are_refused_with_one_error() -> None:
    nodes = [{"id": f"n{number}", "type": "Nonsense"} for number in range(10_000)]

    with pytest.raises(DefinitionError) as caught:
        load_mapping({"name": "big", "nodes": nodes})

    assert [issue.code for issue in caught.value.issues] == ["DEF002"]


def test_two_thousand_nodes_load_in_seconds() -> None:
    nodes = [{"id": f"n{number}", "type": "Format", "config": {"template": "x"}} for number in range(2_000)]
    edges = [{"from": f"n{number}", "to": f"n{number + 1}", "when": "true"} for number in range(1_999)]
    start = time.monotonic()

    load_mapping({"name": "long", "nodes": nodes, "edges": edges})

    assert time.monotonic() - start < 8, "a slow machine takes two seconds"


def test_no_more_than_a_hundred_problems_are_listed() -> None:
    nodes = [{"id": f"n{number}", "type": "Nonsense"} for number in range(150)]

    with pytest.raises(DefinitionError) as caught:
        load_mapping({"name": "wrong", "nodes": nodes})

    assert len(caught.value.issues) == 101
    assert caught.value.issues[-1].message == "There are 50 more problems"


def test_a_mapping_that_is_not_json_is_refused() -> None:
    for value in ({"name": b"a"}, {1: "a"}, {"name": float("nan")}, {"name": 2**70}):
        with pytest.raises(DefinitionError):
            load_mapping(value)  # pyright: ignore[reportArgumentType]  # that is the point


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DefinitionNotFoundError, match="No such file"):
        load_file(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("60s", 60), ("5m", 300), ("2h", 7200), ("7d", 604800), ("1h30m", 5400), (3, 3)],
)
def test_durations_are_seconds(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "s", "1", "1 s", "-1s", "1s1h", "1x", 0, -1, float("nan"), "999999999d"])
def test_what_is_no_duration_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_duration(text)


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_our_error(text: str) -> None:
    for name in ("x.yaml", "x.json", None):
        with pytest.raises(DefinitionError):
            load_text(text, filename=name)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
_FIELDS = ("name", "version", "inputs", "limits", "defaults", "nodes", "edges", "state", "outputs", "access")
_NODES = st.lists(
    st.dictionaries(st.sampled_from(["id", "type", "config", "join", "retry", "write", "timeout"]), _VALUES, max_size=7)
)


@given(st.dictionaries(st.sampled_from(_FIELDS), _VALUES | _NODES, max_size=10))
def test_no_mapping_raises_anything_but_our_error(data: dict[str, Any]) -> None:
    data["nodes"] = data.get("nodes", 3)
    with pytest.raises(DefinitionError):
        load_mapping({**data, "more": 1})


@given(st.dictionaries(st.text(max_size=5), st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.none(), min_size=1))
def test_json_is_read_as_the_standard_reader_does(data: dict[str, Any]) -> None:
    text = json.dumps({"name": "a", "nodes": [{"id": "a", "type": "DataInput", "config": {"data": data}}]})
    try:
        definition = load_text(text)
    except DefinitionError as error:
        assert {issue.code for issue in error.issues} <= {"DEF006", "DEF050"}  # noqa: PT017 - control characters in keys
    else:
        assert definition.nodes[0].config["data"] == data
