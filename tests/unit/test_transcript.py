"""What a reader makes of the records of token streams."""

import pytest

from storage.streams import Delta, Finished, Lost, Piece, Record, StreamKey, Superseded, Transcript, as_dict
from storage.streams.deciding import Added, Head, added, storable
from storage.streams.following import Page

KEY = StreamKey("run", "answer")
ANSWER = ("answer", 1)


def delta(number: int, text: str, offset: int, generation: int = 1, node: str = "answer") -> Delta:
    return Delta(id=number, node=node, visit=1, generation=generation, offset=offset, text=text)


def superseded(number: int, generation: int) -> Superseded:
    return Superseded(id=number, node="answer", visit=1, generation=generation)


def finished(number: int, reason: str = "stop", generation: int = 1) -> Finished:
    return Finished(id=number, node="answer", visit=1, generation=generation, reason=reason)


def folded(*records: Record) -> Transcript:
    transcript = Transcript()
    for record in records:
        transcript.apply(record)
    return transcript


def test_pieces_become_a_text_which_ends() -> None:
    text = folded(delta(1, "Once ", 0), delta(2, "upon", 5), finished(3, "length"))[ANSWER]

    assert (str(text), text.ending, text.whole, text.generation) == ("Once upon", "length", True, 1)


def test_what_was_superseded_is_gone_at_once() -> None:
    assert list(folded(delta(1, "Once ", 0), finished(2), superseded(3, 1))) == []


def test_a_new_generation_replaces_the_old_text_also_where_its_supersession_was_not_seen() -> None:
    text = folded(delta(1, "Once ", 0), delta(3, "Twice", 0, generation=2))[ANSWER]

    assert (str(text), text.generation) == ("Twice", 2)


def test_what_a_dead_generation_says_late_is_not_shown() -> None:
    text = folded(superseded(1, 1), delta(2, "new", 0, 2), delta(3, "old", 0, 1), finished(4, "failed", 1))[ANSWER]

    assert (str(text), text.ending) == ("new", None)


def test_a_supersession_of_what_came_before_leaves_the_new_text_alone() -> None:
    assert str(folded(delta(1, "new", 0, 2), superseded(2, 1))[ANSWER]) == "new"


def test_after_a_gap_a_text_is_what_came_since_and_not_whole() -> None:
    text = folded(delta(1, "Once ", 0), Lost(id=5), delta(6, "a time", 10), delta(7, ".", 16))[ANSWER]

    assert (str(text), text.whole) == ("a time.", False)
    assert folded(Lost(id=5), delta(6, "all", 0))[ANSWER].whole


def test_texts_come_in_the_order_in_which_they_began() -> None:
    transcript = folded(
        delta(1, "a", 0, node="a"),
        delta(2, "x", 0),
        delta(3, "b", 0, node="b"),
        superseded(4, 1),
        delta(5, "y", 0, generation=2),
    )

    assert [visit[0] for visit, _ in transcript] == ["a", "b", "answer"]


def test_a_record_as_json_has_its_type() -> None:
    assert as_dict(delta(1, "x", 0)) == {
        "type": "DELTA",
        "id": 1,
        "node": "answer",
        "visit": 1,
        "generation": 1,
        "offset": 0,
        "text": "x",
    }
    assert as_dict(Lost(id=4)) == {"type": "LOST", "id": 4}


@pytest.mark.parametrize(
    ("head", "piece", "expected"),
    [
        (None, Piece(key=KEY, generation=1, offset=0, text="x"), None),
        (Head(generation=2, length=0), Piece(key=KEY, generation=1, offset=0, text="x"), None),
        (Head(generation=1, length=0), Piece(key=KEY, generation=1, offset=0, text="x"), Added("x", None)),
        (Head(generation=1, length=1), Piece(key=KEY, generation=1, offset=0, text="x"), Added("", None)),
        (Head(generation=1, length=1), Piece(key=KEY, generation=1, offset=0, text="x", ending="s"), Added("", "s")),
        (Head(generation=1, length=9), Piece(key=KEY, generation=1, offset=0, text="x"), None),
        (Head(generation=1, length=1, ending="s"), Piece(key=KEY, generation=1, offset=1, text="x"), None),
        (Head(generation=1, length=1, ending="s"), Piece(key=KEY, generation=1, offset=1, ending="s"), Added("", None)),
        (Head(generation=1, length=1, ending="s"), Piece(key=KEY, generation=1, offset=1, ending="t"), None),
    ],
)
def test_a_piece_is_added_once_and_only_to_the_newest_text_that_goes_on(
    head: Head | None, piece: Piece, expected: Added | None
) -> None:
    assert added(head, piece) == expected


@pytest.mark.parametrize("text", ["plain", "zero \0 byte", "half \ud83d", "🦊", "\udc00\ud800"])
def test_what_can_be_stored_is_as_long_as_what_was_written(text: str) -> None:
    assert len(storable(text)) == len(text)
    assert storable(text).encode()
    assert "\0" not in storable(text)


@pytest.mark.parametrize(
    ("page", "after", "expected"),
    [
        (Page(None, 0, ()), 0, []),
        (Page(None, 0, ()), 7, [Lost(id=7)]),
        (Page(10, 10, ()), 0, []),
        (Page(10, 11, (delta(11, "a", 0),)), 0, [delta(11, "a", 0)]),
        (Page(10, 12, (delta(12, "b", 1),)), 11, [delta(12, "b", 1)]),
        (Page(10, 12, (delta(12, "b", 1),)), 0, [Lost(id=11), delta(12, "b", 1)]),
        (Page(10, 12, (delta(12, "b", 1),)), 5, [Lost(id=11), delta(12, "b", 1)]),
        (Page(10, 12, ()), 11, [Lost(id=12)]),
        (Page(10, 12, ()), 12, []),
    ],
)
def test_a_reader_is_told_of_every_gap(page: Page, after: int, expected: list[Record]) -> None:
    assert page.told("run", after) == expected


def test_after_a_loss_generations_may_be_counted_from_the_first_again() -> None:
    before = [superseded(1, 1), delta(2, "old", 0, 2), Lost(id=9)]

    assert str(folded(*before, delta(10, "new", 0, 1))[ANSWER]) == "new"
    assert ANSWER not in dict(folded(*before, superseded(10, 1)))
    # What was only trimmed goes on as it was, and the dead stay dead.
    assert str(folded(*before, delta(10, " text", 3, 2), delta(11, "dead", 0, 1))[ANSWER]) == "old text"
