"""What stands on the command line becomes the request that is meant."""

import io
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.answers import message_for
from orchestrator.cli.app import call
from orchestrator.cli.requests import Wanted, read_json, read_value, wanted
from orchestrator.contracts import Awaiting
from orchestrator.errors import (
    DefinitionError,
    DefinitionNotFoundError,
    InputError,
    OrchestratorError,
    RequestError,
)

DEFINITION = """
name: greet
inputs:
  name: {type: string}
  times: {type: integer, default: 1}
  loud: {type: boolean, default: false}
  tags: {type: array, default: []}
  about: {type: object, default: {}}
  id: {type: [string, "null"], default: null}
nodes: [{id: hello, type: Format, config: {template: "Hello {{ inputs.name }}"}}]
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "greet.yaml").write_text(DEFINITION, encoding="utf-8")
    return tmp_path


def ask(reference: str, library: Path, *values: str, inputs: str | None = None, **limits: Any) -> Wanted:
    return wanted(reference, inputs, values, library=library, context={"tenant": "acme"}, limits=limits)


def test_a_value_is_read_as_the_type_that_its_input_declares(library: Path) -> None:
    values = ("name=42", "times=3", "loud=true", 'tags=["a"]', 'about={"a": 1}', "id=7")

    found = ask("greet", library, *values).request.inputs

    assert found == {"name": "42", "times": 3, "loud": True, "tags": ["a"], "about": {"a": 1}, "id": "7"}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("3", {"type": "number"}, 3),
        ("3.0", {"type": "integer"}, 3.0),
        ("true", {"type": "integer"}, "true"),
        ("null", {"type": ["string", "null"]}, None),
        ("0123", {"type": "integer"}, "0123"),
        ("NaN", {"type": "number"}, "NaN"),
        ("3", {}, 3),
        ("Ada", {}, "Ada"),
        ("[" * 100_000, {}, "[" * 100_000),
    ],
)
def test_what_is_not_of_a_declared_type_stays_text(text: str, schema: dict[str, Any], value: object) -> None:
    assert read_value("-v x", text, schema) == value


def test_single_values_win_over_the_whole_input(library: Path) -> None:
    found = ask("greet", library, "name=Bob", inputs='{"name": "Ada", "times": 2}').request.inputs

    assert found == {"name": "Bob", "times": 2}


def test_input_is_read_from_a_file_and_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.json").write_text('{"a": 1}', encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO('{"b": 2}'))

    assert read_json("--input", f"@{tmp_path}/in.json") == {"a": 1}
    assert read_json("--input", "@-") == {"b": 2}


@pytest.mark.parametrize("text", ["{", "", "@/no/such/file", "[NaN]", "[" * 100_000, "[" * 500 + "]" * 500])
def test_input_that_is_not_json_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(RequestError, match="--input"):
        read_json("--input", text)


def test_a_file_is_sent_whole_and_a_name_as_a_name(library: Path) -> None:
    by_file = ask(str(library / "greet.yaml"), library, "name=Ada")
    by_name = ask("greet", library, "name=Ada")

    assert isinstance(by_file.request.definition, dict)
    assert by_name.request.definition == "greet"
    assert by_file.name == by_name.name == "greet"
    assert by_file.request.context.tenant == "acme"


def test_a_name_that_only_the_worker_may_know_is_sent_with_the_problem_noted(tmp_path: Path) -> None:
    found = ask("elsewhere", tmp_path, "n=1", "word=one")

    assert isinstance(found.problem, DefinitionNotFoundError)
    assert found.request.inputs == {"n": 1, "word": "one"}


def test_inputs_for_a_name_are_the_workers_to_check_and_what_looks_wrong_here_is_noted(library: Path) -> None:
    found = ask("greet", library, "nmae=Bob")

    assert isinstance(found.problem, InputError)
    assert found.request.inputs == {"nmae": "Bob"}


@pytest.mark.parametrize(
    ("reference", "values", "limits", "error"),
    [
        ("./no.yaml", (), {}, DefinitionNotFoundError),
        ("No Name", (), {}, RequestError),
        ("FILE", (), {}, InputError),
        ("FILE", ("name=Ada", "nmae=Bob"), {}, InputError),
        ("greet", ("name",), {}, RequestError),
        ("greet", ("name=Ada",), {"timeout": "soon"}, RequestError),
        ("greet", ("name=Ada",), {"steps": 0}, RequestError),
    ],
)
def test_what_cannot_start_is_refused_before_anything_is_sent(
    library: Path,
    reference: str,
    values: tuple[str, ...],
    limits: dict[str, Any],
    error: type[OrchestratorError],
) -> None:
    with pytest.raises(error):
        ask(reference.replace("FILE", f"{library}/greet.yaml"), library, *values, **limits)


def test_a_file_that_breaks_rules_is_refused_with_every_issue(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("name: bad\nnodes: [{id: a, type: Formt}, {id: a, type: Format}]\n", encoding="utf-8")

    with pytest.raises(DefinitionError) as caught:
        ask(str(file), tmp_path)

    assert len(caught.value.issues) > 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (r'{"ms": ["a", "openai/x\ud800"]}', r" in ms\[1\]"),
        (r'{"a": {"b": "\udfff"}}', r" in a\.b"),
        (r'{"\ud800": 1}', r" in \\ud800"),
        (r'"\ud800"', ""),
        ('{"raw": "\udcff"}', " in raw"),
    ],
)
def test_half_a_character_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(RequestError, match=rf"^--input holds half a character \(a lone surrogate\){place}: write"):
        read_json("--input", text)


def test_both_halves_of_a_character_are_one() -> None:
    assert read_json("--input", r'["\ud83d\ude00"]') == ["\U0001f600"]
    assert read_value("-v x", r'["\ud83d\ude00"]', {}) == ["\U0001f600"]


def test_a_value_with_half_a_character_is_refused_where_it_is_json() -> None:
    assert read_value("-v x", r'"\ud800"', {"type": "string"}) == r'"\ud800"'
    with pytest.raises(RequestError, match=r"^-v x holds half a character"):
        read_value("-v x", r'["\ud800"]', {"type": "array"})


def test_half_a_character_in_an_answer_is_refused() -> None:
    asked = Awaiting(
        node="ask", visit=1, kind="approval", question="Right?", since="2027-01-01T00:00:00Z", proposal={"a": 1}
    )

    with pytest.raises(RequestError, match=r"^the changed proposal holds half a character .* in a:"):
        message_for(r'modify {"a": "\ud800"}', asked)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "greet", "--input", r'{"ms": ["openai/x\ud800"]}'),
        ("start", "greet", "--input", r'{"mode": "\ud800"}'),
        ("start", "greet", "-v", r'mode={"a": "\ud800"}'),
        ("resolve", "r1", "--retry", "--config", r'{"model": "\ud800"}'),
        ("resolve", "r1", "--override", r'{"text": "\ud800"}'),
        ("answer", "r1", "--values", r'{"text": "\ud800"}'),
        ("approve", "r1", "--modify", r'"\ud800"'),
    ],
)
def test_a_command_refuses_half_a_character_in_one_line(
    arguments: tuple[str, ...], library: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DEFINITIONS_DIR", str(library))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    assert call(arguments) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error REQUEST_INVALID: ")
    assert "holds half a character" in line
