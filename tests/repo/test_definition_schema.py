"""The published JSON Schema is the one that the model gives, and agrees with the loader."""

from pathlib import Path

import jsonschema_rs
import pytest

from orchestrator.definition.loader import load_file
from orchestrator.definition.schema import definition_schema, definition_schema_text

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "definitions").glob("*.yaml"))


def test_the_published_schema_is_up_to_date() -> None:
    published = (ROOT / "docs/definition.schema.json").read_text(encoding="utf-8")

    assert published == definition_schema_text(), "run: python -m orchestrator.definition.schema"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_the_schema_accepts_every_shipped_definition(file: Path) -> None:
    problems = jsonschema_rs.Draft202012Validator(definition_schema()).iter_errors(load_file(file).source.data)

    assert [problem.message for problem in problems] == []


def test_the_schema_refuses_an_unknown_config_field() -> None:
    data = {"name": "a", "nodes": [{"id": "a", "type": "Format", "config": {"template": "x", "tempalte": "y"}}]}

    assert not jsonschema_rs.Draft202012Validator(definition_schema()).is_valid(data)
