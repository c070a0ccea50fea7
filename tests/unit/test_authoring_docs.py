"""What docs/authoring.md shows is loaded, and what the language has is in it."""

import re
from pathlib import Path

import pytest

from orchestrator.compiler import compile_definition
from orchestrator.definition.codes import CODES
from orchestrator.definition.library import Library
from orchestrator.definition.loader import load_file, load_text
from orchestrator.definition.model import (
    BodyModel,
    ChannelModel,
    Defaults,
    Definition,
    EdgeModel,
    LimitsModel,
    NodeModel,
    RetryModel,
)
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.aliases import ALIASES
from orchestrator.node_types.transform import OPERATIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/authoring.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SHIPPED = sorted((ROOT / "definitions").glob("*.yaml"))


def section(type_name: str) -> str:
    found = re.search(rf"^### `{type_name}`\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/authoring.md has no section for {type_name}"
    return found[1]


def test_the_page_shows_whole_definitions() -> None:
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.findall(r"^name: (.*)$", block, re.MULTILINE)[0])
def test_every_definition_the_page_shows_loads_and_compiles(block: str) -> None:
    assert compile_definition(load_text(block)).nodes


def test_every_other_yaml_block_is_marked_as_a_fragment() -> None:
    marks = set(re.findall(r"^```(\S.*)$", PAGE, re.MULTILINE))

    assert marks <= {"yaml", "yaml fragment"}


@pytest.mark.parametrize("type_name", NODE_TYPES)
def test_every_node_type_has_a_section_with_each_field_of_its_config_and_output(type_name: str) -> None:
    kind = NODE_TYPES[type_name]
    fields = [info.alias or name for name, info in kind.config.model_fields.items()]

    assert [name for name in [*fields, *(kind.outputs or ())] if f"`{name}`" not in section(type_name)] == []


def test_every_operation_of_transform_is_documented_with_its_options_in_its_own_words() -> None:
    def listed(names: tuple[str, ...]) -> str:
        return f" {', '.join(f'`{name}`' for name in names)} " if names else " "

    rows = [
        f"| `{name}` |{listed(operation.needs)}|{listed(operation.takes)}| {operation.summary} |"
        for name, operation in OPERATIONS.items()
    ]

    assert [row for row in rows if row not in section("Transform").splitlines()] == []


def test_the_other_words_for_node_types_are_documented_all_and_no_others() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|$", PAGE.partition("## Node types")[2].partition("###")[0], re.MULTILINE
    )

    assert {alias: name for name, words in rows for alias in re.findall(r"\w+", words)} == dict(ALIASES)


@pytest.mark.parametrize(
    "model",
    [Definition, BodyModel, NodeModel, EdgeModel, ChannelModel, LimitsModel, Defaults, RetryModel],
    ids=lambda m: m.__name__,
)
def test_every_field_of_the_language_is_documented(model: type[Definition]) -> None:
    names = [info.alias or name for name, info in model.model_fields.items()]

    assert [name for name in names if not re.search(rf"`(?:retry\.)?{name}`", PAGE)] == []


def test_every_validation_code_is_listed_with_its_meaning() -> None:
    listed = dict(re.findall(r"^\| `(DEF\d{3})` \| (.*) \|$", PAGE, re.MULTILINE))

    assert listed == dict(CODES)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_every_shipped_definition_compiles_and_tells_editors_its_schema(file: Path) -> None:
    definition = load_file(file)

    assert compile_definition(definition, Library(file.parent).find).name == file.stem
    assert file.read_text(encoding="utf-8").startswith(
        "# yaml-language-server: $schema=../docs/definition.schema.json\n"
    )
    assert (definition.name, definition.source.data["name"]) == (file.stem, file.stem)
