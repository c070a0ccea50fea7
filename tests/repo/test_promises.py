"""Every test that a page of the docs names, as the proof of a promise, exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if NAMED.search(path.read_text(encoding="utf-8")))


@cache
def functions(file: Path) -> frozenset[str]:
    found = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return frozenset(node.name for node in found if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def test_there_are_pages_that_promise_something() -> None:
    assert {"models.md", "providers.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named: list[tuple[str, str]] = NAMED.findall(page.read_text(encoding="utf-8"))

    assert [f"{file}::{name}" for file, name in named if name not in functions(ROOT / file)] == []
