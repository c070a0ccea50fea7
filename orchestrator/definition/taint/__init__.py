"""Follows untrusted text through a definition: from the web or a person to what decides what an action does."""

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.definition.draft import Draft
from orchestrator.definition.model import Definition
from orchestrator.definition.named import Find
from orchestrator.definition.taint.building import build
from orchestrator.definition.taint.level import Level, effective, least, set_least
from orchestrator.definition.taint.points import Asked, Network, Point, Use
from orchestrator.definition.words import listed
from orchestrator.errors import Issue

__all__ = ["Level", "effective", "least", "names_others", "set_least", "taint_refusals", "taint_warnings"]

_MOST_ON_THE_WAY: Final = 8
_MEND: Final = (
    "Let an `Approval` that shows it stand between; or take it from a closed type (a number, an `enum`, an anchored "
    "`pattern`); or say on a node on the way why its output may be trusted: `trusted: …`."
)


def taint_refusals(draft: Draft, find: Find | None = None) -> Iterator[Issue]:
    """DEF081, for the ways of untrusted text that are refused.

    Args:
        draft: A whole definition.
        find: Gives the definitions that it names; without it, what they do inside is not known.
    """
    yield from _issues(draft, find, "refuse")


def taint_warnings(definition: Definition, find: Find | None = None) -> tuple[Issue, ...]:
    """The ways of untrusted text that are only warned of, each as an issue with the code DEF081."""
    return tuple(_issues(Draft.of(definition), find, "warn"))


def names_others(draft: Draft) -> bool:
    """Whether a definition is named anywhere in it, so that checking it by itself does not see everything."""
    waiting: list[object] = [node.config for node in draft.definition.nodes]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("definition"), str):  # pyright: ignore[reportUnknownMemberType]  # JSON
                return True
            waiting.extend(value.values())  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, list):
            waiting.extend(value)  # pyright: ignore[reportUnknownArgumentType]
    return False


def _issues(draft: Draft, find: Find | None, level: Level) -> Iterator[Issue]:
    said = draft.definition.safety.taint
    if not draft.sound or level not in {effective(said, argument=True), effective(said, argument=False)}:
        return
    network = build(draft, find)
    if not network.origins or not network.uses:
        return
    spread, approved = network.spread(), _Approved(network)
    origins = list(network.origins)
    for use in network.uses:
        if effective(said, argument=use.argument) != level:
            continue
        mask = 0
        for point in use.points:
            mask |= spread.get(point, 0)
        for number in _bits(mask):
            if not approved.covers(number, origins[number], use, spread):
                yield _issue(network, approved, origins[number], use)
                break  # one way is enough to show; the others are shown when it is mended


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class _Approved:
    """Which moments of a run come only after somebody has approved a text."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._free: dict[int, set[tuple[str, str, str]]] = {}

    def covers(self, number: int, origin: Point, use: Use, spread: dict[Point, int]) -> bool:
        """Whether what comes from an origin gets to a use only past an approval that shows it."""
        if not self._network.asked:
            return False
        if number not in self._free:
            showing = [
                asked for asked in self._network.asked if any(spread.get(p, 0) >> number & 1 for p in asked.points)
            ]
            self._free[number] = self._reached(origin, showing)
        return use.at not in self._free[number]

    def blind(self, origin: Point, use: Use) -> Asked | None:
        """An approval that stands between, and does not show the text."""
        found = (asked for asked in self._network.asked if use.at not in self._reached(origin, [asked]))
        return next(found, None)

    def _reached(self, origin: Point, asked: Iterable[Asked]) -> set[tuple[str, str, str]]:
        _, start = self._network.origins[origin]
        return self._network.reached(start, frozenset(item.at for item in asked))


def _issue(network: Network, approved: _Approved, origin: Point, use: Use) -> Issue:
    source, _ = network.origins[origin]
    steps = [word for point in network.way(origin, use.points)[1:] if (word := _spelled(point))]
    steps = list(dict.fromkeys(steps))
    if len(steps) > _MOST_ON_THE_WAY:
        steps = [*steps[: _MOST_ON_THE_WAY // 2], "…", *steps[-_MOST_ON_THE_WAY // 2 :]]
    way = f", by way of {listed(steps)}" if steps else ""
    hint = _MEND
    blind = approved.blind(origin, use)
    if blind is not None:
        hint = f"`{blind.name}` stands between, but does not show this text: put it into its `proposal`."
    elif use.address:
        hint = f"{_MEND} In an address, `| urlencode` makes what is put in behind the host one part of it."
    return use.report("DEF081", use.path, f"{use.sentence}, and takes untrusted text from {source}{way}", hint)


def _spelled(point: Point) -> str:
    scope, sort, name, _ = point
    inner = f" of `{scope.removesuffix('.')}`" if scope else ""
    return {
        "out": f"`{scope}{name}`",
        "input": f"the input `{name}`{inner}",
        "state": f"the state `{name}`{inner}",
        "item": f"the items of `{scope}{name}`",
    }[sort]
