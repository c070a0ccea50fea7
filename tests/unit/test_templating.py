"""What templates refer to, what they give, and that no template can do harm."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import TemplateError
from orchestrator.graph.plan import Path, Template
from orchestrator.templating import (
    MAX_OUTPUT_CHARS,
    MAX_TEMPLATE_CHARS,
    TemplateReference,
    collect,
    inspect_template,
    is_template,
    render_value,
)

DATA: dict[str, Any] = {
    "inputs": {
        "name": "Ada",
        "list": [3, 1, 2],
        "flag": True,
        "nothing": None,
        "map": {"b": 1, "a": [True, None]},
        "docs": [{"title": "One", "score": 2}, {"title": "Two", "score": 0}],
        "big": "a" * 20_000,
        "braces": "{{ inputs.name }}",
    },
    "nodes": {"done": {"text": "ok"}},
}


def references(text: str) -> list[tuple[Path, bool]]:
    return [(reference.path, reference.guarded) for reference in inspect_template(text).references]


def render(text: str) -> Any:
    return render_value(text, DATA)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{{ nodes.search.documents }}", ("nodes", "search", "documents")),
        ("  {{nodes.a.b[0]['x y']}} ", ("nodes", "a", "b", 0, "x y")),
        ("{{ inputs }}", ("inputs",)),
    ],
)
def test_one_plain_reference_is_exact(text: str, path: Path) -> None:
    info = inspect_template(text)
    assert (info.exact, info.references) == (True, (TemplateReference(path, guarded=False),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi {{ inputs.name }}, {{ nodes.a.b[0] }}", [("inputs", "name"), ("nodes", "a", "b", 0)]),
        ("{% for d in nodes.s.items %}{{ d.x }}{{ loop.index }}{% endfor %}", [("nodes", "s", "items")]),
        ("{% for d in inputs.l %}{{ d }}{% endfor %}{{ d.x }}!", [("inputs", "l"), ("d", "x")]),
        ("{{ inputs.l[inputs.i].x }}!", [("inputs", "i"), ("inputs", "l")]),
        ("{{ inputs.l[1:] }}", [("inputs", "l")]),
        ("{{ inputs.l[-1] }}!", [("inputs", "l")]),
        ("{{ inputs.a | replace('x', state.b) }}", [("inputs", "a"), ("state", "b")]),
        ("{{ 1 if inputs.a == nodes.b.c else run.id }}", [("inputs", "a"), ("nodes", "b", "c"), ("run", "id")]),
        ("{% raw %}{{ nodes.a.b }}{% endraw %}{# {{ nodes.c.d }} #}", []),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", []),
    ],
)
def test_every_reference_is_found_and_loop_variables_are_none(text: str, expected: list[Path]) -> None:
    assert sorted(map(str, expected)) == sorted(str(path) for path, _ in references(text))


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("{% if nodes.x is defined %}{{ nodes.x.y }}{% endif %}", True),
        ("{% if nodes.x is not defined %}-{% else %}{{ nodes.x.y }}{% endif %}", True),
        ("{% if nodes.x is undefined %}-{% else %}{{ nodes.x.y }}{% endif %}", True),
        ("{{ nodes.x | default('none') }}", True),
        ("{{ nodes.x.y | default('none') }}", False),
        ("{% if nodes.x.y is defined %}{{ nodes.x.y }}{% endif %}", False),
        ("{{ nodes.x.y }}!", False),
    ],
)
def test_a_guard_counts_only_where_it_works_for_a_node_that_never_ran(text: str, *, guarded: bool) -> None:
    assert all(found == guarded for _, found in references(text))
    if guarded:
        assert render(text) in {"", "-", "none"}
    else:
        with pytest.raises(TemplateError, match=r"nodes\.x"):
            render(text)


@pytest.mark.parametrize("text", ["{{ nodes }}", "{{ nodes[inputs.x] }}!", "{{ nodes | tojson }}", "{{ nodes[0].a }}"])
def test_a_reference_to_all_nodes_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match="name the node"):
        inspect_template(text)


def test_collect_prunes_what_lies_below_another_reference() -> None:
    value = {"a": "{{ nodes.s }}", "b": ["{{ nodes.s.text }} and {{ inputs.x }}"], "c": 3, "d": "plain"}
    assert collect(value) == Template(value=value, reads=(("nodes", "s"), ("inputs", "x")), exact=False)


def test_collect_says_exact_where_nothing_needs_rendering() -> None:
    assert collect(["{{ inputs.x }}", "plain", None, {"k": True}]).exact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ inputs.list }}", [3, 1, 2]),
        ("{{ inputs.nothing }}", None),
        ("Hi {{ inputs.name }}", "Hi Ada"),
        ("{{ inputs.list }};{{ inputs.flag }};{{ inputs.nothing }}", "[3,1,2];true;null"),
        ("={{ inputs.map }}", '={"b":1,"a":[true,null]}'),
        ("={{ inputs.braces }}", "={{ inputs.name }}"),
        ("{% for d in inputs.docs if d.score %}{{ d.title }}{% endfor %}", "One"),
        ("{{ inputs.docs | map(attribute='title') | join(', ') }}", "One, Two"),
        ("{{ inputs.docs | selectattr('score', 0) | length }}{{ inputs.docs | rejectattr('score') | length }}", "11"),
        ("{{ inputs.list | sort | join('-') }} {{ inputs.list | sum }} {{ inputs.list | max }}", "1-2-3 6 3"),
        ("{{ inputs.name | upper | replace('A', 'a') | truncate(2) }}", "a…"),
        ("{{ inputs.map | tojson(indent=1) | length }} {{ inputs.map | items | first | last }}", "38 1"),
        ("{{ ' x ' | trim }}{{ 'a b' | urlencode }}{{ 'a,b' | split(',') | last }}", "xa%20bb"),
        ("{{ '3' | int + 1 }} {{ 2.567 | round(1) }} {{ -2 | abs }} {{ inputs.name ~ '!' }}", "4 2.6 2 Ada!"),
        ("{{ [1, 1, 2] | unique }}{{ 'a\nb' | lines }}{{ 'a\nb' | indent(1) }}", '[1,2]["a","b"]a\n b'),
        ("line\n", "line\n"),
    ],
)
def test_rendering_gives(text: str, expected: Any) -> None:
    assert render(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("{{ a }}", True), ("{% x", True), ("{# a #}", True), ("{ a }}", False)]
)
def test_a_text_with_an_opening_mark_is_a_template(text: str, *, expected: bool) -> None:
    assert is_template(text) is expected


def test_only_templates_in_a_value_are_touched() -> None:
    value = {"{{ key }}": 1, "list": ["{{ inputs.name }}", "} } plain", None, 2.5], "n": {"x": "{{ inputs.list }}"}}
    assert render_value(value, DATA) == {
        "{{ key }}": 1,
        "list": ["Ada", "} } plain", None, 2.5],
        "n": {"x": [3, 1, 2]},
    }


@pytest.mark.parametrize("text", ["{{ nodes.gone.text }}", "A {{ nodes.gone.text }}", "{{ nodes.gone.text | upper }}"])
def test_an_undefined_reference_is_named_with_its_template(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text)
    assert caught.value.message == f"nodes.gone.text is undefined, in the template {text!r}"


def test_a_long_template_is_shown_shortened() -> None:
    with pytest.raises(TemplateError) as caught:
        render("x" * 500 + "{{ inputs.gone }}")
    assert len(caught.value.message) < 160


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ 'x' * 100000000 }}", r"`\*`"),
        ("{{ 2 ** 9 }}", r"`\*\*`"),
        ("{% set x = 1 %}", "`set`"),
        ("{% macro m() %}{% endmacro %}", "`macro`"),
        ("{% include 'x' %}", "`include`"),
        ("{% block b %}{% endblock %}", "`block`"),
        ("{% filter upper %}x{% endfilter %}", "`filter`"),
        ("{{ inputs.name.upper() }}", "only function"),
        ("{{ lipsum() }}", "only function"),
        ("{{ inputs.name | format }}", "unknown filter 'format'"),
        ("{{ inputs.name is sameas 1 }}", "unknown test 'sameas'"),
        ("{{ [inputs.name] }}", "constants only"),
        ("{{ {'a': inputs.name} }}", "constants only"),
        ("{{ inputs.__class__ }}!", "underscore"),
        ("{{ 1 if inputs.flag }}", "`else`"),
        ("{{ " + " ~ ".join(["'a'"] * 30) + " }}", "`~`"),
        ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "deep|recursion"),
        ("{{ 1" + " and 1" * 500 + " }} {{ " + "not " * 500 + "1 }}", "deeper"),
        ("{{ 'x' }}" + "y" * MAX_TEMPLATE_CHARS, "characters long"),
        ("a\n{{ inputs.x + }}", "line 2"),
        ("{% if inputs.x %}", "line 1"),
        ("{{ inputs.x | join(*inputs.y) }}", "arguments"),
        ("{% for a in inputs.list recursive %}{% endfor %}", "recursive"),
    ],
)
def test_what_templates_may_not_do_is_refused_before_rendering(text: str, reason: str) -> None:
    with pytest.raises(TemplateError, match=reason):
        inspect_template(text)


DOUBLING = "".join(f"{{% for x{i + 1} in (x{i} ~ x{i}) | split('|') %}}" for i in range(18))


@pytest.mark.parametrize(
    "text",
    [
        "{{ inputs.big | replace('a', inputs.big) | replace('a', inputs.big) }}",
        "{{ range(9000) | join(inputs.big) }}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{{ inputs.big }}{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}" + "y" * 60_000 + "{% endfor %}",
        "{% for i in range(9999) %}{% if inputs.big | upper == 'X' %}{% endif %}{% endfor %}",
        "{% for x0 in inputs.big | split('|') %}" + DOUBLING + "{{ x18 }}" + "{% endfor %}" * 19,
        "{{ range(100000000) }}",
        "{{ inputs.map | tojson(indent=100000000) }}",
        "{{ inputs.name | indent(100000000) }}",
    ],
)
def test_a_template_that_asks_for_too_much_is_stopped_at_once(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(TemplateError):
        render(text)
    assert time.monotonic() - started < 5


def test_operators_over_large_data_in_a_loop_are_bounded() -> None:
    data = {"inputs": {"large": list(range(100_000))}}
    started = time.monotonic()
    with pytest.raises(TemplateError, match="too many steps"):
        render_value("{% for i in range(9999) %}{% if 'x' in inputs.large %}{% endif %}{% endfor %}", data)
    assert time.monotonic() - started < 10


def test_the_text_has_a_largest_size() -> None:
    data = {"inputs": {"x": "y" * (MAX_OUTPUT_CHARS // 2)}}
    assert len(render_value("{{ inputs.x }}{{ inputs.x }}", data)) == MAX_OUTPUT_CHARS
    with pytest.raises(TemplateError, match=str(MAX_OUTPUT_CHARS)):
        render_value(["{{ inputs.x }}!", "{{ inputs.x }}!"], data)
    with pytest.raises(TemplateError, match=str(MAX_OUTPUT_CHARS)):
        render_value("{{ inputs.x }}{{ inputs.x }}.", data)


@pytest.mark.parametrize("text", ["{{ inputs.map.items }}!", "{{ inputs.name | replace }}", "{{ inputs.name | int }}"])
def test_what_goes_wrong_inside_a_filter_is_our_error(text: str) -> None:
    with pytest.raises(TemplateError, match="in the template"):
        render(text)


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{%-",
        "-%}",
        "if",
        "elif",
        "else",
        "endif",
        "for",
        "endfor",
        "in",
        "raw",
        "endraw",
        "set",
        "is",
        "not",
        "defined",
        "default",
        "inputs",
        "nodes",
        "state",
        ".name",
        ".list",
        ".big",
        ".docs",
        ".map",
        ".gone",
        "[0]",
        "[-1]",
        "[1:]",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        ".",
        "|",
        "~",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "==",
        "!=",
        "<",
        ">",
        "and",
        "or",
        "1",
        "0",
        "2.5",
        "99999",
        "'x'",
        '"y"',
        "'",
        '"',
        "\\",
        "range(9)",
        "range",
        "upper",
        "lower",
        "replace('a','bb')",
        "join(',')",
        "tojson",
        "length",
        "sort",
        "map(attribute='title')",
        "split",
        "first",
        "last",
        "loop.index",
        "x",
        "_",
        "__class__",
        "none",
        "true",
        "é",
        "\ud800",
        "\x00",
    ]
)


@settings(max_examples=400, deadline=5000)
@given(
    st.one_of(
        st.lists(PIECES, max_size=25).map(" ".join),
        st.lists(PIECES, max_size=12).map(lambda parts: "{{ " + " ".join(parts) + " }}"),
        st.lists(PIECES, max_size=12).map(
            lambda parts: "{% for x in inputs.list %}{{ " + "".join(parts) + "}}{% endfor %}"
        ),
        st.text(max_size=60),
    )
)
def test_no_text_does_anything_but_render_or_raise_our_error(text: str) -> None:
    try:
        inspect_template(text)
        rendered = render(text)
    except TemplateError:
        return
    assert not isinstance(rendered, str) or len(rendered) <= MAX_OUTPUT_CHARS


@settings(max_examples=200, deadline=2000)
@given(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_whatever_stands_in_the_data_comes_out_as_it_is(text: str, value: Any) -> None:
    data = {"inputs": {"text": text, "value": value}}
    assert render_value("{{ inputs.value }}", data) == value
    rendered = render_value("<{{ inputs.text }}>", data)
    assert rendered == f"<{text}>"
