"""No text and no tree makes the language hang, or raise anything but our errors."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions import evaluate
from orchestrator.graph.expressions.functions import FUNCTIONS, METHODS
from orchestrator.graph.expressions.operators import OPERATORS
from orchestrator.graph.expressions.parser import parse
from orchestrator.graph.expressions.references import check, references, result_type

RELAXED = settings(max_examples=300, deadline=2_000, suppress_health_check=[HealthCheck.too_slow])

BINDINGS: dict[str, Any] = {
    "a": {"b": [1, 2.5, -0.0, "x", None, True], "c": {"d": "text"}},
    "l": list(range(50)),
    "s": "a text with \ud800 half a pair",
    "big": 10**300,
    "f": float("inf"),
}
PIECES = st.one_of(
    st.sampled_from(
        ["a", ".b", "[0]", "l", "s", "big", "f", "(", ")", "[", "]", "{", "}", ",", ":", "?", "x", "y", "v"]
    ),
    st.sampled_from(["&&", "||", "!", "-", "+", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", " in ", "//", "\n"]),
    st.sampled_from(
        ["1", "2.5", "0x1f", "'x'", '"y"', "r'\\d'", "'''z'''", "null", "true", "1e308", "1u", "b''", "for"]
    ),
    st.sampled_from(["-9223372036854775808", "9223372036854775807", "\\", "'", '"', "`q-r`", ".k", "has(", "size("]),
    st.sampled_from([".map(x,", ".filter(y,", ".all(z,", ".exists(i,v,", "math.abs(", "math.greatest(", "string("]),
    st.sampled_from(
        ["int(", "double(", "type(", ".matches(", ".format(", ".split(", ".replace(", ".substring(", ".join("]
    ),
    st.sampled_from([".sort()", ".sum()", ".distinct()"]),
)


def outcome(text: str) -> str:
    """What becomes of ``text``: its value or our error; anything else goes through."""
    try:
        ast = parse(text)
        json.dumps(ast, allow_nan=False)
        references(ast)
        result_type(ast)
        check(ast)
        return json.dumps(evaluate(ast, BINDINGS, budget=20_000), allow_nan=False)
    except ExpressionError as error:
        return str(error)


@RELAXED
@given(st.text(max_size=60))
def test_any_text_ends_in_a_value_or_our_error(text: str) -> None:
    assert outcome(text) == outcome(text)


@RELAXED
@given(st.lists(PIECES, max_size=25).map("".join) | st.lists(PIECES, max_size=25).map(" ".join))
def test_any_row_of_tokens_ends_in_a_value_or_our_error(text: str) -> None:
    assert outcome(text) == outcome(text)


def calls(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    few = st.lists(inner, max_size=3)
    kinds = st.sampled_from(["all", "exists", "exists_one", "filter", "map"])
    functions, methods = st.sampled_from(sorted(FUNCTIONS)), st.sampled_from(sorted(METHODS))
    return st.one_of(
        st.tuples(st.sampled_from(sorted(OPERATORS)), inner, inner).map(list),
        st.tuples(st.sampled_from(["&&", "||"]), inner, inner).map(list),
        st.tuples(st.sampled_from(["!", "neg"]), inner).map(list),
        st.tuples(st.just("?"), inner, inner, inner).map(list),
        st.tuples(st.just("map"), inner, inner).map(list),
        st.tuples(st.just("[]"), inner, inner).map(list),
        st.tuples(st.sampled_from([".", "has"]), inner, st.just("b")).map(list),
        st.tuples(st.just("each"), kinds, inner, st.just(["x"]), inner).map(list),
        few.map(lambda items: ["list", *items]),
        st.tuples(functions, few).map(lambda parts: ["call", parts[0], *parts[1]]),
        st.tuples(methods, inner, few).map(lambda parts: ["method", parts[0], parts[1], *parts[2]]),
    )


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from([["id", name] for name in (*BINDINGS, "x", "nothing")])
)


@RELAXED
@given(st.recursive(LEAVES, calls, max_leaves=20))
def test_any_tree_ends_in_a_value_or_our_error(ast: Any) -> None:
    results: list[str] = []
    for tree in (ast, json.loads(json.dumps(ast))):
        references(tree)
        check(tree)
        try:
            results.append(json.dumps(evaluate(tree, BINDINGS, budget=20_000), allow_nan=False))
        except ExpressionError as error:
            results.append(str(error))

    assert results[0] == results[1]
