"""What flows into the text of a template, and what only decides what that text is."""

import pytest

from orchestrator.errors import TemplateError
from orchestrator.templating.outflow import outflow


def flowing(text: str) -> set[str]:
    return {".".join(str(step) for step in path) for piece in outflow(text) for path in piece.paths}


FLOWS: list[tuple[str, set[str]]] = [
    ("no template", set()),
    ("{{ inputs.a }}", {"inputs.a"}),
    ("x {{ nodes.a.rows[0]['b'].c }}", {"nodes.a.rows.0.b.c"}),
    ("x {{ nodes.a.rows[inputs.n].c }}", {"nodes.a.rows"}),
    ("{{ inputs.a }} {{ inputs.b | upper }}", {"inputs.a", "inputs.b"}),
    ("{{ inputs.a | default(inputs.b) }} x", {"inputs.a", "inputs.b"}),
    ("{{ inputs.a | replace('x', inputs.b) }}", {"inputs.a", "inputs.b"}),
    ("{{ inputs.a | length }} {{ inputs.b | int }} {{ inputs.c | float }} {{ inputs.d | round }}", set()),
    ("{{ inputs.a | int | string }} x", set()),
    ("{{ inputs.a | string | length }} x", set()),
    ("{{ inputs.a == 'x' }} {{ inputs.b is defined }} {{ not inputs.c }} {{ inputs.d in inputs.e }}", set()),
    ("{{ inputs.a - 1 }} {{ inputs.b / 2 }} {{ -inputs.c }}", set()),
    ("{{ inputs.a + inputs.b }} {{ inputs.c ~ 'x' }}", {"inputs.a", "inputs.b", "inputs.c"}),
    ("{{ inputs.a or inputs.b }} {{ inputs.c and inputs.d }}", {"inputs.a", "inputs.b", "inputs.c", "inputs.d"}),
    ("{{ inputs.a if inputs.b else inputs.c }} x", {"inputs.a", "inputs.c"}),
    (
        "{% if inputs.a %}x{% elif inputs.b %}{{ inputs.c }}{% else %}{{ inputs.d }}{% endif %}",
        {"inputs.c", "inputs.d"},
    ),
    ("{% for x in inputs.a %}{{ x.b }}{% endfor %}", {"inputs.a"}),
    ("{% for x in inputs.a %}{{ loop.index }}{% else %}{{ inputs.b }}{% endfor %}", {"inputs.b"}),
    ("{% for k, v in inputs.a | items %}{{ v }}{% endfor %}", {"inputs.a"}),
    ("{% for x in inputs.a %}{% for y in x.b %}{{ y }}{% endfor %}{% endfor %}", {"inputs.a"}),
    ("{% for x in inputs.a if x.b == inputs.c %}x{% endfor %}", set()),
    ("{% for i in range(3) %}{{ i }}{{ inputs.a }}{% endfor %}", {"inputs.a"}),
    ("{% raw %}{{ inputs.a }}{% endraw %} {# {{ inputs.b }} #}", set()),
]


@pytest.mark.parametrize(("text", "found"), FLOWS)
def test_only_what_is_put_in_flows(text: str, found: set[str]) -> None:
    assert flowing(text) == found


def test_it_is_known_what_stands_before_a_piece_and_whether_it_is_encoded() -> None:
    one, two = outflow("https://x/{{ inputs.a | urlencode }}?b={{ inputs.b }}")

    assert (one.before, one.encoded) == ("https://x/", True)
    assert (two.before, two.encoded) == ("https://x/ ?b=", False)


def test_what_stands_in_a_branch_stands_not_always_before_what_follows() -> None:
    [piece] = outflow("{% if inputs.a %}https://x/{% endif %}{{ inputs.b | urlencode }}")

    assert piece.before == ""


def test_only_what_is_encoded_last_is_encoded() -> None:
    assert not outflow("x{{ inputs.a | urlencode | replace('%2F', '/') }}")[0].encoded


@pytest.mark.parametrize("text", ["{{ inputs. }}", "{% set x = 1 %}", "{{ f(1) }}", "{% if inputs.a %}"])
def test_a_template_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(TemplateError):
        outflow(text)
