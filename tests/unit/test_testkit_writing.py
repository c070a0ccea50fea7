"""A case written from a run is read back as the same case."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.compiler import compile_definition
from orchestrator.contracts import ErrorInfo, Message, ResolveRequest, ResumeRequest, RunContext, Usage
from orchestrator.definition.loader import load_text
from orchestrator.testkit.model import Case
from orchestrator.testkit.reading import load_cases
from orchestrator.testkit.writing import Happened, Pause, RecordedRun, RecordedVisit, Stop, case_of

DEFINITION = """\
name: flow
inputs: {topic: {type: string}}
nodes:
  - {id: fetch, type: HttpRequest, config: {url: "http://x.example"}}
  - {id: words, type: Format, config: {template: "{{ nodes.fetch.body }}"}}
  - {id: ask, type: UserInput, config: {question: Which one?}}
edges: [{from: fetch, to: words}, {from: words, to: ask}]
outputs: {answer: "{{ nodes.ask.text }}"}
"""


def written(tmp_path: Path, **changes: Any) -> Case:
    (tmp_path / "flow.yaml").write_text(DEFINITION, encoding="utf-8")
    run: dict[str, Any] = {
        "definition": "flow",
        "name": "as it went on Monday: all well",
        "inputs": {"topic": "tea"},
        "plan": compile_definition(load_text(DEFINITION)),
        "status": "completed",
        "path": ["fetch", "words", "ask"],
        **changes,
    }
    file = tmp_path / "recorded.yaml"
    file.write_text(case_of(RecordedRun(**run)), encoding="utf-8")
    (case,) = load_cases(file, tmp_path).cases
    return case


def test_visits_that_reach_outside_are_mocked_and_pure_ones_are_not(tmp_path: Path) -> None:
    visits = [
        RecordedVisit("fetch", output={"status": 200, "body": "x"}, usage=Usage(calls=1, input_tokens=3, cost_usd=0.5)),
        RecordedVisit("words", output={"text": "x"}),
        RecordedVisit("fetch#2", error=ErrorInfo(code="PROVIDER_UNAVAILABLE", message="away", node="fetch")),
    ]

    case = written(tmp_path, visits=visits, cost_usd=0.5)

    assert list(case.mocks) == ["fetch", "fetch#2"]
    (first,) = case.attempts("fetch")
    assert (first.output, first.input_tokens, first.cost_usd) == ({"status": 200, "body": "x"}, 3, 0.5)
    (second,) = case.attempts("fetch#2")
    assert second.error is not None
    assert (second.error.code, second.error.message, second.error.retryable) == ("PROVIDER_UNAVAILABLE", "away", False)
    assert case.expect.cost_usd == 0.5


def test_what_happened_is_a_step_at_its_time(tmp_path: Path) -> None:
    happened: list[tuple[float, Happened]] = [
        (0.0, Pause()),
        (60.0, ResumeRequest(variables={"a": 1})),
        (90.5, Message(text="36", node="ask", by="ada")),
        (86_400.0, ResolveRequest(action="override", node="fetch", output={"status": 200})),
        (90_061.0, Stop()),
    ]

    steps = written(tmp_path, messages=happened).messages

    assert [step.at for step in steps] == [None, 60, 90.5, 86_400, 90_061]
    assert (steps[0].signal, steps[1].variables, steps[4].cancel) == ("pause", {"a": 1}, True)
    assert steps[2].message(steps[2].node) == happened[2][1]
    assert steps[3].resolution(steps[3].node) == happened[3][1]


def test_the_end_of_the_run_is_what_is_expected(tmp_path: Path) -> None:
    error = ErrorInfo(code="NODE_FAILED", message="no", node="fetch")

    expect = written(tmp_path, status="failed", error=error, outputs={"answer": "36"}).expect

    assert expect.status == "failed"
    assert expect.path == ["fetch", "words", "ask"]
    assert expect.outputs == {"answer": "36"}
    assert expect.error is not None
    assert (expect.error.code, expect.error.node) == ("NODE_FAILED", "fetch")


def test_whom_the_run_was_for_is_kept(tmp_path: Path) -> None:
    context = RunContext(tenant="acme", tags={"a": "b"})

    assert written(tmp_path, context=context).context == context


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "No",
        "null",
        "~",
        "1e5",
        "0o17",
        "12",
        "",
        " x ",
        "a: b",
        "# no",
        "- x",
        "é\n  two\n",
        "{{ a }}",
        "=",
        "1_000",
    ],
)
def test_text_is_read_back_as_the_same_text(tmp_path: Path, text: str) -> None:
    visits = [RecordedVisit("fetch", output={"body": text, "more": [text, {"deep": 1.5, "none": None}]})]

    case = written(tmp_path, visits=visits, inputs={"topic": text})

    assert case.inputs == {"topic": text}
    assert case.attempts("fetch")[0].output == {"body": text, "more": [text, {"deep": 1.5, "none": None}]}
