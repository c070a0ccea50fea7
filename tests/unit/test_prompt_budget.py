"""A conversation is cut to fit a model's window: never more than needed, and what matters most is cut last."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.prompts.budgeting import (
    LEFT_OUT,
    Count,
    Fitted,
    Part,
    Room,
    Strategy,
    counting,
    fit,
    gathered,
    room_of,
)
from activities.providers.base import Turn
from orchestrator.errors import ContextTooLongError
from orchestrator.models.info import TURN_TOKENS, ModelInfo, Price

MODEL = ModelInfo(name="m", provider="simulated", wire_name="m")
LETTERS = ModelInfo(name="m", provider="simulated", wire_name="m", estimate="characters")


def each(content: str) -> int:
    """A token for each byte: figures that can be worked out in the head."""
    return len(content.encode())


def text(name: str, content: str, **more: Any) -> Part:
    return Part(name=name, turns=(Turn("user", content),), **more)


def talk(name: str, *contents: str, **more: Any) -> Part:
    return Part(name=name, turns=tuple(Turn("user", content) for content in contents), **more)


def size(parts: list[Part], count: Count = each) -> int:
    return sum(count(turn.content) + TURN_TOKENS for part in parts for turn in part.turns)


async def shorter(content: str, most: int) -> str:
    """A summary: how long the text was."""
    return f"a summary of {len(content)} characters"[:most]


async def test_what_fits_is_left_alone() -> None:
    parts = [text("system", "Be brief."), talk("history", "a", "b", strategy="drop_oldest")]

    fitted = await fit(parts, Room(size(parts), 0), each)

    assert fitted == Fitted(tuple(turn for part in parts for turn in part.turns), size(parts))


async def test_without_a_known_window_everything_fits() -> None:
    parts = [text("a", "x" * 1_000_000)]

    assert (await fit(parts, None, each)).cut == ()


async def test_the_oldest_messages_go_first_and_no_more_than_needed() -> None:
    parts = [talk("history", "one", "two", "three", "four", strategy="drop_oldest")]

    fitted = await fit(parts, Room(size(parts) - 1, 0), each)

    assert [turn.content for turn in fitted.turns] == ["two", "three", "four"]
    assert [cut.as_dict() for cut in fitted.cut] == [
        {"part": "history", "strategy": "drop_oldest", "tokens_before": size(parts), "tokens_after": size(parts) - 19}
    ]


async def test_the_newest_messages_that_are_kept_are_kept() -> None:
    part = talk("history", "one", "two", "three", strategy="drop_oldest", keep=2)

    with pytest.raises(ContextTooLongError):
        await fit([part], Room(30, 0), each)
    assert len((await fit([part], Room(TURN_TOKENS * 2 + 8, 0), each)).turns) == 2


async def test_what_a_tool_said_goes_with_the_message_that_asked_for_it() -> None:
    turns = (Turn("assistant", "ask"), Turn("tool", "said"), Turn("tool", "more"), Turn("user", "so?"))
    part = Part(name="history", turns=turns, strategy="drop_oldest")

    fitted = await fit([part], Room(size([part]) - 1, 0), each)

    assert fitted.turns == turns[3:]


async def test_what_goes_with_a_message_counts_too() -> None:
    turns = (Turn("assistant", "ask"), Turn("tool", "said" * 50), Turn("user", "and?"), Turn("user", "so?"))
    part = Part(name="history", turns=turns, strategy="drop_oldest")

    fitted = await fit([part], Room(size([part]) - 100, 0), each)

    assert fitted.turns == turns[2:]


async def test_the_middle_of_a_long_text_is_left_out_and_that_is_said() -> None:
    content = "begin " + "x" * 1_000 + " end"
    part = text("document", content, strategy="trim_middle")

    fitted = await fit([part], Room(200, 0), each)

    [turn] = fitted.turns
    assert turn.content.startswith("begin x")
    assert turn.content.endswith("x end")
    assert LEFT_OUT in turn.content
    assert fitted.tokens == 200


async def test_letters_of_several_bytes_are_never_cut_apart() -> None:
    part = text("document", "日本語" * 500, strategy="trim_middle")

    for room in range(60, 90):
        fitted = await fit([part], Room(room, 0), each)
        assert room - 6 <= fitted.tokens <= room


async def test_what_matters_least_is_cut_first() -> None:
    parts = [
        text("system", "s" * 100),
        text("notes", "n" * 400, priority=1, strategy="trim_middle"),
        text("question", "q" * 400, priority=2, strategy="trim_middle"),
    ]

    little = await fit(parts, Room(size(parts) - 300, 0), each)
    much = await fit(parts, Room(size(parts) - 500, 0), each)

    assert [cut.part for cut in little.cut] == ["notes"]
    assert [cut.part for cut in much.cut] == ["notes", "question"]
    assert much.turns[1].content == LEFT_OUT.strip()


async def test_a_summary_takes_the_place_of_the_older_messages() -> None:
    part = talk("history", "a" * 500, "b" * 500, "c", strategy="summarise", keep=1)

    fitted = await fit([part], Room(4_000, 3_000), each, shorter)

    assert [turn.content for turn in fitted.turns] == ["a summary of 1014 characters", "c"]
    assert fitted.cut[0].strategy == "summarise"
    assert fitted.cut[0].tokens_after == fitted.tokens


async def test_what_is_too_long_for_one_question_is_summarised_in_pieces_that_fit_with_their_summaries() -> None:
    asked: list[tuple[int, int]] = []

    async def heard(content: str, most: int) -> str:
        asked.append((len(content), most))
        return await shorter(content, most)

    part = text("document", "a" * 5_000, strategy="summarise")
    fitted = await fit([part, text("question", "q")], Room(2_000, 100), each, heard)

    # A quarter of the window for the summaries; the rest but 200 for each piece.
    assert asked == [(1_300, 125), (1_300, 125), (1_300, 125), (1_100, 125)]
    assert fitted.turns[0].content.count("a summary of") == 4
    assert sum(size for size, _ in asked) == 5_000


async def test_a_summary_that_is_too_long_itself_is_trimmed_and_an_empty_one_is_none() -> None:
    async def chatty(content: str, _most: int) -> str:
        return content * 2

    async def silent(_content: str, _most: int) -> str:
        return " "

    part = text("document", "a" * 1_000, strategy="summarise")

    assert (await fit([part], Room(2_000, 1_500), each, chatty)).tokens <= 500
    question = text("question", "q")
    assert (await fit([part, question], Room(2_000, 1_500), each, silent)).turns == question.turns


async def test_no_summary_is_asked_for_where_there_is_no_room_for_one() -> None:
    async def never(_content: str, _most: int) -> str:
        raise AssertionError("asked")

    parts = [text("document", "a" * 1_000, strategy="summarise"), text("question", "q" * 80)]

    assert (await fit(parts, Room(100, 0), each, never)).turns == (Turn("user", "q" * 80),)


async def test_whoever_wants_a_summary_must_say_who_makes_it() -> None:
    with pytest.raises(ValueError, match="summarise"):
        await fit([text("a", "x", strategy="summarise")], None, each)


async def test_what_may_not_be_cut_and_does_not_fit_is_an_error_with_the_figures() -> None:
    parts = [text("system", "s" * 100), text("prompt", "p" * 400)]

    with pytest.raises(ContextTooLongError) as caught:
        await fit(parts, Room(400, 100), each)

    assert caught.value.code == "CONTEXT_TOO_LONG"
    assert caught.value.message == (
        "the question takes about 532 tokens; there is room for 300: the model's window has 400, of which 100 are for "
        "the answer. Say what may be cut (`truncate`), or choose a model with a larger window"
    )
    assert {key: caught.value.details[key] for key in ("tokens", "room", "window", "answer")} == {
        "tokens": 532,
        "room": 300,
        "window": 400,
        "answer": 100,
    }


async def test_a_conversation_of_which_nothing_would_be_left_is_too_long() -> None:
    with pytest.raises(ContextTooLongError, match="and 0 when all that may be cut is cut"):
        await fit([talk("history", "a" * 100, strategy="drop_oldest")], Room(50, 0), each)


async def test_an_error_says_what_was_left_when_all_was_cut() -> None:
    parts = [text("prompt", "p" * 400), talk("history", "a", "b", strategy="drop_oldest")]

    with pytest.raises(ContextTooLongError, match="450 tokens, and 416 when all that may be cut is cut"):
        await fit(parts, Room(400, 0), each)


def test_messages_that_are_cut_alike_are_one_part() -> None:
    dropped: list[Part] = [text(f"messages[{number}]", str(number), strategy="drop_oldest") for number in range(3)]
    parts = [
        text("system", "s"),
        *dropped,
        text("messages[3]", "3", strategy="drop_oldest", priority=1),
        text("q", "q"),
    ]

    found = gathered(parts)

    assert [part.name for part in found] == ["system", "messages[0] to messages[2]", "messages[3]", "q"]
    assert [turn.content for turn in found[1].turns] == ["0", "1", "2"]
    assert gathered([text("a", "a", strategy="trim_middle"), text("b", "b", strategy="trim_middle")])[1].name == "b"


@pytest.mark.parametrize(
    ("content", "tokens"),
    [("", 0), ("abc", 1), ("abcd", 2), ("é", 1), ("日本", 3), ("\U0001f600", 2), ("abc日", 3), ("\ud800", 2)],
)
def test_tokens_are_counted_as_is_likely_and_not_for_the_worst_case(content: str, tokens: int) -> None:
    assert counting(MODEL)(content) == tokens


def test_a_model_that_is_said_to_have_four_characters_a_token_is_counted_so() -> None:
    assert counting(LETTERS)("abcde" * 4) == 5


def test_the_room_is_the_window_without_the_answer() -> None:
    def model(**more: Any) -> ModelInfo:
        return ModelInfo(name="m", provider="ours", wire_name="m", prices=(Price(Decimal(1), Decimal(1)),), **more)

    assert room_of(model(), 100) is None
    assert room_of(model(window=1_000), 100) == Room(1_000, 100)
    assert room_of(model(window=1_000), None) == Room(1_000, 250)
    assert room_of(model(window=1_000, most_output=50), None) == Room(1_000, 50)
    assert room_of(model(window=1_000_000), None) == Room(1_000_000, 4_096)


COUNTS: list[Count] = [each, counting(MODEL), counting(LETTERS)]
STRATEGIES: list[Strategy] = ["never", "drop_oldest", "trim_middle", "summarise"]
parts_made = st.lists(
    st.tuples(
        st.lists(st.text(alphabet="aé日 \n", max_size=150), max_size=5),
        st.integers(-2, 2),
        st.sampled_from(STRATEGIES),
        st.integers(0, 2),
    ),
    max_size=6,
)


def made(drawn: list[tuple[list[str], int, Strategy, int]]) -> list[Part]:
    return [
        talk(f"part{number}", *contents, priority=priority, strategy=strategy, keep=keep)
        for number, (contents, priority, strategy, keep) in enumerate(drawn)
    ]


@settings(max_examples=300, deadline=None)
@given(parts_made, st.integers(0, 2_000), st.sampled_from(COUNTS))
async def test_the_result_fits_keeps_its_order_and_cuts_what_matters_least(
    drawn: list[tuple[list[str], int, Strategy, int]], room: int, count: Count
) -> None:
    parts = made(drawn)
    before = size(parts, count)
    try:
        fitted = await fit(parts, Room(room, 0), count, shorter)
    except ContextTooLongError as caught:
        error = caught
    else:
        check(parts, fitted, room, count)
        return
    assert error.details["tokens"] == before > room


def check(parts: list[Part], fitted: Fitted, room: int, count: Count) -> None:
    assert fitted.tokens == sum(count(turn.content) + TURN_TOKENS for turn in fitted.turns) <= room
    assert bool(fitted.cut) == (size(parts, count) > room)
    cut = {item.part: item for item in fitted.cut}
    assert all(item.tokens_after < item.tokens_before for item in fitted.cut)
    assert sum(item.tokens_before - item.tokens_after for item in fitted.cut) == size(parts, count) - fitted.tokens
    # Parts that were not cut stand whole, one after the other, and are the only ones that may not be.
    left = list(fitted.turns)
    for part in parts:
        if part.name not in cut:
            assert left[: len(part.turns)] == list(part.turns)
            left = left[len(part.turns) :]
            continue
        assert part.strategy != "never"
        taken = 0
        while taken < cut[part.name].tokens_after:
            turn = left.pop(0)
            taken += count(turn.content) + TURN_TOKENS
        assert taken == cut[part.name].tokens_after
    assert left == []


@settings(max_examples=300, deadline=None)
@given(parts_made, st.integers(0, 2_000))
async def test_a_part_is_cut_only_when_those_that_matter_less_could_not_give_more(
    drawn: list[tuple[list[str], int, Strategy, int]], room: int
) -> None:
    parts = [part for part in made(drawn) if part.strategy != "summarise"]
    try:
        fitted = await fit(parts, Room(room, 0), each)
    except ContextTooLongError:
        return

    after = {item.part: item.tokens_after for item in fitted.cut}
    highest = max((part.priority for part in parts if part.name in after), default=None)
    for part in parts:
        if highest is not None and part.priority < highest and part.turns:
            alone = await least_of(part)
            assert after.get(part.name, size([part])) == alone


async def least_of(part: Part) -> int:
    """The fewest tokens that a part can be cut to."""
    try:
        return (await fit([part], Room(0, 0), each)).tokens
    except ContextTooLongError as error:
        return int(str(error.details["least_tokens"]))
