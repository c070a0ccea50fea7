"""Cases, played on the server that skips over waiting."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.app import call
from orchestrator.settings import load_settings
from orchestrator.testkit.reading import load_cases
from orchestrator.testkit.running import CaseReport, Report, run_suites

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "definitions/cases").glob("*.yaml"))
DEFINITION = """\
name: flow
version: 1.0.0
inputs: {topic: {type: string, default: tea}}
limits: {timeout: 60d}
on_failure: fail
nodes:
  - id: fetch
    type: HttpRequest
    config: {url: "http://shop.example/{{ inputs.topic }}"}
    timeout: 30s
    retry: {max_attempts: 3, initial_delay: 1s, multiplier: 2, jitter: true}
  - {id: rest, type: Wait, config: {for: 30d}}
  - {id: ask, type: UserInput, config: {question: How many?, answer: {type: integer}}}
  - id: draft
    type: ModelInvoke
    config: {model: simulated, prompt: "{{ nodes.ask.value }}"}
    write: {log: "{{ output.text }}"}
  - {id: shout, type: Format, config: {template: LOUD}}
edges:
  - {from: fetch, to: rest}
  - {from: rest, to: ask}
  - {from: ask, to: draft}
  - {from: draft, to: shout, when: "nodes.ask.value > 5"}
state: {log: {type: array, reducer: append}}
outputs: {text: "{{ nodes.draft.text }}"}
"""
FETCHED = {"output": {"status": 200, "body": "x"}}
DRAFTED = {"output": {"text": "two"}, "cost_usd": 0.25}

Play = Callable[..., Any]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Plays one case about DEFINITION, or another one; gives its report."""

    async def run(case: dict[str, Any], *, definition: str = DEFINITION, kill_sweep: bool = False) -> CaseReport:
        report = await report_of([case], definition=definition, kill_sweep=kill_sweep)
        return report.cases[0]

    async def report_of(cases: list[dict[str, Any]], *, definition: str, kill_sweep: bool) -> Report:
        (tmp_path / "flow.yaml").write_text(definition, encoding="utf-8")
        file = tmp_path / "flow.cases.yaml"
        text = json.dumps({"cases": [{"name": f"case {number}", **case} for number, case in enumerate(cases)]})
        file.write_text(text, encoding="utf-8")
        settings = load_settings(_env_file=None, definitions_dir=tmp_path)
        return await run_suites([load_cases(file, tmp_path)], settings, kill_sweep=kill_sweep)

    return run


def told(report: CaseReport) -> list[dict[str, str]]:
    return [difference.as_dict() for difference in report.differences]


async def test_a_wait_of_thirty_days_takes_milliseconds(play: Play) -> None:
    case = {
        "mocks": {"fetch": FETCHED, "draft": DRAFTED},
        "messages": [{"node": "ask", "text": "2"}],
        "expect": {
            "path": ["fetch", "rest", "ask", "draft"],
            "skipped": ["shout"],
            "outputs": {"text": "two"},
            "state": {"log": ["two"]},
            "cost_usd": 0.25,
            "attempts": {"fetch": 1},
        },
    }

    report = await play(case)

    assert told(report) == []
    assert report.virtual_s == pytest.approx(30 * 86_400, abs=1)
    assert report.real_s < 5


async def test_retries_and_slow_attempts_take_virtual_time_without_jitter(play: Play) -> None:
    attempts = [{"error": {"code": "PROVIDER_UNAVAILABLE"}, "after": "10s"}, {**FETCHED, "after": "29s"}]
    case = {
        "mocks": {"fetch": attempts, "draft": DRAFTED},
        "messages": [{"text": "2"}],
        "expect": {"attempts": {"fetch": 2}},
    }

    report = await play(case)

    assert told(report) == []
    assert report.virtual_s == pytest.approx(30 * 86_400 + 10 + 1 + 29, abs=1)


