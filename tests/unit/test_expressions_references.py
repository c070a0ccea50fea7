"""What is known of an expression without running it."""

import pytest

from orchestrator.graph.expressions.parser import parse
from orchestrator.graph.expressions.references import Reference, check, references, result_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodes.a.x[0]['k']", [("nodes", "a", "x", 0, "k")]),
        ("nodes.a.list[inputs.n].x", [("nodes", "a", "list"), ("inputs", "n")]),
        ("inputs.l.exists(q, q.x == state.w)", [("inputs", "l"), ("state", "w")]),
        ("[1].map(nodes, nodes)", []),
        ("[1].map(x, x) == x", [("x",)]),
        ("inputs.l.map(x, x.l.all(y, y == x && z))", [("inputs", "l"), ("z",)]),
        ("type(inputs.a) == int", [("inputs", "a")]),
        ("inputs.a + inputs.a", [("inputs", "a")]),
        ("inputs.a.size() > 1", [("inputs", "a")]),
        ("nodes.a.`x-y`", [("nodes", "a", "x-y")]),
        ("{'k': inputs.v}.k", [("inputs", "v")]),
        ("1", []),
    ],
)
def test_references_are_the_paths_from_free_variables(text: str, expected: list[tuple[str | int, ...]]) -> None:
    assert expected == [reference.path for reference in references(parse(text))]


@pytest.mark.parametrize(
    ("text", "path", "guarded"),
    [
        ("has(nodes.a) && nodes.a.x > 1", ("nodes", "a", "x"), True),
        ("has(nodes.a.y) && nodes.a.x > 1", ("nodes", "a", "x"), True),
        ("has(nodes.b) && nodes.a.x > 1", ("nodes", "a", "x"), False),
        ("nodes.a.x > 1", ("nodes", "a", "x"), False),
        ("has(inputs.x) && inputs.x.y", ("inputs", "x", "y"), True),
        ("has(inputs.x) && inputs.z", ("inputs", "z"), False),
        ("[1].all(nodes, has(nodes.a)) && nodes.a", ("nodes", "a"), False),
    ],
)
def test_has_guards_what_lies_at_the_same_node(text: str, path: tuple[str, ...], guarded: bool) -> None:  # noqa: FBT001
    assert Reference(path, guarded) in references(parse(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 1", "int"),
        ("1 + 1.0", "double"),
        ("-x", None),
        ("a == b", "bool"),
        ("has(a.b)", "bool"),
        ("'a' + 'b'", "string"),
        ("[1]", "list"),
        ("{}", "map"),
        ("null", "null"),
        ("x.y", None),
        ("true ? 1 : 2", "int"),
        ("true ? 1 : 'a'", None),
        ("l.map(x, x)", "list"),
        ("l.all(x, x)", "bool"),
        ("size(x)", "int"),
        ("x.trim()", "string"),
        ("nothing(x)", None),
    ],
)
def test_the_type_is_known_where_it_is_always_the_same(text: str, expected: str | None) -> None:
    assert expected == result_type(parse(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("siz([1]) == 1", ["there is no function `siz`; did you mean `size`?"]),
        ("x.contain('a')", ["there is no function `contain`; did you mean `contains`?"]),
        ("contains(x, 'a')", ["`contains` is called on a value: write value.contains(…)"]),
        ("x.int()", ["`int` is not called on a value: write int(value)"]),
        ("size(1, 2)", ["`size` takes 1 argument, not 2"]),
        ("x.substring()", ["`substring` takes 1 to 2 arguments, not 0"]),
        ("math.greatest()", ["`math.greatest` takes at least 1 argument, not 0"]),
        ("'a' + 1", ["`+` cannot be used between a string and an int"]),
        ("x && 3", ["`&&` needs true or false, but `3` is an int"]),
        ("!'a'", ["`!` needs true or false, but `'a'` is a string"]),
        ("1 < 'a'", ["`<` cannot be used between an int and a string"]),
        ("x in 3", ["`in` needs a list or a map on its right, but `3` is an int"]),
        ("nodes.a.x > 0.5 && 'k' in {'k': 1}", []),
    ],
)
def test_certain_mistakes_are_reported(text: str, expected: list[str]) -> None:
    assert expected == check(parse(text))
