"""Other words for node types: what they lead to, and that nobody sees them after reading."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from orchestrator.cli import catalogue
from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.definition.mermaid import to_mermaid
from orchestrator.definition.schema import definition_schema
from orchestrator.errors import DefinitionError, DefinitionNotFoundError
from orchestrator.graph.plan import Plan
from orchestrator.node_types import BUILT_IN
from orchestrator.node_types.aliases import ALIASES, aliases_of, canonical


def flow(*types: str) -> dict[str, Any]:
    return {
        "name": "flow",
        "nodes": [
            {"id": "each", "type": types[0], "config": {"items": "[1]", "do": {"nodes": [_transform(types[1])]}}},
            _transform(types[1]),
        ],
    }


def _transform(type_: str) -> dict[str, Any]:
    return {"id": "loud", "type": type_, "config": {"operation": "uppercase", "input": "a"}}


def _without_hashes(plan: Plan) -> str:
    """The hash is that of the definition as it is written."""
    return re.sub(r'"hash":"[0-9a-f]{64}"', "", plan.model_dump_json())


def test_every_other_word_leads_to_a_type_and_is_none_itself() -> None:
    assert set(ALIASES.values()) <= BUILT_IN.keys()
    assert ALIASES.keys() & BUILT_IN.keys() == set()


def test_every_type_may_be_written_in_snake_case() -> None:
    snake = {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower(): name for name in BUILT_IN}

    assert {word: canonical(word) for word in snake} == snake


def test_a_word_that_is_no_other_word_stays() -> None:
    assert (canonical("Transform"), canonical("Trnsform"), aliases_of("Nothing")) == ("Transform", "Trnsform", ())


def test_the_plan_and_its_drawing_know_the_names_of_the_types_only() -> None:
    plain = compile_definition(load_mapping(flow("ForEach", "Transform")))
    other = compile_definition(load_mapping(flow("for_each", "DataProcessing")))

    assert [node.type for node in other.nodes] == ["ForEach", "Transform"]
    assert _without_hashes(other) == _without_hashes(plain)
    assert to_mermaid(other) == to_mermaid(plain)


def test_the_schema_for_editors_takes_other_words_and_knows_their_config() -> None:
    schema = jsonschema_rs.Draft202012Validator(definition_schema())

    assert schema.is_valid(flow("for_each", "data_processing"))
    assert not schema.is_valid({"name": "flow", "nodes": [{"id": "a", "type": "data_processing", "config": {"x": 1}}]})


@pytest.mark.parametrize(("written", "near"), [("DataProcesing", "DataProcessing"), ("http_reqest", "http_request")])
def test_a_mistyped_word_is_told_the_nearest_one(written: str, near: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_mapping({"name": "flow", "nodes": [{"id": "a", "type": written}]})

    assert [issue.hint for issue in caught.value.issues] == [f"Did you mean `{near}`?"]


def test_the_catalogue_shows_other_words_and_knows_a_type_by_them(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue.nodes("sleep", as_json=True)
    about = json.loads(capsys.readouterr().out)
    catalogue.nodes(None, as_json=False)
    listed = capsys.readouterr().out

    assert (about["name"], about["aliases"], about["origin"]) == ("Wait", list(aliases_of("Wait")), None)
    assert [alias for alias in ALIASES if alias not in listed] == []


def test_a_word_that_the_catalogue_does_not_know_is_told_the_nearest_one() -> None:
    with pytest.raises(DefinitionNotFoundError, match=r"Did you mean `data_processing`\?"):
        catalogue.nodes("data_procesing", as_json=False)
