"""The published JSON Schema of cases is the one that the model gives, and agrees with the reader."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from orchestrator.definition.yaml_reader import read_yaml
from orchestrator.testkit.schema import cases_schema, cases_schema_text

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "definitions/cases").glob("*.yaml"))


def test_the_published_schema_is_up_to_date() -> None:
    published = (ROOT / "docs/cases.schema.json").read_text(encoding="utf-8")

    assert published == cases_schema_text(), "run: python -m orchestrator.testkit.schema"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_the_schema_accepts_every_shipped_file_which_tells_editors_of_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    problems = jsonschema_rs.Draft202012Validator(cases_schema()).iter_errors(read_yaml(text).data)

    assert [problem.message for problem in problems] == []
    assert text.startswith("# yaml-language-server: $schema=../../docs/cases.schema.json\n")


def test_the_schema_refuses_a_typo() -> None:
    data: dict[str, Any] = {"cases": [{"name": "a", "mock": {}}]}

    assert not jsonschema_rs.Draft202012Validator(cases_schema()).is_valid(data)
