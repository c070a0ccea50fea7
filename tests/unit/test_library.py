"""Definitions by name, a run's inputs, and a run's own limits."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts import LimitsRequest
from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.library import Library
from orchestrator.definition.limits import tighten
from orchestrator.definition.loader import load_mapping
from orchestrator.definition.model import Definition, LimitsModel
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, InputError, RequestError


def write(folder: Path, file: str, *, name: str = "hello", version: str = "1.2.0") -> None:
    nodes = "nodes: [{id: a, type: Format, config: {template: hi}}]"
    (folder / file).write_text(f"name: {name}\nversion: {version}\n{nodes}\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "hello.yaml")
    write(tmp_path, "hello@1.1.0.yaml", version="1.1.0")
    return tmp_path


@pytest.mark.parametrize(("wanted", "version"), [(None, "1.2.0"), ("1.2.0", "1.2.0"), ("1.1.0", "1.1.0")])
def test_a_name_gives_the_current_version_or_the_one_asked_for(folder: Path, wanted: str | None, version: str) -> None:
    assert Library(folder).load("hello", wanted).version == version


def test_a_file_that_changes_counts_at_once(folder: Path) -> None:
    library = Library(folder)
    library.load("hello")
    write(folder, "hello.yaml", version="1.3.0")

    assert library.load("hello").version == "1.3.0"


def test_a_name_that_is_not_there_brings_the_nearest_one(folder: Path) -> None:
    with pytest.raises(DefinitionNotFoundError, match="Did you mean `hello`"):
        Library(folder).load("helo")
    with pytest.raises(DefinitionNotFoundError, match=r"of this name there are the current one and 1\.1\.0"):
        Library(folder).load("hello", "9.0.0")
    with pytest.raises(DefinitionNotFoundError, match=r"There is `hello`\.$"):
        Library(folder).load("nope")
    write(folder, "digest.yaml", name="digest")
    with pytest.raises(DefinitionNotFoundError, match=r"There are `digest` and `hello`\.$"):
        Library(folder).load("nope")
    with pytest.raises(DefinitionNotFoundError, match=r"of this name there is the current one$"):
        Library(folder).load("digest", "9.0.0")
    with pytest.raises(DefinitionNotFoundError, match="There are none"):
        Library(folder / "none").load("hello")


@pytest.mark.parametrize("name", ["../hello", "/etc/passwd", "hello.yaml", "", "a/b", "hello\n", "HELLO", "hello\x00"])
def test_a_name_is_never_a_path(folder: Path, name: str) -> None:
    with pytest.raises(RequestError):
        Library(folder).load(name)


def test_two_files_that_claim_a_name_are_an_error(folder: Path) -> None:
    write(folder, "hello.yml")

    with pytest.raises(DefinitionError, match=r"hello\.yaml and hello\.yml"):
        Library(folder).load("hello")


def test_a_version_that_two_files_claim_is_an_error(folder: Path) -> None:
    write(folder, "hello@1.2.0.yaml")

    with pytest.raises(DefinitionError, match="two files claim"):
        Library(folder).load("hello", "1.2.0")


@pytest.mark.parametrize(("file", "version"), [("other.yaml", None), ("hello@1.0.0.yaml", "1.0.0")])
def test_the_name_in_a_file_must_be_that_of_the_file(folder: Path, file: str, version: str | None) -> None:
    write(folder, file)

    with pytest.raises(DefinitionError, match="by the name of the file it should be"):
        Library(folder).load(file.partition(".")[0].partition("@")[0], version)


@pytest.fixture
def definition() -> Definition:
    inputs = {"a": {"type": "string"}, "n": {"type": "integer", "default": 3}, "o": {"required": False}}
    return load_mapping(
        {"name": "test", "inputs": inputs, "nodes": [{"id": "a", "type": "Format", "config": {"template": ""}}]}
    )


def test_inputs_get_their_defaults_and_optional_ones_may_be_missing(definition: Definition) -> None:
    assert check_inputs(definition, {"a": "x"}) == {"a": "x", "n": 3}


def test_everything_wrong_with_inputs_is_in_one_error(definition: Definition) -> None:
    given: dict[str, Any] = {"n": "x", "oo": 1}
    with pytest.raises(InputError) as caught:
        check_inputs(definition, given)

    assert caught.value.details["problems"] == [
        "`a` is missing",
        '`n`: "x" is not of type "integer"',
        "`oo` is not an input of test (Did you mean `o`?)",
    ]


def test_a_run_may_only_tighten_its_limits() -> None:
    limits = tighten(LimitsModel(steps=100, timeout=60), LimitsRequest(steps=50, timeout="2h", cost_usd=0))

    assert (limits.steps, limits.timeout, limits.max_parallel, limits.cost_usd) == (50, 60, 100, 0)


def test_a_timeout_that_is_no_duration_is_refused() -> None:
    with pytest.raises(RequestError, match=r"limits\.timeout must be"):
        tighten(LimitsModel(), LimitsRequest(timeout="soon"))
