"""What is held against a case: what it expected, what it mocked, and what the kill sweep changed."""

from typing import Any

import pytest

from orchestrator.contracts import ErrorInfo, Event, RunResult, RunState
from orchestrator.testkit.mocks import Performed, turn_of
from orchestrator.testkit.model import Attempt, Expect
from orchestrator.testkit.outcome import Outcome, differences
from orchestrator.testkit.playing import Played
from orchestrator.testkit.sweeping import changes

OUTPUT = {"output": {"text": "x"}}
ERROR = {"error": {"code": "PROVIDER_UNAVAILABLE"}}


def outcome(*, events: list[str] | None = None, state: dict[str, Any] | None = None, **result: Any) -> Outcome:
    found = RunResult.model_validate({"status": "completed", **result})
    return Outcome(
        state=RunState(status=found.status, definition="a@1.0.0", state=state or {}, result=found),
        events=tuple(Event.model_validate({"seq": 1, "type": kind, "at": "", "node": "b"}) for kind in events or ()),
        awaiting=(),
        performed={"fetch": Performed(attempts=2, finished=1)},
    )


def found(expect: dict[str, Any], actual: Outcome) -> list[tuple[str, str | None, str | None]]:
    return [(one.what, one.expected, one.actual) for one in differences(Expect.model_validate(expect), actual)]


def test_what_is_left_out_may_be_anything() -> None:
    assert found({}, outcome(outputs={"a": 1}, path=["x"], cost_usd=3)) == []


def test_a_run_is_expected_to_complete() -> None:
    failed = outcome(status="failed", error=ErrorInfo(code="NODE_FAILED", message="no", node="a"))

    assert found({}, failed) == [("status", "completed", "failed (NODE_FAILED at a: no)")]


def test_a_path_may_come_in_any_order_and_says_what_is_missing_and_what_is_too_much() -> None:
    actual = outcome(path=["b", "a", "a#2"])

    assert found({"path": ["a", "a#2", "b"]}, actual) == []
    assert found({"path": ["a", "b", "c"]}, actual) == [("path", "c", "(nothing)"), ("path", "(nothing)", "a#2")]


def test_a_path_in_order_is_in_order() -> None:
    assert found({"path_in_order": ["a", "b"]}, outcome(path=["b", "a"])) == [("path_in_order", "a > b", "b > a")]


def test_outputs_differ_in_their_smallest_parts() -> None:
    actual = outcome(outputs={"a": {"x": 1, "y": [1, 2]}, "b": "left out"})

    assert found({"outputs": {"a": {"x": 1.0, "y": [1, 3], "z": 0}}}, actual) == [
        ("outputs.a.y", "[1, 3]", "[1, 2]"),
        ("outputs.a.z", "0", "(nothing)"),
    ]


@pytest.mark.parametrize(("wanted", "actual"), [(1, True), ("1", 1), (None, 0), ([], {})])
def test_values_of_other_types_are_not_the_same(wanted: Any, actual: Any) -> None:
    assert len(found({"state": {"a": wanted}}, outcome(state={"a": actual}))) == 1


def test_cost_is_compared_as_money_is() -> None:
    assert found({"cost_usd": 0.3}, outcome(cost_usd=0.1 + 0.2)) == []
    assert found({"cost_usd": 0.3}, outcome()) == [("cost_usd", "0.3", "(nothing)")]


def test_events_are_counted() -> None:
    actual = outcome(events=["REJECTED", "SKIPPED"])

    assert found({"rejected": 1, "skipped": ["b"]}, actual) == []
    assert found({"rejected": 0, "skipped": []}, actual) == [("skipped", "(nothing)", "b"), ("rejected", "0", "1")]


def test_attempts_are_counted() -> None:
    assert found({"attempts": {"fetch": 2}}, outcome()) == []
    assert found({"attempts": {"fetch": 1, "other": 1}}, outcome()) == [
        ("attempts.fetch", "1", "2"),
        ("attempts.other", "1", "0"),
    ]


def test_the_error_is_compared_by_what_is_said_of_it() -> None:
    actual = outcome(status="failed", error=ErrorInfo(code="NODE_FAILED", message="no luck", node="a", visit=2))

    assert found({"status": "failed", "error": {"code": "NODE_FAILED", "node": "a#2", "message": "luck"}}, actual) == []
    assert [what for what, *_ in found({"status": "failed", "error": {"node": "b", "message": "x"}}, actual)] == [
        "error.node",
        "error.message",
    ]


def test_expressions_are_checked() -> None:
    actual = outcome(outputs={"n": 3}, path=["a"])

    assert found({"check": ["outputs.n > 2 && size(path) == 1 && error == null"]}, actual) == []
    assert found({"check": ["outputs.n > 3"]}, actual) == [("check `outputs.n > 3`", "true", "false")]
    assert [what for what, *_ in found({"check": ["outputs.m > 3"]}, actual)] == ["check `outputs.m > 3`"]


def turns(attempts: list[dict[str, Any]], count: int, patience: float | None = 60.0) -> list[str]:
    given = [Attempt.model_validate(attempt) for attempt in attempts]
    spelled: list[str] = []
    for number in range(1, count + 1):
        turn = turn_of(given, number, patience)
        end = turn.attempt.error.code if turn.attempt.error else "output"
        spelled.append(f"{turn.number}: {f'waits {turn.waits:.0f}' if turn.waits is not None else end}")
    return spelled


def test_the_last_of_a_list_of_attempts_stands_for_all_that_follow() -> None:
    assert turns([ERROR, OUTPUT], 3) == ["1: PROVIDER_UNAVAILABLE", "2: output", "3: output"]


def test_an_attempt_that_takes_time_waits_first() -> None:
    assert turns([{**ERROR, "after": 20}, OUTPUT], 3) == ["1: waits 20", "1: PROVIDER_UNAVAILABLE", "2: output"]


def test_an_attempt_that_takes_longer_than_it_may_times_out() -> None:
    assert turns([{**OUTPUT, "after": 61}], 2) == ["1: waits 60", "1: NODE_TIMED_OUT"]


def test_the_kill_sweep_finds_what_was_done_twice() -> None:
    steady, swept = outcome(), outcome()
    swept.performed["fetch"].finished = 2

    (change,) = changes(Played(steady), Played(swept))

    assert (change.what, change.expected, change.actual) == (
        "kill sweep: `fetch` was performed",
        "1 times",
        "2 times",
    )


def test_the_kill_sweep_finds_another_result() -> None:
    found = changes(Played(outcome(outputs={"a": 1})), Played(outcome(outputs={"a": 2}, path=["x"])))

    assert [change.what for change in found] == ["kill sweep: outputs", "kill sweep: path"]


def test_the_kill_sweep_passes_over_moments_and_the_id_of_the_run() -> None:
    one = {"at": "2026-11-21T08:10:42.406471+00:00", "run": f"case-{'a' * 32}"}
    other = {"at": "2026-11-21T08:10:43Z", "run": f"case-{'b' * 32}"}

    assert changes(Played(outcome(outputs=one)), Played(outcome(outputs=other))) == []
