"""What the live view shows, worked out from a run's events without a terminal."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.cli.live.asking import resolution
from orchestrator.cli.live.cells import headline, name_cell, row_cells, spent
from orchestrator.cli.live.outline import Row, outline, row_key
from orchestrator.cli.live.picture import Picture, RowView, Trouble
from orchestrator.contracts import (
    Awaiting,
    ChildRun,
    ErrorInfo,
    Event,
    EventType,
    NodeState,
    Parked,
    ProgressPage,
    RunResult,
    RunState,
    Usage,
)
from orchestrator.errors import RequestError
from orchestrator.graph.plan import NodeId

DEFINITION: dict[str, Any] = {
    "nodes": [
        {"id": "greet", "type": "Format"},
        {"id": "each", "type": "ForEach", "body": "b1"},
        {"id": "tidy", "type": "Format", "role": "finally"},
    ],
    "bodies": {
        "b1": {
            "nodes": [{"id": "word", "type": "ModelInvoke"}, {"id": "sub", "type": "Subworkflow", "body": "b2"}],
        },
        "b2": {"nodes": [{"id": "deep", "type": "Wait"}]},
    },
}
START = "2026-01-01T00:00:00+00:00"


def at(seconds: float) -> str:
    return datetime.fromtimestamp(datetime.fromisoformat(START).timestamp() + seconds, UTC).isoformat()


def happened(kind: EventType, node: str | None = None, seconds: float = 0, visit: int = 1, **told: Any) -> Event:
    return Event(seq=1, type=kind, at=at(seconds), node=node, visit=visit if node else None, data=told)


def page(*events: Event, **known: Any) -> ProgressPage:
    fields: dict[str, Any] = {"status": "running", "cursor": len(events), "oldest": 1, **known}
    return ProgressPage(events=events, **fields)


def parked(node: str, seconds: float = 0) -> Parked:
    return Parked(node=node, visit=1, error=ErrorInfo(code="INTERNAL", message="it\nbroke"), since=at(seconds))


@pytest.fixture
def picture() -> Picture:
    found = Picture("run-1")
    found.about(DEFINITION)
    return found


def seen(picture: Picture, key: str, seconds: float = 10) -> RowView:
    return picture.view(key, datetime.fromisoformat(at(seconds)))


def test_bodies_stand_below_the_node_that_runs_them() -> None:
    rows = outline(DEFINITION)

    assert [(row.key, row.depth) for row in rows] == [
        ("greet", 0), ("each", 0), ("each.word", 1), ("each.sub", 1), ("each.sub.deep", 2), ("tidy", 0),
    ]  # fmt: skip
    assert rows[-1].note == "at the end"
    assert name_cell(rows[4]).plain == "  └ deep"


def test_a_definition_that_calls_itself_ends_somewhere() -> None:
    rows = outline(
        {
            "nodes": [{"id": "a", "type": "T", "body": "b"}],
            "bodies": {"b": {"nodes": [{"id": "a", "type": "T", "body": "b"}]}},
        }
    )

    assert 1 < len(rows) < 20


@pytest.mark.parametrize(
    ("path", "key"),
    [("ask", "ask"), ("ask#2", "ask"), ("items[3].ask", "items.ask"), ("items#2[3].sub.ask#4", "items.sub.ask")],
)
def test_every_visit_and_item_of_a_node_is_in_one_row(path: str, key: str) -> None:
    assert row_key(path) == key


def test_a_visit_goes_from_running_to_completed_with_its_time(picture: Picture) -> None:
    assert seen(picture, "greet") == RowView("pending")

    assert picture.apply(page(happened("STARTED", "greet", 1))) == {"greet"}
    assert seen(picture, "greet", 4) == RowView("running", 1, 3.0)

    picture.apply(page(happened("COMPLETED", "greet", 2.5)))
    assert seen(picture, "greet", 99) == RowView("completed", 1, 1.5)


def test_a_second_visit_is_counted_and_timed_anew(picture: Picture) -> None:
    picture.apply(page(happened("STARTED", "greet", 0), happened("COMPLETED", "greet", 5)))
    picture.apply(page(happened("STARTED", "greet", 7, visit=2), happened("COMPLETED", "greet", 8, visit=2)))

    assert seen(picture, "greet") == RowView("completed", 2, 1.0)


def test_items_are_counted_by_how_they_stand_and_the_most_urgent_shows(picture: Picture) -> None:
    for number, kind in enumerate(("COMPLETED", "COMPLETED", "PARKED")):
        picture.apply(page(happened("STARTED", f"each[{number}].word"), happened(kind, f"each[{number}].word", 1)))

    view = seen(picture, "each.word")

    assert (view.status, view.visits, view.counts) == ("parked", 3, {"completed": 2, "parked": 1})
    assert row_cells(view)[0].plain == "! 1 ✓ 2"


def test_a_parked_node_that_is_tried_again_runs(picture: Picture) -> None:
    picture.apply(page(happened("STARTED", "greet"), happened("ERROR", "greet", 1), happened("PARKED", "greet", 1)))
    assert seen(picture, "greet").status == "parked"

    picture.apply(page(happened("RESOLVED", "greet", 2, action="retry")))
    assert seen(picture, "greet").status == "running"
    assert picture.under_way() == {"greet"}


def test_events_that_are_not_kept_are_made_up_for_by_the_state(picture: Picture) -> None:
    state = RunState(
        status="running",
        definition="big@1.0.0",
        nodes={NodeId("greet"): NodeState(status="completed", visits=3), NodeId("tidy"): NodeState(status="pending")},
        result=RunResult(status="running", usage=Usage(calls=2)),
    )

    picture.state(state)

    assert seen(picture, "greet") == RowView("completed", 3)
    assert seen(picture, "tidy").status == "pending"
    assert (picture.definition, picture.usage.calls, picture.done()) == ("big@1.0.0", 2, 1)


def test_what_waits_is_told_with_its_place_and_chosen_by_the_row(picture: Picture) -> None:
    first = Awaiting(node="greet", visit=1, question="Sure?", since=START)
    second = Awaiting(node="each[1].word", visit=1, kind="approval", question="Send\nthis?", since=START)
    child = ChildRun(node="tidy", visit=1, run="run-2", parked=(parked("x", 1),))
    picture.apply(page(awaiting=(first, second), parked=(parked("each[0].word", 5),), children=(child,)))

    assert picture.waits() == [
        "greet asks: Sure?",
        "each[1].word asks: Send this?",
        "each[0].word failed: INTERNAL: it broke",
        "x in run-2 failed: INTERNAL: it broke",
    ]
    assert picture.question() == first
    assert picture.question("each.word") == second
    here, oldest = picture.trouble("each.word"), picture.trouble("greet")
    assert here is not None
    assert oldest is not None
    assert (here.run, oldest.run) == ("run-1", "run-2")


def test_time_stands_still_once_the_run_has_ended(picture: Picture) -> None:
    picture.apply(page(happened("RUN_STARTED", seconds=0), happened("STARTED", "greet", 1)))
    picture.apply(page(happened("RUN_FAILED", seconds=4), status="failed"))

    assert picture.elapsed(datetime.fromisoformat(at(60))) == 4
    assert seen(picture, "greet", 60).seconds == 3
    assert "run-1" in headline(picture, 4).plain
    assert "failed" in headline(picture, 4).plain


def test_a_clock_that_is_behind_shows_no_negative_time(picture: Picture) -> None:
    picture.apply(page(happened("STARTED", "greet", 100)))

    assert seen(picture, "greet", 0).seconds == 0


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0.04, "0.0s"), (59.94, "59.9s"), (61, "1m 1s"), (7_260, "2h 1m"), (200_000, "2d 7h")],
)
def test_a_duration_is_short(seconds: float | None, shown: str) -> None:
    assert spent(seconds) == shown


def test_what_a_definition_says_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in name_cell(Row("a", "\x1b[31mred", "T")).plain


def test_a_choice_in_the_window_of_a_parked_node_is_a_request() -> None:
    trouble = Trouble("run-1", parked("each[0].word"))

    assert resolution("override", '{"n": 1}', trouble, "ada").output == {"n": 1}
    assert resolution("skip", " by hand ", trouble, "ada").comment == "by hand"
    assert resolution("retry", "", trouble, None).node == "each[0].word"


@pytest.mark.parametrize("text", ["", "[1]", "{", "@/etc/passwd"])
def test_an_output_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        resolution("override", text, Trouble("run-1", parked("x")), None)
