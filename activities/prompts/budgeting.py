"""Makes a conversation fit a model's window: what matters least is cut first, in the way that its author allows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import dropwhile
from typing import Final, Literal

from activities.providers.base import Turn
from orchestrator.errors import ContextTooLongError
from orchestrator.models import TURN_TOKENS, ModelInfo, Room, room_of

__all__ = [
    "LEFT_OUT",
    "Count",
    "Cut",
    "Fitted",
    "Part",
    "Room",
    "Strategy",
    "Summarise",
    "counting",
    "fit",
    "gathered",
    "room_of",
]

Strategy = Literal["never", "drop_oldest", "trim_middle", "summarise"]
Count = Callable[[str], int]
"""How many tokens a text takes; never fewer when something is added to it."""
Summarise = Callable[[str, int], Awaitable[str]]
"""Gives a summary of a text in at most so many tokens, and pays for it."""

LEFT_OUT: Final = "\n[… left out …]\n"
"""Stands where a text was cut."""
_MOST_SUMMARY: Final = 4_096
"""Tokens; what is said in more is no summary."""
_SUMMARY_ORDER: Final = 200
"""Tokens of what says that a text is to be summarised, and of its messages."""
_LEAST_SUMMARY: Final = 32
"""Tokens; in fewer nothing is said, and the part is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some messages that belong together.

    Attributes:
        name: What the result calls it.
        turns: The messages, the oldest first.
        priority: The higher, the later it is cut.
        strategy: How it may be cut.
        keep: How many of the newest messages ``drop_oldest`` and ``summarise`` leave as they are.
    """

    name: str
    turns: tuple[Turn, ...]
    priority: int = 0
    strategy: Strategy = "never"
    keep: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut of a part."""

    part: str
    strategy: Strategy
    tokens_before: int
    tokens_after: int

    def as_dict(self) -> dict[str, object]:
        """The cut as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A conversation that fits; ``tokens`` is what it takes, as it was counted."""

    turns: tuple[Turn, ...]
    tokens: int
    cut: tuple[Cut, ...] = ()


def gathered(parts: Sequence[Part]) -> list[Part]:
    """``parts`` with those made one that stand together, are cut in the same way message by message, and matter alike.

    Of a run of messages that may all be dropped, so the oldest go first, and a summary is one of all of them.
    """
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        alike = last is not None and (last.strategy, last.priority) == (part.strategy, part.priority)
        if last is None or not alike or part.strategy not in ("drop_oldest", "summarise"):
            found.append(part)
            continue
        name = f"{last.name.partition(' to ')[0]} to {part.name}"
        found[-1] = replace(last, name=name, turns=(*last.turns, *part.turns), keep=max(last.keep, part.keep))
    return found


def counting(model: ModelInfo) -> Count:
    """How tokens are counted for the window of a model.

    Money is set aside for the worst case, a token for each byte; to cut by that would leave most of a window empty. So
    this is what is likely, and rather too much: a token for three letters of ASCII, or for two bytes of other ones. A
    model whose entry in the registry says ``characters`` is counted so.
    """
    return model.estimated_tokens if model.estimate == "characters" else _likely


