"""What the command line says of parked nodes, approvals and child runs, and how it reads what is to become of them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from orchestrator.cli.app import call
from orchestrator.cli.events import event_line, style_of
from orchestrator.cli.listing import reason
from orchestrator.cli.render import Screen, result_lines
from orchestrator.cli.resolving import request_for
from orchestrator.cli.standing import age, child_lines, command, parked_lines, question_lines
from orchestrator.cli.telling import decision
from orchestrator.client import Trouble
from orchestrator.contracts import (
    Awaiting,
    ChildRun,
    ErrorInfo,
    Event,
    EventType,
    Lineage,
    Parked,
    ProgressPage,
    ResolveRequest,
    RunResult,
)
from orchestrator.errors import RequestError

SINCE = "2026-01-01T00:00:00+00:00"
START = datetime.fromisoformat(SINCE)
NO_ACTION: dict[str, Any] = {"retry": False, "override": None, "skip": False, "fail": False}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command: exit code, standard output, standard error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = call(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def parked(node: str, *, since: str = SINCE, tries: int = 1) -> Parked:
    error = ErrorInfo(code="PROVIDER_UNAVAILABLE", message="nobody\nanswers", node=node)
    return Parked(node=node, visit=1, tries=tries, error=error, since=since)


def page(**known: Any) -> ProgressPage:
    fields: dict[str, Any] = {"status": "needs_attention", "events": (), "cursor": 0, "oldest": 1, **known}
    return ProgressPage(**fields)


def event(kind: EventType, node: str | None = None, **told: Any) -> Event:
    return Event(seq=1, type=kind, at=SINCE, node=node, visit=1 if node else None, data=told)


def asked(**options: Any) -> ResolveRequest:
    known: dict[str, Any] = {
        "node": None,
        **NO_ACTION,
        "config": None,
        "inputs": None,
        "by": None,
        "comment": None,
        **options,
    }
    return request_for(known.pop("node"), **known)


def test_a_parked_node_is_shown_with_its_error_and_the_command_to_type() -> None:
    lines = list(parked_lines("run-1", [parked("items[3].answer", tries=2)]))

    assert lines[0].startswith("parked  items[3].answer, for ")
    assert lines[0].endswith(", tried 2 times")
    assert lines[1] == "        PROVIDER_UNAVAILABLE: nobody answers"
    assert lines[2] == "        orchestrator resolve run-1 'items[3].answer' --retry"
    assert all(action in lines[3] for action in ("--override JSON", "--skip", "--fail"))


def test_without_advice_a_parked_node_is_shown_with_its_error_only() -> None:
    assert len(list(parked_lines("run-1", [parked("search")], advise=False))) == 2


def test_of_very_many_parked_nodes_the_first_are_shown() -> None:
    lines = list(parked_lines("run-1", [parked(f"n{number}") for number in range(50)]))

    assert len(lines) == 20 * 4 + 1
    assert "30 more" in lines[-1]


def test_a_node_parked_in_a_child_run_is_resolved_there() -> None:
    child = ChildRun(node="sub", visit=1, run="run-1/sub", parked=(parked("search"),))

    lines = list(child_lines([child]))

    assert lines[0] == "child   sub: run run-1/sub, running"
    assert "          orchestrator resolve run-1/sub search --retry" in lines


def test_a_command_for_a_server_of_its_own_says_which() -> None:
    shown = command("resume", "my run", address="127.0.0.1:7000")

    assert shown == "TEMPORAL_ADDRESS=127.0.0.1:7000 orchestrator resume 'my run'"


def test_an_approval_is_shown_with_all_that_is_needed_to_decide() -> None:
    question = Awaiting(
        node="review",
        visit=2,
        kind="approval",
        question="Send it?",
        since=SINCE,
        proposal={"text": "Hi"},
        decisions=("approve", "modify", "defer"),
        assignees=("ada", "grace"),
        expires="2026-01-02T00:00:00+00:00",
        reminded=1,
    )

    assert list(question_lines("run-1", question)) == [
        "awaits  review#2: Send it?",
        '        proposal  {"text": "Hi"}',
        "        decide    approve, modify, defer",
        "        for       ada, grace",
        "        expires   2026-01-02T00:00:00+00:00",
        "        reminded  1 time",
        "        orchestrator approve run-1 review --approve",
        "          (or --modify JSON, --defer 2h; --by and --comment say who and why)",
    ]


@pytest.mark.parametrize(
    ("later", "shown"),
    [(0, "0s"), (59, "59s"), (125, "2m 5s"), (7_200, "2h"), (90_061, "1d 1h"), (86_460, "1d"), (-5, "0s")],
)
def test_an_age_is_told_in_its_two_largest_units(later: int, shown: str) -> None:
    assert age(SINCE, datetime.fromtimestamp(START.timestamp() + later, UTC)) == shown


@pytest.mark.parametrize("kind", get_args(EventType))
def test_every_event_is_a_line_even_without_what_it_usually_tells(kind: EventType) -> None:
    node = None if kind.startswith("RUN_") else "search"

    line = event_line(event(kind, node), START)

    assert kind.lower().replace("_", " ") in line
    assert style_of(event(kind, node))


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (event("PARKED", "search", code="NODE_FAILED", message="no"), "waits to be resolved"),
        (event("RESOLVED", "search", action="retry", by="ada", comment="again"), "retry by ada: again"),
        (event("DEFERRED", "review", until="2026-01-02", by="ada"), "until 2026-01-02 by ada"),
        (event("DEFERRED", "review", until=None, by=None), "until somebody decides"),
        (event("COMPENSATED", "pay", by="refund"), "undone by refund"),
        (event("RUN_RESUMED", variables=["tone"]), "goes on with a new value of state.tone"),
        (event("EXPIRED", "review"), "nobody answered in time"),
        (event("REJECTED", code="MESSAGE_INVALID", message="no such channel"), "MESSAGE_INVALID: no such channel"),
        (event("RUN_PAUSED", by="ada"), "what is under way finishes, nothing new starts by ada"),
        (event("RUN_CANCELLING"), "undoes and cleans up first"),
        (event("RUN_FAILED", "search", code="NODE_FAILED", message="no"), "run failed      NODE_FAILED: no"),
        (event("RUN_MIGRATED", definition="a@2"), "to a@2"),
    ],
)
def test_events_are_told_in_plain_words(shown: Event, words: str) -> None:
    assert event_line(shown, START).endswith(words)


def test_a_result_tells_what_was_undone_and_what_failed_meanwhile() -> None:
    result = RunResult(
        status="failed",
        undone=("book", "pay"),
        aside=(ErrorInfo(code="NODE_FAILED", message="no mail", node="notify", visit=2),),
        forked_from=Lineage(run="run-0", at="pay", taken=3),
    )

    lines = result_lines("run-1", result, None)

    assert "undone  book > pay" in lines
    assert "aside   NODE_FAILED at notify#2: no mail (while undoing or cleaning up; passed over)" in lines
    assert "forked  from run-0 at pay, 3 visits taken over" in lines


def test_what_is_parked_or_waits_is_not_under_way_nor_is_what_it_stands_in() -> None:
    screen = Screen(quiet=True)
    for node in ("items", "items[0].search", "items[1].ask", "sub"):
        screen.event(event("STARTED", node))
    waiting = Awaiting(node="items[1].ask", visit=1, question="?", since=SINCE)
    child = ChildRun(node="sub", visit=1, run="run-1/sub", parked=(parked("search"),))
    stuck = page(parked=(parked("items[0].search"),), awaiting=(waiting,), children=(child,))
    assert not screen.busy(stuck)

    screen.event(event("STARTED", "items[2].search"))
    assert screen.busy(stuck)

    screen.event(event("COMPLETED", "items[2].search"))
    assert not screen.busy(stuck)


def test_a_node_that_is_tried_again_is_under_way_again() -> None:
    screen = Screen(quiet=True)
    for shown in (event("STARTED", "search"), event("PARKED", "search")):
        screen.event(shown)
    assert not screen.busy(page())

    screen.event(event("RESOLVED", "search", action="retry"))

    assert screen.busy(page())


def test_the_oldest_problem_is_the_reason_wherever_it_is() -> None:
    child = ChildRun(node="sub", visit=1, run="run-1/sub", parked=(parked("deep", since="2025-12-31T00:00:00+00:00"),))
    both = Trouble(run="run-1", parked=(parked("search"),), children=(child,))

    assert both.first is not None
    assert both.first.node == "deep"
    assert reason(both) == "PROVIDER_UNAVAILABLE: nobody answers (and 1 more)"
    inside = reason(Trouble(run="run-1", children=(child,)))
    assert inside == "in its child run run-1/sub: PROVIDER_UNAVAILABLE: nobody answers"


def test_a_run_that_did_not_answer_or_has_nothing_parked_any_more_says_so() -> None:
    away = ErrorInfo(code="WORKER_MISSING", message="no worker")
    assert reason(Trouble(run="run-1", unknown=away)) == "(not known: the run did not answer)"
    assert reason(Trouble(run="run-1")) == "(resolved meanwhile)"


def test_what_becomes_of_a_parked_node_is_read_from_the_options() -> None:
    again = asked(retry=True, node="search", config='{"url": "x"}', inputs='{"q": 1}', by="ada", comment="c")
    assert again == ResolveRequest(
        action="retry", node="search", config={"url": "x"}, inputs={"q": 1}, by="ada", comment="c"
    )
    assert asked(override='{"text": ""}') == ResolveRequest(action="override", output={"text": ""})
    assert (asked(skip=True).action, asked(fail=True).action) == ("skip", "fail")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "one of --retry"),
        ({"retry": True, "skip": True}, "one of --retry"),
        ({"skip": True, "config": "{}"}, "--retry only"),
        ({"override": "[1]"}, "--override must be a JSON object"),
        ({"override": "{"}, "--override is not JSON"),
        ({"retry": True, "inputs": "1"}, "--inputs must be a JSON object"),
        ({"retry": True, "node": ""}, "^node: "),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        asked(**options)


def test_a_decision_is_read_from_the_options() -> None:
    none: dict[str, Any] = {"approve": False, "reject": False, "modify": None, "defer": None}
    about: dict[str, Any] = {"node": "review", "by": "ada", "comment": "c", "message_id": "m-1"}
    modified: dict[str, Any] = {**none, **about, "modify": '{"a": 1}'}
    changed = decision(**modified)

    assert (changed.decision, changed.values, changed.node, changed.by) == ("modify", {"a": 1}, "review", "ada")
    assert (changed.comment, changed.message_id) == ("c", "m-1")
    options: dict[str, Any] = {**none, "defer": "2h"}
    later = decision(**options)
    assert (later.decision, later.until) == ("defer", "2h")
    assert later.message_id
    both: dict[str, Any] = {**none, "approve": True, "reject": True}
    for wrong in (none, both):
        with pytest.raises(RequestError, match="one of --approve"):
            decision(**wrong)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resolve", "--retry"), "which run?"),
        (("resolve", "run-1"), "one of --retry"),
        (("resolve", "run-1", "--all", "--retry"), "not both"),
        (("resolve", "run-1", "--retry", "--yes"), "go with --all only"),
        (("resolve", "run-1", "--retry", "--definition", "x"), "go with --all only"),
        (("resolve", "--all", "--retry"), "give --yes"),
        (("approve", "run-1"), "one of --approve"),
        (("approve", "run-1", "--modify", "{"), "--modify is not JSON"),
        (("resume", "run-1", "-v", "tone"), "key=value"),
    ],
)
def test_what_is_not_well_formed_is_two_before_any_server_is_asked(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert err.startswith("error REQUEST_INVALID: ")
    assert said in err
