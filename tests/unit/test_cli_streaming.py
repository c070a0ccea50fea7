"""What the command line shows of the texts that models write."""

import pytest

from orchestrator.cli.streaming import Aloud, stream
from orchestrator.cli.writing import Writing, last_lines
from orchestrator.errors import RequestError
from storage.streams import Delta, Finished, Lost, Record, Superseded


class Page:
    """What somebody reads: text as it is, and what is said about it in brackets."""

    def __init__(self) -> None:
        self.shown = ""
        self.aloud = Aloud(self.write, self.say)

    def write(self, text: str) -> None:
        self.shown += text

    def say(self, text: str) -> None:
        self.shown += f"[{text}]"

    def tell(self, *records: Record) -> str:
        for record in records:
            self.aloud.tell(record)
        return self.shown


def delta(text: str, offset: int = 0, node: str = "a", generation: int = 1) -> Delta:
    return Delta(id=1, node=node, visit=1, generation=generation, offset=offset, text=text)


def end(node: str = "a", reason: str = "stop", generation: int = 1) -> Finished:
    return Finished(id=1, node=node, visit=1, generation=generation, reason=reason)


def test_a_text_is_told_as_it_is_written() -> None:
    page = Page()

    assert page.tell(delta("Once ")) == "[a:]Once "
    assert page.tell(delta("upon", 5)) == "[a:]Once upon"
    assert page.tell(end()) == "[a:]Once upon\n"


def test_texts_that_are_written_at_once_are_told_one_after_the_other() -> None:
    page = Page()
    page.tell(delta("Once "), delta("Zwei", node="b"), end("b"), delta("upon", 5))
    assert page.shown == "[a:]Once upon"

    assert page.tell(end(), delta("c", node="c")) == "[a:]Once upon\n[b:]Zwei\n[c:]c"


def test_a_text_that_begins_again_is_said_to() -> None:
    page = Page()
    page.tell(delta("Twi"), Superseded(id=1, node="a", visit=1, generation=1), delta("Once", generation=2))

    assert page.tell(end(generation=2)) == (
        "[a:]Twi\n[(a begins again: what it has said counts for nothing)][a:]Once\n"
    )


def test_one_that_had_ended_begins_again_too_and_one_that_nobody_was_told_of_says_nothing() -> None:
    page = Page()
    page.tell(delta("Twice"), delta("x", node="b"), end(), Superseded(id=1, node="a", visit=1, generation=1))
    page.tell(delta("Once", generation=2), end("b"))
    assert page.shown == "[a:]Twice\n[b:]x[(a begins again: what it has said counts for nothing)]\n[a:]Once"

    quiet = Page()
    quiet.tell(delta("y", node="b"), delta("Twice"), Superseded(id=1, node="a", visit=1, generation=1))
    assert quiet.tell(delta("Once", generation=2), end("b")) == "[b:]y\n[a:]Once"


@pytest.mark.parametrize("reason", ["failed", "incomplete", "length"])
def test_a_text_that_does_not_end_well_says_why(reason: str) -> None:
    assert Page().tell(delta("Once"), end(reason=reason)) == f"[a:]Once\n[(a ended: {reason})]"


def test_what_nobody_has_ended_ends_with_the_run() -> None:
    page = Page()
    page.tell(delta("Once"), delta("x", node="b"))
    page.aloud.end("")

    assert page.shown == "[a:]Once\n[(a ended: unfinished)][b:]x\n[(b ended: unfinished)]"


def test_what_a_child_run_has_not_ended_ends_with_it_and_nobody_elses_does() -> None:
    page = Page()
    page.aloud.tell(delta("Once"), "own")
    page.aloud.tell(delta("Zwei", node="sub.a"), "childs")
    page.aloud.end("childs")
    assert page.shown == "[a:]Once"

    page.aloud.tell(delta(" upon", 4), "own")
    page.aloud.end("own")
    assert page.shown == "[a:]Once upon\n[(a ended: unfinished)][sub.a:]Zwei\n[(sub.a ended: unfinished)]"


def test_what_is_no_longer_kept_is_said() -> None:
    assert Page().tell(Lost(id=4), delta("me", 2)) == "[(what was written before is no longer kept)][a:]me"


def test_after_a_gap_in_the_middle_all_that_is_left_is_told() -> None:
    page = Page()
    page.tell(delta("Once upon a time "), Lost(id=7), delta("war", 40), delta(" ein", 43))

    assert page.tell(end()) == "[a:]Once upon a time [(what was written before is no longer kept)]war ein\n"


def test_a_text_that_begins_again_unheard_is_told_from_its_beginning() -> None:
    page = Page()
    page.tell(delta("Twice upon"), Lost(id=7), delta("Once", generation=2), end(generation=2), delta("x", node="b"))

    assert page.tell(Lost(id=9), delta("O", generation=3), end("b"), end(generation=3)) == (
        "[a:]Twice upon[(what was written before is no longer kept)]\n"
        "[(a begins again: what it has said counts for nothing)][a:]Once\n[b:]x"
        "[(what was written before is no longer kept)][(a begins again: what it has said counts for nothing)]\n[a:]O\n"
    )


def test_of_one_text_the_last_lines_are_shown_and_of_several_less() -> None:
    text = "\n".join(f"line {number}" for number in range(20))

    assert last_lines([Writing("a", text)], 80).splitlines() == ["a:", *(f"line {number}" for number in range(15, 20))]
    assert last_lines([Writing("a", text), Writing("b#2", "short")], 80).splitlines() == [
        "a:",
        "line 18",
        "line 19",
        "b#2:",
        "short",
    ]
    assert last_lines([Writing(name, "x") for name in "abcde"], 80).splitlines() == ["c:", "x", "d:", "x", "e:", "x"]
    assert last_lines([], 80) == last_lines([Writing("a", " \n")], 80) == ""


def test_a_long_line_is_broken_and_nothing_drives_the_terminal() -> None:
    lines = last_lines([Writing("a", "x" * 90 + "\x1b[31m\tend")], 40).splitlines()

    assert lines == ["a:", "x" * 40, "x" * 40, "x" * 10 + "?[31m end"]


def test_an_id_that_no_record_can_have_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(RequestError, match="--after: 9007199254740992 is no id of a record"):
        stream("any", after=2**53, as_json=False)
