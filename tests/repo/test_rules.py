"""Rules of this repository that a reviewer would otherwise have to repeat."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.node_types import NODE_TYPES

ROOT = Path(__file__).parents[2]
MADE = {".venv", ".git", ".orchestrator", ".ruff_cache", ".pytest_cache", ".hypothesis", "build", "dist", "__pycache__"}
TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".example", ".cfg", ""}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:root|work|home)/\w")
REGISTRY = re.compile(
    r"https?://(?:[\w-]+\.)*(?:pypi\.org/simple|pythonhosted\.org|registry\.npmjs\.org)|--(?:extra-)?index-url"
)


def _files() -> Iterator[Path]:
    """The files of the project: those git knows or would add, or, outside a clone, all that no command made."""
    if (ROOT / ".git").exists() and (git := shutil.which("git")):
        listed = subprocess.run(
            [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        )
        yield from (path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())
        return
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not MADE & set(parts) and not any(part.endswith(".egg-info") for part in parts):
            yield path


FILES = sorted(_files())
PYTHON = [path for path in FILES if path.suffix == ".py"]
PAGES = [path for path in FILES if path.suffix == ".md"]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def file_name(node_type: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", node_type).lower()


def anchors(page: Path) -> list[str]:
    headings: list[str] = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("path", PYTHON, ids=shown)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_file_has_grown_beyond_reading() -> None:
    long = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON}

    assert {name: lines for name, lines in long.items() if lines > 400 and not name.startswith("tests/")} == {}


@pytest.mark.parametrize("name", NODE_TYPES)
def test_every_node_type_has_its_files(name: str) -> None:
    expected = [f"orchestrator/node_types/{file_name(name)}.py", f"tests/unit/test_{file_name(name)}.py"]
    if NODE_TYPES[name].tier != "control":
        expected.append(f"activities/{file_name(name)}.py")

    assert [path for path in expected if not (ROOT / path).is_file()] == []


def test_every_node_type_is_documented() -> None:
    page = (ROOT / "docs/authoring.md").read_text(encoding="utf-8")

    assert [name for name in NODE_TYPES if f"\n### `{name}`\n" not in page] == []


def test_every_node_type_is_shown_by_a_definition() -> None:
    definitions = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "definitions").glob("*.yaml")]
    used = {node["type"] for definition in definitions for node in definition["nodes"]}

    assert sorted(set(NODE_TYPES) - used) == []


def test_decision_records_are_numbered_once_and_all_in_the_index() -> None:
    folder = ROOT / "docs/decisions"
    records = sorted(path.name for path in folder.glob("*.md") if path.name != "README.md")
    numbers = [name.split("-")[0] for name in records]
    index = (folder / "README.md").read_text(encoding="utf-8")

    assert [name for name in records if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)] == []
    assert len(numbers) == len(set(numbers))
    assert [name for name in records if f"({name})" not in index] == []


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix in TEXT], ids=shown)
def test_no_file_names_a_registry_or_somebodys_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert [line for line in text.splitlines() if MACHINE_PATH.search(line)] == []
    if path != Path(__file__):
        assert [line for line in text.splitlines() if REGISTRY.search(line)] == []


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_there_is_a_page_to_begin_with() -> None:
    assert (ROOT / "README.md").is_file()


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    dead: list[str] = []
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        page = path.parent / target if target else path
        if not page.exists() or (fragment and page.suffix == ".md" and fragment not in anchors(page)):
            dead.append(link)

    assert dead == []


def test_the_locks_pin_everything_with_hashes() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if re.match(r"[a-z]", line)]
        assert pins
        assert [line for line in pins if "==" not in line] == []
        assert "--hash=sha256:" in "".join(lines)
