"""What a log of token streams says, and what a reader makes of it. Pure: no I/O."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Delta", "Finished", "Lost", "Piece", "Record", "StreamKey", "Superseded", "Text", "Transcript", "as_dict"]


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Whose text it is: a visit of a node. ``run`` is the run's first run id, the same for as long as it lives."""

    run: str
    node: str
    visit: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What is to be added to a stream: text, its end, or both. ``offset``: characters of the generation before it.

    The same piece again changes nothing, so whoever does not know whether it arrived sends it again.
    """

    key: StreamKey
    generation: int
    offset: int
    text: str = ""
    ending: str | None = None
    stands_for: int | None = None
    """How many characters the text stands for, where it is encrypted; none: it is as it was written."""

    @property
    def end(self) -> int:
        """How many characters the generation has with it."""
        return self.offset + (len(self.text) if self.stands_for is None else self.stands_for)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfAVisit:
    id: int
    """Grows within a run, by one each time: whoever sees a step of more than one has missed something."""
    node: str
    visit: int
    generation: int
    """Counts the beginnings of a visit's text: each attempt begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta(_OfAVisit):
    """Some text. ``offset``: how many characters of its generation come before it."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded(_OfAVisit):
    """What the visit has said up to ``generation`` counts for nothing: another attempt begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(_OfAVisit):
    """The text is complete; or, with the reason ``failed`` or ``incomplete``, nothing more comes of it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What came before and with ``id`` is no longer there, or never was: it was trimmed, or the log was lost."""

    id: int


Record = Delta | Superseded | Finished | Lost


def as_dict(record: Record) -> dict[str, Any]:
    """A record as JSON: its fields, and its ``type``."""
    return {"type": type(record).__name__.upper(), **asdict(record)}


@dataclass(slots=True)
class Text:
    """The text of a visit, as far as it was written.

    ``ending`` is why it ended, none while it is written. ``whole`` is false where its beginning was lost.
    """

    generation: int
    ending: str | None = None
    whole: bool = True
    _length: int = 0
    _parts: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    @property
    def begins(self) -> int:
        """How many characters of the text were before what is left of it; 0 of a whole one."""
        return self._length - sum(map(len, self._parts))

    def add(self, delta: Delta) -> None:
        """Take what comes next; after a gap, only what comes after it."""
        if delta.offset != self._length:
            self._parts, self.whole = [], False
        self._parts.append(delta.text)
        self._length = delta.offset + len(delta.text)


class Transcript:
    """Folds the records of a run into what each visit says now. What was superseded is not in it."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, int], Text] = {}
        self._doubtful: set[tuple[str, int]] = set()

    def __iter__(self) -> Iterator[tuple[tuple[str, int], Text]]:
        """The visits that have said something, as (node, visit), in the order in which they began."""
        return iter(self._texts.items())

    def __getitem__(self, visit: tuple[str, int]) -> Text:
        return self._texts[visit]

    def apply(self, record: Record) -> None:
        """Take the next record."""
        match record:
            case Delta():
                text = self._text(record)
                if text.generation == record.generation:
                    text.add(record)
            case Superseded():
                where = record.node, record.visit
                if where in self._texts and (
                    self._texts[where].generation <= record.generation or self._counts_anew(where)
                ):
                    # Whoever writes it anew comes last.
                    del self._texts[where]
            case Finished():
                text = self._text(record)
                if text.generation == record.generation:
                    text.ending = record.reason
            case Lost():
                # Each piece says where it belongs, so a gap shows where it matters.
                self._doubtful = set(self._texts)

    def _counts_anew(self, where: tuple[str, int]) -> bool:
        """Whether the log may have been lost since, so that generations are counted from the first again."""
        doubtful = where in self._doubtful
        self._doubtful.discard(where)
        return doubtful

    def _text(self, record: Delta | Finished) -> Text:
        where = record.node, record.visit
        found = self._texts.get(where)
        anew = self._counts_anew(where) and found is not None and found.generation != record.generation
        if found is None or found.generation < record.generation or anew:
            self._texts.pop(where, None)
            found = self._texts[where] = Text(record.generation)
        return found
