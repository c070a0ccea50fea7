"""What a safety check is, what it finds, and what may be done about it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final, Literal, Protocol

__all__ = ["ACTIONS", "Action", "Check", "Finding", "Match"]

Action = Literal["off", "flag", "mask", "refuse"]
"""``flag`` records it, ``mask`` puts something else in its place as well, ``refuse`` lets nothing of the text pass."""
ACTIONS: Final[tuple[Action, ...]] = ("off", "flag", "mask", "refuse")
"""Every action, the laxest first."""


@dataclass(frozen=True, slots=True)
class Match:
    """A part of a text: from ``start`` up to, not with, ``end``.

    ``kind`` says in a few words what it is, such as ``e-mail address``, and never holds any of it. ``mask`` is what
    takes its place; none: the kind in brackets.
    """

    start: int
    end: int
    kind: str
    mask: str | None = None

    @property
    def masked(self) -> str:
        """What takes its place."""
        return f"[{self.kind}]" if self.mask is None else self.mask


class Check(Protocol):
    """Finds one sort of danger in a text."""

    @property
    def name(self) -> str:
        """What definitions call it: small letters, digits and underscores."""
        ...

    @property
    def usual(self) -> Action:
        """What is done about it where nobody says."""
        ...

    def find(self, text: str) -> Iterable[Match]:
        """The dangerous parts of ``text``, none overlapping another, in their order.

        It must take time in proportion to the text: no expression that backtracks.
        """
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found in one text, and what was done about it. It never holds what was found.

    Attributes:
        check: The name of the check.
        kind: What it is.
        action: What was done.
        where: Which text it was in, such as ``messages[2]``.
        count: How often it was there.
    """

    check: str
    kind: str
    action: Action
    where: str
    count: int

    def as_dict(self) -> dict[str, object]:
        """The finding as JSON."""
        return asdict(self)
