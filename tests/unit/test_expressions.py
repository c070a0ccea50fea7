"""The language of conditions: values, errors, limits."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ExpressionBudgetError, ExpressionError, ExpressionSyntaxError
from orchestrator.graph.expressions import Program, evaluate
from orchestrator.graph.expressions.functions import FUNCTIONS, METHODS
from orchestrator.graph.expressions.parser import MAX_LENGTH, parse

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "cel_cases.json").read_text(encoding="utf-8"))
ROOT = Path(__file__).parents[2]

RUN: dict[str, Any] = {
    "inputs": {"message": "Where is my order?", "urgency": 3, "tags": ["vip", "late"]},
    "nodes": {"intent": {"label": "refund", "confidence": 0.9}, "search": {"documents": [{"score": 0.5}]}},
    "state": {"count": 2},
}


def value_of(text: str, bindings: dict[str, Any] | None = None) -> Any:
    return evaluate(json.loads(json.dumps(parse(text))), RUN if bindings is None else bindings)


def same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)


@pytest.mark.parametrize("case", CASES, ids=[case["expr"] for case in CASES])
def test_an_expression_has_the_value_that_the_language_says(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(ExpressionError, match=case["error"]):
            value_of(case["expr"], case.get("bindings"))
    else:
        assert same(case["value"], value_of(case["expr"], case.get("bindings")))


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("", "the expression is empty", 1, 1),
        ("a &&", "expected an expression after '&&'", 1, 5),
        ("1 +* 2", "expected an expression after '\\+', not '\\*'", 1, 4),
        (")", "expected an expression before '\\)'", 1, 1),
        ("(1", "'\\)' is missing", 1, 3),
        ("a\n  b", "unexpected 'b' after 'a'", 2, 3),
        ("a.", "expected a field name after '.', not the end", 1, 3),
        ("a = 1", "write '==' to compare", 1, 3),
        ("'open", "not closed", 1, 1),
        ("'a\\qb'", "unknown escape", 1, 3),
        ("1u", "unsigned integers are not part", 1, 1),
        ("b'x'", "byte strings are not part", 1, 1),
        ("9223372036854775808", "does not fit 64 bits", 1, 1),
        ("1e999", "too large", 1, 1),
        ("for", "reserved word", 1, 1),
        ("a\x00b", "U\\+0000", 1, 2),
        ("a ? b", "':' is missing", 1, 6),
        ("has(a)", "has\\(\\) takes one field", 1, 1),
        ("x.map(1, 2)", "new names for its variables", 1, 3),
        ("x.filter(a)", "takes 2 arguments", 1, 3),
        ("T{}", "messages", 1, 1),
        (".x", "without the leading dot", 1, 2),
        ("1 -9223372036854775808", "does not fit 64 bits", 1, 1),
    ],
)
def test_text_that_is_no_expression_is_refused_with_its_place(text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(ExpressionSyntaxError, match=message) as caught:
        parse(text)

    assert (line, column) == (caught.value.line, caught.value.column)


@pytest.mark.parametrize(
    "text",
    [
        "1" + "+1" * 200,
        "a" + ".b" * 200,
        "!" * 500 + "true",
        "[" * 1_900 + "]" * 1_900,
        "true" + " && true" * 1_000,
        "'" + "\\n" * 1_900,
        "a" * (MAX_LENGTH + 1),
    ],
    ids=["sum", "fields", "not", "lists", "length", "open string", "name"],
)
def test_text_too_long_or_too_deep_is_refused(text: str) -> None:
    with pytest.raises(ExpressionSyntaxError):
        parse(text)


def test_many_operands_of_and_do_not_make_a_tree_deep() -> None:
    assert value_of(" && ".join(["true"] * 400)) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nodes.intent.labl == 'x'", "`nodes.intent` has no field `labl`; did you mean `label`"),
        ("nodez.intent", "`nodez` is not defined; did you mean `nodes`"),
        ("nodes.intent.label > 3", "cannot be compared"),
        ("nodes.intent.label && true", "`&&` needs true or false, but `nodes.intent.label` is a string"),
        ("nodes.search.documents[1].score", "`nodes.search.documents` has 1 elements, so none at index 1"),
        ("nodes.intent.label.x", "is a string and has no fields"),
        ("inputs.message.startWith('W')", "there is no function `startWith`; did you mean `startsWith`"),
        ("size()", "`size` takes 1 argument, not 0"),
        ("uint(1)", "its type is not part of this language"),
    ],
)
def test_an_error_says_what_and_where(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of(text)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "l.map(x, l.map(y, l.map(z, x + y + z)))",
        "l.exists(x, l.exists(y, y.nothing || false))",
        "l.map(x, s)",
        "l.map(x, l)",
        "l.map(x, s.replace('a', 'aaaaaaaaaaaaaaa'))",
        "s + s + s + s",
        "l.map(x, s.matches('(a+)+b'))",
        "l.map(x, 'a'.matches('a' + string(x)))",
        "s.matches('(.*a.{100}){3}')",
        "s.split('')",
        "l.map(x, [x]).distinct()",
        "l.all(x, x in l)",
    ],
)
def test_work_without_end_stops_at_the_budget(text: str) -> None:
    with pytest.raises(ExpressionBudgetError):
        value_of(text, {"l": list(range(2_000)), "s": "a" * 300_000})


def test_the_budget_cannot_be_absorbed_by_or() -> None:
    with pytest.raises(ExpressionBudgetError):
        evaluate(parse("l.all(x, x == 0) || true"), {"l": [0] * 1_000}, budget=100)


def test_two_nested_maps_over_two_hundred_elements_fit_the_budget() -> None:
    result = value_of("l.map(x, l.map(y, x * y))", {"l": list(range(200))})

    assert result[199][199] == 199 * 199


def test_a_program_is_reused_with_other_bindings() -> None:
    program = Program(parse("inputs.n > 2 ? 'many' : 'few'"))

    assert [program.evaluate({"inputs": {"n": n}}) for n in (1, 3)] == ["few", "many"]


@pytest.mark.parametrize(
    "ast", [[], {}, ["?"], ["each", "all", 1, [], True], ["id", 3], ["nothing", 1], object(), ["&&"] * 2]
)
def test_what_is_no_tree_is_refused(ast: Any) -> None:
    with pytest.raises(ExpressionError):
        evaluate(ast, {})


def test_values_nested_without_end_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]

    for text in ("d", "d == e", "'%s'.format([d])"):
        with pytest.raises(ExpressionError):
            value_of(text, {"d": deep, "e": [[]] if text == "d" else [deep[0]]})


def test_values_that_are_not_json_are_refused() -> None:
    with pytest.raises(ExpressionError, match="not JSON"):
        value_of("x", {"x": {1, 2}})


def test_every_expression_of_the_page_runs() -> None:
    page = (ROOT / "docs/expressions.md").read_text(encoding="utf-8")
    document = {"score": 0.9, "id": "A1", "text": "t"}
    nodes = {**RUN["nodes"], "search": {"documents": [document]}}
    data = {"inputs": {"items": [{"price": 1, "rank": 0}]}, "nodes": nodes}
    examples = [line for block in re.findall(r"```cel\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]

    assert [value_of(example, data) for example in examples] == [
        *(True, True, True, True, True),
        *(["t"], ["t"], True),
        *(["a0", "b1"], {"x": 2}),
    ]


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_every_function_is_on_the_page(name: str) -> None:
    page = (ROOT / "docs/expressions.md").read_text(encoding="utf-8")

    assert name.removeprefix("math.") in page


def test_evaluating_needs_no_parser() -> None:
    code = "import sys, orchestrator.graph.expressions as e; e.evaluate(['+', 1, 2], {}); print('lark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "False"


def test_results_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import json, sys\n"
        "from orchestrator.errors import ExpressionError\n"
        "from orchestrator.graph.expressions import evaluate\n"
        "from orchestrator.graph.expressions.parser import parse\n"
        "for case in json.load(sys.stdin):\n"
        "    try: ast = parse(case['expr']); print(json.dumps([ast, evaluate(ast, case.get('bindings') or {})]))\n"
        "    except ExpressionError as error: print(error)\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(CASES),
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "4242")
    }

    assert len(seen) == 1