async def test_an_attempt_that_takes_too_long_times_out(play: Play) -> None:
    case = {
        "mocks": {"fetch": {**FETCHED, "after": "31s"}},
        "expect": {
            "status": "failed",
            "error": {"code": "NODE_TIMED_OUT", "node": "fetch"},
            "attempts": {"fetch": 3},
        },
    }

    report = await play(case)

    assert told(report) == []
    assert report.virtual_s == pytest.approx(3 * 30 + 1 + 2, abs=1)


async def test_messages_come_at_their_times_and_wrong_ones_are_counted(play: Play) -> None:
    case = {
        "mocks": {"fetch": FETCHED},
        "messages": [
            {"at": "35d", "node": "ask", "text": "many"},
            {"at": "40d", "node": "ask", "text": "9"},
        ],
        "expect": {"rejected": 1, "path_in_order": ["fetch", "rest", "ask", "draft", "shout"]},
    }

    report = await play(case)

    assert told(report) == []
    assert report.virtual_s == pytest.approx(40 * 86_400, abs=1)


async def test_a_run_may_be_cancelled_paused_and_left_waiting(play: Play) -> None:
    mocks = {"fetch": FETCHED}
    cancelled = {"mocks": mocks, "messages": [{"at": "3d", "cancel": True}], "expect": {"status": "cancelled"}}
    paused = {"mocks": mocks, "messages": [{"at": "1h", "signal": "pause"}], "expect": {"status": "paused"}}
    waiting = {"mocks": mocks, "expect": {"status": "awaiting_input", "awaiting": ["ask"]}}
    ended = {"mocks": mocks, "until": "31d", "expect": {"status": "awaiting_input"}}

    for case in (cancelled, paused, waiting, ended):
        assert told(await play(case)) == []


async def test_a_parked_node_is_resolved(play: Play) -> None:
    parking = DEFINITION.replace("on_failure: fail\n", "")
    failing = {"error": {"code": "PROVIDER_REJECTED", "message": "no"}}
    parked = {"mocks": {"fetch": failing}, "expect": {"status": "needs_attention", "parked": ["fetch"]}}
    resolved: dict[str, Any] = {
        "mocks": {"fetch": failing, "draft": DRAFTED},
        "messages": [
            {"node": "fetch", "resolve": {"action": "override", "output": {"status": 200, "body": "by hand"}}},
            {"node": "ask", "text": "1"},
        ],
        "expect": {"parked": [], "outputs": {"text": "two"}},
    }

    assert told(await play(parked, definition=parking)) == []
    assert told(await play(resolved, definition=parking)) == []


async def test_a_node_that_reaches_outside_must_be_mocked(play: Play) -> None:
    report = await play({})

    assert not report.passed
    assert told(report)[0]["what"] == (
        '`fetch` is a HttpRequest, which reaches outside; mock it: `mocks: {"fetch": {output: {…}}}`'
    )


async def test_what_a_case_has_and_nothing_uses_fails_it(play: Play) -> None:
    case = {
        "mocks": {"fetch": FETCHED, "fetch#2": FETCHED},
        "messages": [{"node": "ask", "text": "1"}, {"node": "ask", "text": "2"}],
    }

    assert [entry["what"] for entry in told(await play(case))] == [
        "the mock of `fetch#2` was never used",
        "messages[1] for `ask` was never sent: nothing waited for it",
    ]


async def test_a_failing_case_shows_what_was_expected_and_what_came(play: Play) -> None:
    case = {
        "mocks": {"fetch": FETCHED, "draft": DRAFTED},
        "messages": [{"text": "2"}],
        "expect": {"outputs": {"text": "three"}, "path": ["fetch", "rest", "ask", "draft", "shout"]},
    }

    assert told(await play(case)) == [
        {"what": "path", "expected": "shout", "actual": "(nothing)"},
        {"what": "outputs.text", "expected": '"three"', "actual": '"two"'},
    ]


async def test_the_kill_sweep_ends_a_worker_after_every_step(play: Play) -> None:
    attempts = [{"error": {"code": "PROVIDER_UNAVAILABLE"}}, FETCHED]
    case = {"mocks": {"fetch": attempts, "draft": DRAFTED}, "messages": [{"text": "7"}]}

    report = await play(case, kill_sweep=True)

    assert told(report) == []
    # Three attempts of two nodes, and at least the waits for the second attempt, the thirty days and the answer.
    assert report.restarts >= 6


