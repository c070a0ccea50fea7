"""Files of cases: what is read, and what is said of mistakes."""

from pathlib import Path

import pytest

from orchestrator.testkit.reading import CaseFileError, Suite, load_cases

DEFINITION = """\
name: flow
version: 1.0.0
inputs:
  topic: {type: string}
nodes:
  - {id: fetch, type: HttpRequest, config: {url: "http://x.example/{{ inputs.topic }}"}}
  - {id: ask, type: UserInput, config: {question: Which one?}}
edges: [{from: fetch, to: ask}]
state: {notes: {type: array, reducer: append}}
outputs: {answer: "{{ nodes.ask.text }}"}
"""
GOOD = """\
definition: flow
cases:
  - name: one
    inputs: {topic: a}
    mocks:
      fetch: {output: {status: 200}, after: 1h30m}
      fetch#2: [{error: {code: PROVIDER_UNAVAILABLE}}, {output: {}}]
    messages: [{at: 3d, node: ask, text: "36"}]
    expect: {path: [fetch, ask], outputs: {answer: "36"}, check: ["status == 'completed'"]}
"""


def load(tmp_path: Path, text: str, *, name: str = "flow.cases.yaml") -> Suite:
    (tmp_path / "flow.yaml").write_text(DEFINITION, encoding="utf-8")
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return load_cases(file, tmp_path)


def complaints(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(CaseFileError) as caught:
        load(tmp_path, text)
    return [
        f"{issue.line}:{issue.column} {issue.message}{f' | {issue.hint}' if issue.hint else ''}"
        for issue in caught.value.issues
    ]


def test_a_file_of_cases_is_read(tmp_path: Path) -> None:
    suite = load(tmp_path, GOOD)
    (case,) = suite.cases

    assert (suite.definition.name, suite.request) == ("flow", "flow")
    assert [attempt.after for attempt in case.attempts("fetch")] == [5_400]
    assert len(case.attempts("fetch#2")) == 2
    assert case.messages[0].at == 3 * 86_400


def test_a_file_beside_its_definition_need_not_name_it(tmp_path: Path) -> None:
    suite = load(tmp_path, GOOD.removeprefix("definition: flow\n"))

    assert suite.definition.name == "flow"
    assert suite.request == suite.definition.source.data


def test_a_definition_may_be_a_path_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()

    suite = load(tmp_path, GOOD.replace("definition: flow", "definition: ../flow.yaml"), name="cases/any.yaml")

    assert suite.definition.name == "flow"


def test_the_error_is_one_line_with_place_and_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(CaseFileError) as caught:
        load(tmp_path, GOOD.replace("mocks:", "mock:"))

    assert caught.value.message == (
        f"{tmp_path / 'flow.cases.yaml'}:5:5: The field `mock` is unknown. Did you mean `mocks`?"
    )


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("output: {status", "outptu: {status", "6:15 The field `outptu` is unknown | Did you mean `output`?"),
        (
            "1h30m",
            "soon",
            "6:45 `after` must be a duration such as 500ms, 60s, 5m, 2h, 7d, 1h30m, or a number of seconds",
        ),
        ("{code: PROV", "{cod: PROV", "7:26 The field `cod` is unknown | Did you mean `code`?"),
        ("[{error:", "[{eror:", "7:18 The field `eror` is unknown | Did you mean `error`?"),
        ("fetch#2:", "fecth#2:", "7:7 There is no node `fecth` | Did you mean `fetch`?"),
        ("fetch#2:", "ask:", "7:7 `ask` is a UserInput, which cannot be mocked | Answer it under `messages`."),
        ("fetch#2:", "fetch.x:", "7:7 `fetch` is a HttpRequest, which has no nodes in it"),
        ("node: ask", "node: aks", "8:31 There is no node `aks` | Did you mean `ask`?"),
        ("node: ask", "nod: ask", "8:25 The field `nod` is unknown | Did you mean `node`?"),
        (', text: "36"', "", None),
        ("text:", "cancel: true, text:", None),
        ("{path:", "{pth:", "9:14 The field `pth` is unknown | Did you mean `path`?"),
        ("path: [fetch, ask]", "status: done", None),
        ("outputs: {answer:", "outputs: {anser:", "9:44 There is no output `anser` | Did you mean `answer`?"),
        (
            "outputs: {answer:",
            "state: {nots:",
            "9:42 There is no channel of shared state `nots` | Did you mean `notes`?",
        ),
        ("status == 'completed'", "status ==", None),
        ("definition: flow", "definition: flwo", None),
        ("{topic: a}", "{topc: a}", None),
    ],
)
def test_a_mistake_is_found_where_it_stands(tmp_path: Path, good: str, bad: str, complaint: str | None) -> None:
    assert good in GOOD

    found = complaints(tmp_path, GOOD.replace(good, bad))

    if complaint is None:
        assert len(found) == 1
    else:
        assert complaint in found


def test_every_mistake_is_listed_in_the_order_of_the_text(tmp_path: Path) -> None:
    found = complaints(tmp_path, GOOD.replace("fetch#2", "fecth").replace("node: ask", "node: aks"))

    assert [line.partition(" ")[0] for line in found] == ["7:7", "8:31"]


def test_two_cases_of_one_name_are_refused(tmp_path: Path) -> None:
    assert complaints(tmp_path, GOOD + "  - {name: one, inputs: {topic: b}}\n") == [
        "10:12 Two cases have the name 'one'"
    ]


def test_steps_must_stand_in_the_order_of_their_times(tmp_path: Path) -> None:
    text = GOOD.replace('text: "36"}]', 'text: "36"}, {at: 1d, cancel: true}]')

    assert complaints(tmp_path, text) == ["8:54 It comes before the step above it | Put them in order."]


def test_inputs_may_be_wrong_where_that_is_the_point(tmp_path: Path) -> None:
    text = "definition: flow\ncases:\n  - {name: a, expect: {status: failed, error: {code: INPUT_INVALID}}}\n"

    assert load(tmp_path, text).cases[0].inputs == {}


@pytest.mark.parametrize("text", ["- a\n", "cases: []\n", "a: [\n", ""])
def test_what_is_no_file_of_cases_is_refused(tmp_path: Path, text: str) -> None:
    assert complaints(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseFileError, match="cannot be read"):
        load_cases(tmp_path / "none.yaml", tmp_path)
