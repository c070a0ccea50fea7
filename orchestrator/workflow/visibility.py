"""What people see of a run from outside: search attributes and the live details of the Web UI."""

from collections.abc import Mapping, Sequence
from itertools import islice

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from orchestrator.contracts import Awaiting, RunStatus, SearchAttribute, visit_label
from orchestrator.workflow.run import Run

__all__ = ["Visibility", "details"]

_KEYS = {name: SearchAttributeKey.for_keyword(name) for name in SearchAttribute.ALL}
_MOST_NAMED = 10
_MOST_OF_A_QUESTION = 500


class Visibility:
    """Upserts search attributes: only those the server knows, and only when they change.

    Args:
        registered: The ones the server knows; upserting another would wedge the run.
        shown: What an earlier workflow run of this run has shown.
    """

    def __init__(self, registered: Sequence[str], shown: Mapping[str, str | None] | None = None) -> None:
        self._registered = registered  # five at the most: a set of them would take ten times as much
        self.shown: dict[str, str | None] = dict(shown or {})
        self.held: dict[str, str | None] | None = None
        """What changed, and is upserted with what changes next: two upserts of a waiting run cost 10 KB of memory."""

    def hold(self, **values: str | None) -> None:
        """Keep what changed among ``values`` for the next time that something is shown."""
        self.held = self._changed(values) or None

    def show(self, **values: str | None) -> None:
        """Upsert what changed among ``values``, and what is held: attribute name to value, none for no value."""
        changed = self._changed({**(self.held or {}), **values})
        self.held = None
        if changed:
            self.shown |= changed
            updates = [
                _KEYS[name].value_unset() if value is None else _KEYS[name].value_set(value)
                for name, value in changed.items()
            ]
            workflow.upsert_search_attributes(updates)  # pyright: ignore[reportUnknownMemberType] - the SDK's gap

    def _changed(self, values: Mapping[str, str | None]) -> dict[str, str | None]:
        return {
            name: value for name, value in values.items() if name in self._registered and self.shown.get(name) != value
        }


def details(status: RunStatus, run: Run | None, awaiting: Sequence[Awaiting], done: int) -> str:
    """The run's live details, as markdown: where it is, what it waits for, what it cost."""
    lines = [f"**{status}** · {done} visits finished"]
    if run is None:
        return lines[0]
    if count := len(run.visiting):
        named = ", ".join(f"`{label}`" for label in islice(run.under_way, _MOST_NAMED))
        more = f" and {count - _MOST_NAMED} more" if count > _MOST_NAMED else ""
        lines.append(f"Under way: {named}{more}")
    lines += [
        f"Waits at `{item.node}` since {item.since}: {item.question[:_MOST_OF_A_QUESTION]}"
        for item in awaiting[:_MOST_NAMED]
    ]
    lines += [
        f"**Parked**: `{visit_label(item.node, item.visit)}`, {item.error.code}: "
        f"{item.error.message[:_MOST_OF_A_QUESTION]}"
        for item in run.parking.parked[:_MOST_NAMED]
    ]
    lines += [f"Child run `{child.run}`: {child.status}" for child in islice(run.kin.children.values(), _MOST_NAMED)]
    usage = run.visits.total_usage
    if usage.calls:
        cost = "" if usage.cost_usd is None else f", {usage.cost_usd:.4f} USD"
        lines.append(f"{usage.calls} model calls, {usage.input_tokens} + {usage.output_tokens} tokens{cost}")
        failed = [it.cost_usd or 0.0 for it in run.visits.attempts if it.failed]
        if failed:
            of = f"the last {len(run.visits.attempts)} attempts" if run.visits.attempts_omitted else "the attempts"
            lines.append(f"Of {of} {len(failed)} failed, {sum(failed):.4f} USD")
        costs = {node: used.cost_usd for node, used in run.visits.usage.items() if used.cost_usd is not None}
        if len(costs) > 1:
            dearest = sorted(costs.items(), key=lambda item: (-item[1], item[0]))[:_MOST_NAMED]
            lines.append("Cost: " + ", ".join(f"`{node}` {dollars:.4f} USD" for node, dollars in dearest))
    return "\n\n".join(lines)
