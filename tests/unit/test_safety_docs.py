"""What docs/safety.md and docs/prompts.md promise is tested by what they name, and what they show is so."""

import ast
import re
from pathlib import Path

import pytest

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_text
from orchestrator.errors import DefinitionError
from orchestrator.node_types import NODE_TYPES
from orchestrator.safety import BUILT_IN

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("safety.md", "prompts.md")}
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def blocks(mark: str) -> list[str]:
    found = [re.findall(rf"^```{mark}\n(.*?)^```", page, re.MULTILINE | re.DOTALL) for page in PAGES.values()]
    return [block for several in found for block in several]


def functions(file: Path) -> set[str]:
    found = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.name for node in found if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


@pytest.mark.parametrize("page", PAGES)
def test_every_promise_names_tests_that_exist(page: str) -> None:
    rows = [
        row
        for table in re.findall(r"^\| promise \| test \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGES[page], re.MULTILINE)
        for row in table.splitlines()
    ]
    named: set[tuple[str, str]] = set(NAMED.findall(PAGES[page]))

    assert len(rows) >= 5
    assert [row for row in rows if not NAMED.search(row)] == []
    assert [f"{file}::{name}" for file, name in sorted(named) if name not in functions(ROOT / file)] == []


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: re.findall(r"^name: (.*)$", block, re.MULTILINE)[0])
def test_every_definition_they_show_loads_and_compiles(block: str) -> None:
    assert compile_definition(load_text(block)).nodes


def test_the_definition_that_is_said_to_be_refused_is_refused_in_these_words() -> None:
    [block] = blocks("yaml refused")
    with pytest.raises(DefinitionError) as caught:
        load_text(block)

    [issue] = caught.value.issues
    assert f"{issue.code} {issue.path}: {issue.message}" in PAGES["safety.md"]


def test_every_check_and_what_is_usual_is_listed() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \|$", PAGES["safety.md"], re.MULTILINE))

    assert listed == {name: check.usual for name, check in BUILT_IN.items()}


def test_every_field_that_untrusted_text_must_not_decide_is_listed() -> None:
    section = PAGES["safety.md"].partition("untrusted text must not decide |")[2].partition("### ")[0]
    missing = [
        f"{name}.{field}"
        for name, kind in NODE_TYPES.items()
        if NODE_TYPES.origins.get(name) is None
        for field in (*kind.trust.acts, *kind.trust.arguments)
        if not any(f"`{name}`" in row and f"`{field}`" in row for row in section.splitlines())
    ]

    assert missing == []