async def test_a_child_run_waits_in_virtual_time_and_its_nodes_are_mocked(play: Play, tmp_path: Path) -> None:
    inner = DEFINITION.replace("name: flow", "name: inner")
    (tmp_path / "inner.yaml").write_text(inner, encoding="utf-8")
    outer = """\
name: flow
nodes:
  - {id: sub, type: Subworkflow, config: {definition: inner, mode: child, inputs: {topic: coffee}}}
outputs: {text: "{{ nodes.sub.text }}"}
"""
    case = {
        "mocks": {"sub.fetch": FETCHED, "sub.draft": DRAFTED},
        "messages": [{"node": "sub.ask", "text": "2"}],
        "expect": {"path": ["sub"], "outputs": {"text": "two"}, "cost_usd": 0.25},
    }

    report = await play(case, definition=outer, kill_sweep=True)

    assert told(report) == []
    assert report.virtual_s == pytest.approx(30 * 86_400, abs=1)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
async def test_the_cases_that_ship_pass_and_go_through_every_node_and_way(file: Path) -> None:
    suite = load_cases(file, ROOT / "definitions")
    settings = load_settings(_env_file=None, definitions_dir=ROOT / "definitions")

    report = await run_suites([suite], settings, kill_sweep=True)

    assert [told(case) for case in report.cases if not case.passed] == []
    (coverage,) = report.coverage.values()
    assert (coverage.nodes.never, coverage.edges.never) == ((), ())


def test_every_definition_that_ships_has_cases() -> None:
    definitions = {path.stem for path in (ROOT / "definitions").glob("*.yaml")}

    assert {path.stem for path in SHIPPED} == definitions


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.yaml").write_text(DEFINITION, encoding="utf-8")
    return tmp_path


CASES = """\
cases:
  - name: good
    mocks: {fetch: {output: {status: 200}}}
    messages: [{text: "2"}]
  - name: bad
    mocks: {fetch: {output: {status: 200}}}
    expect: {status: cancelled}
"""


def test_the_command_reports_cases_failures_and_coverage(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "flow.cases.yaml").write_text(CASES, encoding="utf-8")
    began = time.monotonic()

    code = call(["test", "flow.cases.yaml"])

    shown = capsys.readouterr().out
    assert code == 1
    assert "good\tpassed\t30d\t" in shown
    assert "FAILED bad (flow.cases.yaml)\n  status\n    expected  cancelled\n    actual    timed_out" in shown
    assert "coverage of flow@1.0.0: 4 of 5 nodes, 3 of 4 ways\n" in shown
    assert "  never taken: node shout\n  never taken: way draft -> shout when nodes.ask.value > 5\n" in shown
    assert shown.endswith("1 of 2 cases passed\n")
    assert time.monotonic() - began < 20


def test_the_command_chooses_cases_and_speaks_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "flow.cases.yaml").write_text(CASES, encoding="utf-8")

    code = call(["test", str(here / "flow.cases.yaml"), "--case", "good", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [(case["name"], case["passed"]) for case in found["cases"]] == [("good", True)]
    assert found["coverage"]["flow@1.0.0"]["nodes"] == {"total": 5, "never": ["shout"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["flow.cases.yaml", "--case", "god"], "no case has the name 'god'. Did you mean `good`?"),
        (["none.yaml"], "none.yaml: It cannot be read: No such file or directory"),
        (["typo.yaml"], "typo.yaml:2:1: The field `csaes` is unknown. Did you mean `cases`?"),
        (["empty"], "the folder empty has no files of cases (*.yaml)"),
    ],
)
def test_bad_input_is_one_clear_error(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (here / "flow.cases.yaml").write_text(CASES, encoding="utf-8")
    (here / "typo.yaml").write_text("definition: flow.yaml\ncsaes: []\n", encoding="utf-8")
    (here / "empty").mkdir()

    code = call(["test", *arguments])

    assert code == 2
    assert f"error REQUEST_INVALID: {said}" in capsys.readouterr().err
