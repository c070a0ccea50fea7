"""How strict the check for untrusted text is: what the platform asks for at least, and what a definition says."""

from typing import Final, Literal

__all__ = ["Level", "effective", "least", "set_least"]

Level = Literal["refuse", "warn", "off"]

_ORDER: Final[tuple[Level, ...]] = ("off", "warn", "refuse")
_least: list[Level] = ["warn"]


def least() -> Level:
    """How strict the platform is with every definition at least."""
    return _least[0]


def set_least(level: Level) -> None:
    """From now on, in this process, no definition is checked less strictly than ``level``."""
    _least[0] = level


def effective(said: Level | None, *, argument: bool) -> Level:
    """What becomes of an untrusted way: what the definition says, or else our default; never below ``least()``.

    Without a word of the definition, text that decides where something goes is refused. What goes there may be content
    as well as an argument of an action, which nobody can tell apart, so of that there is a warning.
    """
    own: Level = said or ("warn" if argument else "refuse")
    return _ORDER[max(_ORDER.index(own), _ORDER.index(least()))]
