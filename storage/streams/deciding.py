"""Decides what becomes of a piece, from what is known of its stream. Pure: no I/O."""

from dataclasses import dataclass

from storage.streams.records import Piece

__all__ = ["Added", "Head", "added", "storable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest generation of a visit's text."""

    generation: int
    length: int
    ending: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What a piece adds: its text, its end, both, or nothing where it was there already."""

    text: str
    ending: str | None


def added(head: Head | None, piece: Piece) -> Added | None:
    """What is to be added; none where the piece is refused."""
    if head is None or head.generation != piece.generation:
        return None
    if head.ending is not None:
        return Added("", None) if head.ending == piece.ending and head.length == piece.end else None
    if head.length == piece.offset:
        return Added(storable(piece.text), piece.ending)
    return Added("", piece.ending) if head.length == piece.end else None


def storable(text: str) -> str:
    """The text, as long as it was, without what PostgreSQL or UTF-8 do not have: zero bytes, halves of characters."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
