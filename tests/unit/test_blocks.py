"""Blocks of text are found by name and version, written out where they are used, and pinned with the definition."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.compiler import compile_definition, definition_hash
from orchestrator.definition.library import Library
from orchestrator.definition.loader import load_file, load_mapping
from orchestrator.definition.model import Definition
from orchestrator.errors import DefinitionError, Issue


def data(template: str, /, **blocks: str) -> dict[str, Any]:
    nodes = [{"id": "a", "type": "Format", "config": {"template": template}}]
    return {"name": "test", "inputs": {"who": {"type": "string"}}, "nodes": nodes, "blocks": blocks}


def text_of(definition: Definition) -> str:
    return definition.nodes[0].config["template"]


def filled(template: str, folder: Path | None = None, /, **blocks: str) -> str:
    return text_of(load_mapping(data(template, **blocks), blocks=folder))


def issues(template: str, folder: Path | None = None, /, **blocks: str) -> list[Issue]:
    with pytest.raises(DefinitionError) as caught:
        load_mapping(data(template, **blocks), blocks=folder)
    return list(caught.value.issues)


def write(folder: Path, stem: str, text: str, **more: str) -> None:
    folder.mkdir(exist_ok=True)
    lines = [f"name: {more.get('name', stem.partition('@')[0])}", f"version: {more.get('version', '1.0.0')}"]
    (folder / f"{stem}.yaml").write_text("\n".join([*lines, f"text: {text!r}"]), encoding="utf-8")


@pytest.mark.parametrize("use", ['{{ block("tone") }}', "{{ block('tone') }}", '{{block( "tone" )}}'])
def test_a_block_is_written_out_where_it_is_used(use: str) -> None:
    assert filled(f"a {use} b", tone="Be brief, {{ inputs.who }}.") == "a Be brief, {{ inputs.who }}. b"


def test_dashes_take_blanks_off_as_everywhere() -> None:
    text = filled('a  {{- block("tone") -}}  b', tone="c")

    assert text == "a  {{- '' }}c{{ '' -}}  b"


def test_blocks_are_composed_of_blocks() -> None:
    assert (
        filled('{{ block("a") }}!', a='1 {{ block("b") }} {{ block("c") }}', b='2{{ block("c") }}', c="3") == "1 23 3!"
    )


def test_a_block_stands_in_any_text_of_a_node_and_in_outputs() -> None:
    definition = load_mapping(
        {
            "name": "test",
            "blocks": {"who": "you"},
            "nodes": [{"id": "a", "type": "DataInput", "config": {"data": [{"x": '{{ block("who") }}'}]}}],
            "outputs": {"x": 'for {{ block("who") }}'},
        }
    )

    assert definition.nodes[0].config == {"data": [{"x": "you"}]}
    assert definition.outputs == {"x": "for you"}


def test_a_version_of_its_own_is_another_block() -> None:
    blocks = {"tone": "new", "tone@1.0.0": "old"}

    assert filled('{{ block("tone") }} {{ block("tone@1.0.0") }}', **blocks) == "new old"


def test_a_block_comes_from_a_file_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "blocks", "tone", "new", version="2.0.0")
    write(tmp_path / "blocks", "tone@1.0.0", "old")

    def used(name: str) -> str:
        return filled(f'{{{{ block("{name}") }}}}', tmp_path / "blocks")

    assert (used("tone"), used("tone@2.0.0"), used("tone@1.0.0")) == ("new", "new", "old")


def test_a_block_of_the_definition_comes_before_a_file(tmp_path: Path) -> None:
    write(tmp_path / "blocks", "tone", "of the file")

    assert filled('{{ block("tone") }}', tmp_path / "blocks", tone="of the definition") == "of the definition"


def test_a_file_of_a_block_uses_other_blocks(tmp_path: Path) -> None:
    write(tmp_path / "blocks", "tone", 'Be {{ block("how") }}.')
    write(tmp_path / "blocks", "how", "kind")

    assert filled('{{ block("tone") }}', tmp_path / "blocks") == "Be kind."


def test_a_definition_in_a_file_finds_the_blocks_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "blocks", "tone", "Be kind.")
    (tmp_path / "test.yaml").write_text(
        "name: test\nnodes: [{id: a, type: Format, config: {template: '{{ block(\"tone\") }}'}}]\n", encoding="utf-8"
    )
    library = Library(tmp_path)

    assert text_of(load_file(tmp_path / "test.yaml")) == "Be kind."
    assert text_of(library.load("test")) == "Be kind."
    write(tmp_path / "blocks", "tone", "Be brief.")
    assert text_of(library.load("test")) == "Be brief."


def test_the_plan_has_the_text_and_the_hash_knows_it() -> None:
    one = load_mapping(data('{{ block("tone") }} {{ inputs.who }}', tone="Be kind."))
    other = load_mapping(data('{{ block("tone") }} {{ inputs.who }}', tone="Be brief."))

    assert compile_definition(one).nodes[0].config.value == {"template": "Be kind. {{ inputs.who }}"}
    assert definition_hash(one) != definition_hash(other)


def test_a_definition_that_was_written_out_can_be_sent_without_its_files(tmp_path: Path) -> None:
    write(tmp_path / "blocks", "tone", "Be kind.")
    definition = load_mapping(data('{{ block("tone") }}'), blocks=tmp_path / "blocks")

    assert text_of(load_mapping(definition.source.data)) == "Be kind."


def test_a_definition_without_blocks_is_as_it_was_written() -> None:
    definition = load_mapping(data("The block (of flats) {{ inputs.who }}"))

    assert definition.source.data["nodes"][0]["config"]["template"] == "The block (of flats) {{ inputs.who }}"


def test_what_a_block_needs_must_be_there_where_it_is_used() -> None:
    [issue] = issues('{{ block("tone") }}', tone="Be kind to {{ inputs.woh }}.")

    assert (issue.code, issue.path, issue.hint) == ("DEF053", "nodes[0].config.template", "Did you mean `who`?")


@pytest.mark.parametrize(
    ("blocks", "ring"),
    [
        ({"a": '{{ block("a") }}'}, "a -> a"),
        ({"a": '{{ block("b") }}', "b": '{{ block("c") }}', "c": '{{ block("a") }}'}, "a -> b -> c -> a"),
    ],
)
def test_a_block_that_contains_itself_is_refused(blocks: dict[str, str], ring: str) -> None:
    found = issues('{{ block("a") }}', **blocks)

    assert {issue.code for issue in found} == {"DEF058"}
    assert f"The block `a` contains itself: {ring}" in [issue.message for issue in found]
    assert "nodes[0].config.template" in [issue.path for issue in found]


def test_a_block_that_nobody_uses_is_checked_too() -> None:
    [issue] = issues("x", a='{{ block("a") }}')

    assert (issue.code, issue.path) == ("DEF058", "blocks.a")


def test_an_unknown_block_is_named_with_the_nearest() -> None:
    [issue] = issues('x {{ block("tonne") }}', tone="x")

    assert (issue.code, issue.path) == ("DEF057", "nodes[0].config.template")
    assert (issue.message, issue.hint) == ("There is no block `tonne`", "Did you mean `tone`?")


def test_an_unknown_version_is_not_replaced_by_another(tmp_path: Path) -> None:
    write(tmp_path / "blocks", "tone", "x", version="2.0.0")

    [issue] = issues('{{ block("tone@1.0.0") }}', tmp_path / "blocks")

    assert issue.message == "There is no block `tone@1.0.0`"


@pytest.mark.parametrize(
    "use",
    ["{{ block(inputs.who) }}", '{{ block("tone") | upper }}', '{% if block("tone") %}{% endif %}', "{{ block() }}"],
)
def test_a_block_that_is_put_in_otherwise_is_one_clear_error(use: str) -> None:
    [issue] = issues(use, tone="x")

    assert issue.code == "DEF057"
    assert issue.hint is not None
    assert "nothing else between the braces" in issue.hint


@pytest.mark.parametrize("name", ["Tone", "a b", "../tone", "tone@1", ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert [issue.code for issue in issues(f'{{{{ block("{name}") }}}}')] == ["DEF057"]
    if name:
        assert [(issue.code, issue.path) for issue in issues("x", **{name: "x"})] == [("DEF013", f"blocks.{name}")]


BROKEN = [
    ("name: [", "cannot be read"),
    ("name: tone\ntext: x\nmore: y", "`more` extra inputs are not permitted"),
    ("name: tone", "`text` field required"),
    ("name: other\ntext: x", "holds a block of name other; by the name of the file it should be tone"),
    ("name: tone\nversion: 1.2.0\ntext: 3", "`text` must be text"),
]


@pytest.mark.parametrize(("content", "reason"), BROKEN)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "tone.yaml").write_text(content, encoding="utf-8")

    [issue] = issues('{{ block("tone") }}', tmp_path)

    assert issue.code == "DEF057"
    assert "tone.yaml" in issue.message
    assert reason in issue.message


def test_two_files_that_claim_a_block_are_an_error(tmp_path: Path) -> None:
    for ending in ("yaml", "yml"):
        (tmp_path / f"tone.{ending}").write_text("name: tone\ntext: x", encoding="utf-8")

    [issue] = issues('{{ block("tone") }}', tmp_path)

    assert issue.message == "Two files claim the block `tone`: tone.yaml and tone.yml"


def test_blocks_that_multiply_are_stopped() -> None:
    blocks = {f"b{number}": f'{{{{ block("b{number + 1}") }}}}' * 10 for number in range(30)}

    found = issues('{{ block("b0") }}', **blocks, b30="x" * 100)

    assert {issue.code for issue in found} == {"DEF002"}


def test_what_all_blocks_give_together_is_bounded() -> None:
    nodes = [
        {"id": f"n{number}", "type": "Format", "config": {"template": '{{ block("long") }}'}} for number in range(40)
    ]
    with pytest.raises(DefinitionError) as caught:
        load_mapping({"name": "test", "blocks": {"long": "x" * 60_000}, "nodes": nodes})

    assert [(issue.code, issue.path) for issue in caught.value.issues if issue.code == "DEF002"] == [
        ("DEF002", "nodes[16].config.template")
    ]


def test_what_runs_through_a_block_is_followed_as_untrusted_text() -> None:
    nodes = [
        {"id": "ask", "type": "UserInput", "config": {"question": "?"}},
        {"id": "mail", "type": "SendEmail", "config": {"to": '{{ block("to") }}', "subject": "x", "text": "x"}},
    ]
    definition = {"name": "test", "nodes": nodes, "edges": [{"from": "ask", "to": "mail"}]}
    with pytest.raises(DefinitionError) as caught:
        load_mapping({**definition, "blocks": {"to": "{{ nodes.ask.text }}"}})

    assert [issue.code for issue in caught.value.issues] == ["DEF081"]