def _likely(text: str) -> int:
    plain = len(text.encode("ascii", "ignore"))
    return -(-plain // 3) + -(-(len(text.encode("utf-8", "surrogatepass")) - plain) // 2)


async def fit(parts: Sequence[Part], room: Room | None, count: Count, summarise: Summarise | None = None) -> Fitted:
    """The messages of all parts, in their order, cut until they fit; as they are, where they do.

    Parts are cut in the order of their priority, the lowest first, and of equal ones the earlier first; each only as
    far as is needed.

    Args:
        parts: The conversation.
        room: What there is room for; none: everything fits.
        count: Counts tokens, as ``counting`` of the model does.
        summarise: Asks a model for a summary; needed where a part has that strategy.

    Raises:
        ContextTooLongError: They do not fit even so. The details have the figures.
        ValueError: A part is to be summarised, and nobody can.
    """
    if summarise is None and any(part.strategy == "summarise" for part in parts):
        raise ValueError("a part is to be summarised, and there is no `summarise`")
    fitting = _Fitting(count, summarise, room)
    now = list(parts)
    total = before = sum(fitting.tokens(part.turns) for part in parts)
    cuts: list[Cut] = []
    for number in sorted(range(len(parts)), key=lambda at: parts[at].priority):
        excess = 0 if room is None else total - room.question
        if excess <= 0:
            break
        part = parts[number]
        turns = await fitting.cut(part, excess)
        had, has = fitting.tokens(part.turns), fitting.tokens(turns)
        if has < had:
            now[number] = replace(part, turns=turns)
            cuts.append(Cut(part.name, part.strategy, had, has))
            total += has - had
    # Nothing at all is no question either.
    if room is not None and (total > room.question or (total == 0 < before)):
        raise _too_long(parts, room, before, total)
    order = {part.name: number for number, part in enumerate(parts)}
    cuts.sort(key=lambda cut: order[cut.part])
    return Fitted(tuple(turn for part in now for turn in part.turns), total, tuple(cuts))


class _Fitting:
    """Cuts parts as their tokens are counted."""

    def __init__(self, count: Count, summarise: Summarise | None, room: Room | None) -> None:
        self._count = count
        self._summarise = summarise
        self._room = room

    def tokens(self, turns: Sequence[Turn]) -> int:
        """What messages take."""
        return sum(self._count(turn.content) + TURN_TOKENS for turn in turns)

    async def cut(self, part: Part, excess: int) -> tuple[Turn, ...]:
        """The messages of a part, with at least ``excess`` tokens less where its strategy can do that."""
        if part.strategy == "drop_oldest":
            return self._dropped(part, excess)
        if part.strategy == "trim_middle":
            return self._trimmed(part.turns, excess)
        if part.strategy == "summarise":
            return await self._summarised(part, excess)
        return part.turns

    def _dropped(self, part: Part, excess: int) -> tuple[Turn, ...]:
        turns, freed = part.turns, 0
        while len(turns) > part.keep and freed < excess:
            freed += self.tokens(turns[:1])
            # What a tool said means nothing without the message that asked for it.
            left = tuple(dropwhile(lambda turn: turn.role == "tool", turns[1:]))
            freed += self.tokens(turns[1 : len(turns) - len(left)])
            turns = left
        return turns

    def _trimmed(self, turns: tuple[Turn, ...], excess: int) -> tuple[Turn, ...]:
        left = list(turns)
        longest = sorted(range(len(left)), key=lambda at: -self._count(left[at].content))
        for at in longest:
            if excess <= 0:
                break
            had = self._count(left[at].content)
            content = self._trim(left[at].content, had - excess)
            excess -= had - self._count(content)
            left[at] = replace(left[at], content=content)
        return tuple(left)

    def _trim(self, text: str, most: int) -> str:
        """``text`` without its middle in at most ``most`` tokens; where that is impossible, in as few as possible."""
        shortest = LEFT_OUT.strip()
        if self._count(shortest) >= self._count(text):
            return text
        fits, too_long = 0, len(text)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self._count(_without_middle(text, middle)) <= most:
                fits = middle
            else:
                too_long = middle
        return _without_middle(text, fits) if fits else shortest

    async def _summarised(self, part: Part, excess: int) -> tuple[Turn, ...]:
        kept = part.turns[len(part.turns) - part.keep :] if part.keep else ()
        old = part.turns[: len(part.turns) - len(kept)]
        most = self.tokens(old) - excess - TURN_TOKENS
        if not old or self._summarise is None:
            return part.turns
        if most < _LEAST_SUMMARY:
            return kept
        text = old[0].content if len(old) == 1 else "\n\n".join(f"{turn.role}: {turn.content}" for turn in old)
        most = min(most, _MOST_SUMMARY, most if self._room is None else self._room.window // 4)
        pieces = self._pieces(text, most)
        each = most // len(pieces)
        if each < _LEAST_SUMMARY:
            return kept
        said = [(await self._summarise(piece, each)).strip() for piece in pieces]
        summary = "\n\n".join(filter(None, said))
        if not summary:
            return kept
        if self._count(summary) > most:
            summary = self._trim(summary, most)
        role = old[0].role if len(old) == 1 else "user"
        return (Turn(role, summary), *kept)

    def _pieces(self, text: str, most: int) -> list[str]:
        """``text`` in pieces that fit the window, with the order to summarise them and ``most`` tokens of summary."""
        room = len(text) if self._room is None else max(self._room.window - most - _SUMMARY_ORDER, _LEAST_SUMMARY)
        pieces: list[str] = []
        while text:
            fits, too_long = 1, len(text) + 1
            while too_long - fits > 1:
                middle = (fits + too_long) // 2
                if self._count(text[:middle]) <= room:
                    fits = middle
                else:
                    too_long = middle
            pieces.append(text[:fits])
            text = text[fits:]
        return pieces


def _without_middle(text: str, characters: int) -> str:
    """``text`` with so many of its characters: half of them of its beginning, half of its end."""
    end = characters // 2
    return f"{text[: characters - end]}{LEFT_OUT}{text[len(text) - end :]}"


def _too_long(parts: Sequence[Part], room: Room, before: int, least: int) -> ContextTooLongError:
    cut = "" if least == before else f", and {least:,} when all that may be cut is cut"
    hint = (
        "Ask less, or choose a model with a larger window"
        if any(part.strategy != "never" for part in parts)
        else "Say what may be cut (`truncate`), or choose a model with a larger window"
    )
    return ContextTooLongError(
        f"the question takes about {before:,} tokens{cut}; there is room for {room.question:,}: the model's window has "
        f"{room.window:,}, of which {room.answer:,} are for the answer. {hint}",
        details={
            "tokens": before,
            "least_tokens": least,
            "room": room.question,
            "window": room.window,
            "answer": room.answer,
            "parts": [
                {"part": part.name, "strategy": part.strategy, "priority": part.priority} for part in parts[:100]
            ],
        },
    )
