"""Tells how far runs of a definition go the same way in another version of it, before anything is changed.

What each run did is played again on the new plan: the pure core and a trace, no effects.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from temporalio.client import Client

from orchestrator.client.attention import in_order
from orchestrator.contracts import visit_label
from orchestrator.contracts.base import Written
from orchestrator.errors import InputError, MigrationError, OrchestratorError
from orchestrator.fork import node_types, rehearsal_of
from orchestrator.graph.happenings import Happening
from orchestrator.graph.index import Graph
from orchestrator.graph.plan import Plan
from orchestrator.graph.rehearsal import Rehearsal, place
from orchestrator.graph.translation import translated
from orchestrator.trace import Life, Trace, trace_of

__all__ = ["Verdict", "check_upgrade", "verdict_of"]

_MOST_NAMED = 20


class Verdict(Written):
    """How a run gets on with another definition."""

    run: str
    definition: str | None = None
    """What the run goes by now, as ``name@version``."""
    verdict: Literal["same path", "fits from", "blocked", "unknown"]
    nodes: tuple[str, ...] = ()
    """Fits from: what would run in the new definition and did not, or not yet; paths."""
    at: str | None = None
    """The first visit that has no place any more; a fork takes over what comes before it."""
    where: str | None = None
    """Blocked: the path of what does not fit."""
    reason: str | None = None
    """Why it is not the same path, or why nothing can be said."""
    migrates: bool = False
    """Whether ``migrate`` would move the run now; only one that has not ended can be moved."""


async def _verdict(client: Client, run_id: str, plan: Plan) -> Verdict:
    try:
        trace = await trace_of(client, run_id)
    except OrchestratorError as error:
        return Verdict(run=run_id, verdict="unknown", reason=error.message)
    return verdict_of(trace, plan)


def check_upgrade(client: Client, run_ids: Sequence[str], plan: Plan) -> AsyncGenerator[Verdict]:
    """How each run gets on with ``plan``, in the order given; a few are looked at at a time.

    A run that cannot be looked at, because its history is gone or is none of ours, is ``unknown``.
    """
    return in_order(run_ids, lambda run_id: _verdict(client, run_id, plan))


def verdict_of(trace: Trace, plan: Plan) -> Verdict:
    """How one run gets on with ``plan``."""
    lives = _alike(trace.lives)
    first, own = lives[0], lives[0].plan
    about = Verdict(run=trace.run, definition=f"{own.name}@{own.version}", verdict="same path")
    mine = rehearsal_of(first, own)
    try:
        other = rehearsal_of(first, plan)
    except MigrationError as error:
        where, reason = (str(error.details.get(name, error.message)) for name in ("node", "reason"))
        return about.model_copy(update={"verdict": "blocked", "where": where, "reason": reason})
    except InputError as error:
        return about.model_copy(update={"verdict": "blocked", "where": "inputs", "reason": error.message})
    happenings = chain.from_iterable(life.happenings for life in lives)
    parted = _parted(happenings, mine, other) or _parted_now(mine, other, node_types(own), node_types(plan))
    migrates = _migrates(mine, own, plan)
    return about.model_copy(update={"migrates": migrates, **({} if parted is None else parted.fields())})


def _alike(lives: Sequence[Life]) -> Sequence[Life]:
    """The last workflow runs that went by one plan: what was done in the first of them is known visit by visit."""
    now = lives[-1].resolved["plan_hash"]
    others = [number for number, life in enumerate(lives) if life.resolved["plan_hash"] != now]
    return lives[others[-1] + 1 :] if others else lives


@dataclass(frozen=True, slots=True)
class _Parting:
    """Where the ways of the two plans part.

    Attributes:
        label: The first visit that has no place on the new plan; none where all have.
        instead: The visits that would run on the new plan and did not, or not yet.
        reason: Why.
        stands: Whether the new plan has no way to go on from there.
    """

    label: str | None
    instead: tuple[str, ...]
    reason: str
    stands: bool

    def fields(self) -> dict[str, Any]:
        """What a verdict says of it."""
        if self.stands:
            return {"verdict": "blocked", "where": self.label, "reason": self.reason}
        return {
            "verdict": "fits from",
            "nodes": self.instead[:_MOST_NAMED],
            "at": self.label,
            "reason": self.reason,
        }


def _parted(happenings: Iterator[Happening], mine: Rehearsal, other: Rehearsal) -> _Parting | None:
    """Play all that happened on ``mine``, and on ``other`` up to where they part. None: all of it has its place."""
    for happening in happenings:
        misfit = other.play(happening)
        if misfit is None or not misfit.path:
            mine.play(happening)
            continue
        label, now, before = visit_label(misfit.path, misfit.visit), other.ready(), set(mine.ready())
        new = tuple(visit for visit in now if visit not in before)
        for left in chain((happening,), happenings):
            mine.play(left)
        return _Parting(label, new or (label,), misfit.reason, stands=misfit.gone or not now)
    return None


def _parted_now(mine: Rehearsal, other: Rehearsal, old: Mapping[str, str], new: Mapping[str, str]) -> _Parting | None:
    """Compare what is under way, or would start next."""
    here, there = mine.ready(), other.ready()
    changed = [label for label in here if label in there and old.get(place(label)) != new.get(place(label))]
    missing = [label for label in here if label not in there]
    extra = tuple(label for label in there if label not in here)
    if not (changed or missing or extra):
        return None
    if missing:
        gone = place(missing[0]) not in new
        reason = "the definition has no such node" if gone else "nothing leads to it at that point"
        return _Parting(missing[0], extra or (missing[0],), reason, stands=not extra and (gone or not there))
    if changed:
        types = f"it is of type {old[place(changed[0])]}, and of type {new[place(changed[0])]} in the new definition"
        return _Parting(changed[0], (*changed, *extra), types, stands=False)
    return _Parting(here[0] if here else None, extra, "it runs more than before", stands=False)


def _migrates(mine: Rehearsal, old: Plan, new: Plan) -> bool:
    try:
        translated(mine.root.dump(), Graph(old), Graph(new))
    except MigrationError:
        return False
    return True
