"""What docs/failure-contract.md promises is tested by what it names."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/failure-contract.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def functions(file: Path) -> set[str]:
    found = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.name for node in found if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_test_that_the_contract_names_exists() -> None:
    named: set[tuple[str, str]] = set(NAMED.findall(PAGE))
    missing = [f"{file}::{name}" for file, name in sorted(named) if name not in functions(ROOT / file)]

    assert not missing


def test_every_promise_names_a_test() -> None:
    sections = re.split(r"^## (?=\d+\. )", PAGE, flags=re.MULTILINE)[1:]
    promises = [section.partition("\n## ")[0] for section in sections]

    assert len(promises) == 10
    for promise in promises:
        title = promise.partition("\n")[0]
        assert NAMED.search(promise), title
        assert "Promised: " in promise, title
        assert "Not promised: " in promise, title


def test_every_test_of_the_contract_is_named() -> None:
    file = "tests/e2e/test_failure_contract.py"
    tests = {name for name in functions(ROOT / file) if name.startswith("test_")}

    assert tests == {name for where, name in NAMED.findall(PAGE) if where == file}
