"""What docs/testing.md shows is read, and what cases have is in it."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from orchestrator.testkit.model import Attempt, Case, Expect, Failure, Resolution, Step
from orchestrator.testkit.reading import load_cases

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_shows_whole_files() -> None:
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.findall(r"- name: (.*)$", block, re.MULTILINE)[0])
def test_every_file_the_page_shows_is_read(block: str, tmp_path: Path) -> None:
    file = tmp_path / "shown.yaml"
    file.write_text(block, encoding="utf-8")

    assert load_cases(file, ROOT / "definitions").cases


@pytest.mark.parametrize("model", [Case, Attempt, Failure, Step, Resolution, Expect], ids=lambda model: model.__name__)
def test_every_field_is_documented(model: type[BaseModel]) -> None:
    assert [name for name in model.model_fields if not re.search(rf"\b{name}\b", PAGE)] == []
